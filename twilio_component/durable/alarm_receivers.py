"""The receivers of alarms: the section ``onFailure`` of the configuration.

::

    onFailure:
      url: https://alarms.example.com/flows    # gets a POST with JSON
      secret: {environment: ALARM_SECRET}      # signs it; or {file: PATH}
      command: [/usr/local/bin/page-somebody]  # gets the JSON on standard input
      flow: Tell the team                      # gets it as the body's data
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from twilio_component.host.environment import is_elsewhere, read_elsewhere
from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names
from twilio_component.host.inputs.messages import display

_KEYS = ("url", "secret", "command", "flow")
_SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """The receivers of alarms: a URL with the secret that signs what it gets, a command, a flow."""

    url: str = ""
    secret: str = field(default="", repr=False)
    command: tuple[str, ...] = ()
    flow: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that there are: ``url``, ``command`` and ``flow``."""
        return tuple(name for name in ("url", "command", "flow") if getattr(self, name))


def receivers_from(
    section: Mapping[str, Any], problems: list[Problem], *, reads_secrets: bool = True
) -> Receivers | None:
    """The receivers in the section, None without one; what is wrong is added to ``problems``."""
    if not section:
        return None
    for key in section:
        if key not in _KEYS:
            hint = did_you_mean(str(key), _KEYS) or f" (known: {join_names(_KEYS)})"
            problems.append(Problem(f"onFailure.{key}", f"is not known{hint}"))
    url, command, flow = (section.get(name) for name in ("url", "command", "flow"))
    if url is not None and not _is_url(url):
        problems.append(Problem("onFailure.url", "must be a URL that begins with https:// or http://"))
    is_command = isinstance(command, list) and command and all(isinstance(one, str) and one for one in command)
    if command is not None and not is_command:
        problems.append(Problem("onFailure.command", "must be a list of the program and its arguments"))
    if flow is not None and not (isinstance(flow, str) and flow):
        problems.append(Problem("onFailure.flow", "must be the name of a flow that is served"))
    if not {"url", "command", "flow"} & section.keys():
        problems.append(Problem("onFailure", "must have a url, a command or a flow"))
    secret = _secret(section.get("secret"), problems, reads_it=reads_secrets)
    if url is not None and "secret" not in section:
        problems.append(Problem("onFailure.secret", "is missing: it signs what the url gets"))
    if problems:
        return None
    return Receivers(url=url or "", secret=secret, command=tuple(command or ()), flow=flow or "")


def check_command(receivers: Receivers | None) -> None:
    """Raise ``InputError`` if the command is not a program of this machine."""
    if receivers is not None and receivers.command and shutil.which(receivers.command[0]) is None:
        program = display(receivers.command[0])
        problem = Problem("onFailure.command", f"must begin with a program of this machine; {program} was not found")
        raise InputError("Alarms could reach nobody", [problem])


def check_flow(receivers: Receivers | None, flows: Collection[str]) -> None:
    """Raise ``InputError`` if the flow is not one of these, which are served."""
    if receivers is not None and receivers.flow and receivers.flow not in flows:
        hint = did_you_mean(receivers.flow, flows) or f" (served: {join_names(flows)})"
        problem = Problem("onFailure.flow", f"must be a flow that is served{hint}")
        raise InputError("Alarms could reach nobody", [problem])


def _is_url(value: Any) -> bool:
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _secret(value: Any, problems: list[Problem], *, reads_it: bool) -> str:
    """The secret, from where the configuration says it is."""
    if value is None or (is_elsewhere(value) and not reads_it):
        return ""
    problem = "must be {environment: NAME} or {file: PATH}"
    if is_elsewhere(value):
        try:
            text = read_elsewhere(value, os.environ)
        except ValueError as error:
            problem = str(error)
        else:
            if len(text) >= _SHORTEST_SECRET:
                return text
            (where,) = value.items()
            problem = f"its {' '.join(map(str, where))} must have a secret of at least {_SHORTEST_SECRET} characters"
    problems.append(Problem("onFailure.secret", problem))
    return ""
