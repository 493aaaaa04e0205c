"""Questions by message: what `sendAndWait` sends, in which conversation, and what counts as a reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twilio_component.host.errors import InputError, Problem
from twilio_component.host.questions import OPTED_OUT, UNDELIVERABLE, EffectReport, Question, Reply
from twilio_component.twilio.answers import comparable
from twilio_component.twilio.message_status import FINAL
from twilio_component.twilio.opt_outs import STOP_WORDS, asks_help, is_stop_word, shared_address
from twilio_component.twilio.triggers.inbound import message_of
from twilio_component.twilio.triggers.webhook_parameters import WebhookParameters

_SENT = ("twilioConnection", "to", "from", "messagingServiceSid", "mediaUrl", "contentVariables", "defaultRegion")
_EXPECTED = ("answerType", "choices", "pattern", "minimum", "maximum", "yesWords", "noWords")
_OPTED_OUT_CODES = frozenset({"21610"})
_UNDELIVERABLE_CODES = frozenset({"21211", "21214", "21217", "21265", "21408", "21612", "21614", "21635"})
_LOST = frozenset({"undelivered", "failed", "canceled"})
_DURATION = re.compile(r"([0-9]{1,9})\s*(s|m|h|d|seconds?|minutes?|hours?|days?)?", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 90 * 86_400


def clean_deadline(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a duration in seconds, as text; raises ``ValueError`` for one that is not from a second to 90 days."""
    found = _DURATION.fullmatch(value.strip())
    seconds = int(found[1]) * _UNITS[(found[2] or "s")[0].lower()] if found else 0
    if not 1 <= seconds <= _LONGEST:
        raise ValueError("must be a number of seconds or a duration such as 90s, 5m, 2h or 3d, from 1s to 90d")
    return str(seconds)


def clean_choice(value: str, inputs: Mapping[str, Any]) -> str:
    """Return a choice; raises ``ValueError`` for one that no reply can mean, or that another one is too."""
    choice = clean_answer_word(value, inputs)
    same = [one for one in inputs["choices"] if isinstance(one, str) and comparable(one) == comparable(choice)]
    if len(same) > 1:
        raise ValueError("is the same answer as another choice: they must differ in more than case and punctuation")
    return choice


def clean_answer_word(value: str, _inputs: Mapping[str, Any]) -> str:
    """Return a word that a person may reply; raises ``ValueError`` for one that means something else to Twilio."""
    word = comparable(value)
    if value and not word:
        raise ValueError("must have a letter, a digit or an emoji")
    if word in STOP_WORDS:
        raise ValueError("opts the person out when they reply it, so it is never an answer; choose another word")
    return value


def clean_answering_sender(value: str, inputs: Mapping[str, Any]) -> str:
    """Return the sender of a question; raises ``ValueError`` for one that nobody can reply to."""
    from twilio_component.twilio.inputs.addresses import clean_sender, is_alphanumeric

    sender = clean_sender(value, inputs)
    if is_alphanumeric(sender):
        raise ValueError("nobody can reply to an alphanumeric sender ID; give a phone number or a short code")
    return sender


def plan(inputs: Mapping[str, Any]) -> Question:
    """Return the question that the accepted inputs of `sendAndWait` ask; raises ``InputError`` for what is missing."""
    _check(inputs)
    common = {name: inputs[name] for name in _SENT if name in inputs}
    first = {name: inputs[name] for name in ("message", "contentSid") if name in inputs}
    without = {name: value for name, value in common.items() if name not in ("mediaUrl", "contentVariables")}
    again = {**without, "message": inputs["retryMessage"]} if "retryMessage" in inputs else {**common, **first}
    us = inputs.get("from") or inputs["messagingServiceSid"]
    expects = {name: inputs[name] for name in _EXPECTED if name in inputs}
    order = inputs.get("dateOrder") or ("MDY" if inputs.get("defaultRegion", "US") == "US" else "DMY")
    return Question(
        sends=({**common, **first}, *([again] * inputs["retries"])),
        conversation=conversation(_account(inputs["twilioConnection"]), us, inputs["to"]),
        expects={**expects, "dateOrder": order},
        seconds=float(inputs["deadline"]),
        refuses_if_busy=inputs["ifBusy"] == "refuse",
        keeps_late=inputs["lateReplies"] == "keep",
    )


def conversation(account: str | None, us: str, them: str) -> str:
    """Return the name of the conversation of a sender, or messaging service, with a person.

    A reply by RCS belongs to a question by SMS, since Twilio chooses between them; a reply from the older form of a
    number on WhatsApp to a question to today's.
    """
    return f"{account or ''} {shared_address(us).lower()} {shared_address(them).lower()}"


def reply_of(payload: Mapping[str, Any]) -> Reply | None:
    """Return what a person wrote, from the payload of a verified webhook; None for anything else."""
    parameters = WebhookParameters(payload)
    sid, them = parameters.text("MessageSid"), parameters.text("From")
    if sid is None or them is None or parameters.text("MessageStatus") or parameters.text("EventType"):
        return None
    message = message_of(parameters)
    ours = [us for us in (message["to"], message["messagingServiceSid"]) if us]
    return Reply(
        id=sid,
        conversations=[conversation(message["accountSid"], us, them) for us in ours],
        data=message,
        opts_out=opts_out(message),
        asks_help=asks_help(message),
    )


def opts_out(message: Mapping[str, Any]) -> bool:
    """Return whether the person who wrote the message wants no more of them."""
    kind = (message["optOutType"] or "").upper()
    return kind == "STOP" or (not kind and is_stop_word(message["body"]))


def report_of(payload: Mapping[str, Any]) -> EffectReport | None:
    """Return the outcome of a message, from the payload of a verified status callback; None for anything else."""
    parameters = WebhookParameters(payload)
    sid, status = parameters.text("MessageSid"), parameters.text("MessageStatus")
    if sid is None or status is None or status in ("received", "receiving"):
        return None
    code = parameters.text("ErrorCode") or ""
    return EffectReport(
        effect=sid,
        is_final=status in FINAL,
        outcome=(outcome_of(code) or UNDELIVERABLE) if status in _LOST else "",
        code=code,
    )


def outcome_of(code: str) -> str:
    """Return how a refusal with this code ends a question: ``optedOut``, ``undeliverable``, or nothing."""
    if code in _OPTED_OUT_CODES:
        return OPTED_OUT
    return UNDELIVERABLE if code in _UNDELIVERABLE_CODES else ""


def _check(inputs: Mapping[str, Any]) -> None:
    least, most = inputs.get("minimum"), inputs.get("maximum")
    if least is not None and most is not None and least > most:
        problem = Problem("$.inputs.minimum", f"must not be more than maximum, which is {most:g}")
        raise InputError("The inputs are not valid", [problem])


def _account(connection: Mapping[str, Any]) -> str | None:
    fields = connection["fields"]
    found: str | None = fields.get("accountSid") or fields.get("username")
    return found
