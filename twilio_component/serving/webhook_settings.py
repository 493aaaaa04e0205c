"""The settings of webhooks in a configuration file.

::

    webhooks:
      replays: strict    # default: token. Whether an equal request with another idempotency token is the same event
    endpointKeys:
      Remind: {environment: REMIND_KEYS}       # or {file: keys.txt}, or a list; by the name of the flow
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twilio_component.host.errors import InputError, Problem, did_you_mean
from twilio_component.serving.opt_out_settings import OptOutSettings, opt_out_settings

_REPLAYS = ("token", "strict")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """How webhooks are received.

    With ``strict_replays`` only what is signed tells two events apart. With ``answers_in_quiet_hours`` the quiet hours
    of a sender let messages pass to somebody who has just written.
    """

    strict_replays: bool = False
    opt_outs: OptOutSettings = field(default_factory=OptOutSettings)
    answers_in_quiet_hours: bool = False


DEFAULT_SETTINGS = WebhookSettings()


def webhook_settings(sections: Mapping[str, Mapping[str, Any]]) -> WebhookSettings:
    """Return the settings in a configuration's sections; raises ``InputError`` with everything that is wrong."""
    section = sections.get("webhooks", {})
    problems = [
        Problem(f"webhooks.{key}", f"is not known{did_you_mean(key, ['replays']) or ' (known: replays)'}")
        for key in section
        if key != "replays"
    ]
    replays = section.get("replays", "token")
    if replays not in _REPLAYS:
        problems.append(Problem("webhooks.replays", "must be token or strict"))
    opt_outs, more_problems = opt_out_settings(sections.get("optOuts", {}))
    if problems or more_problems:
        raise InputError("The configuration is not valid", [*problems, *more_problems])
    of_senders = sections.get("quietHours", {}).values()
    return WebhookSettings(
        strict_replays=replays == "strict",
        opt_outs=opt_outs,
        answers_in_quiet_hours=any(isinstance(rule, Mapping) and rule.get("exceptReplies") for rule in of_senders),
    )
