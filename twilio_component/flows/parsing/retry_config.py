"""``errorConfig`` of a step and ``retryConfig`` of a flow, and how long each attempt waits for the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import LONGEST_DELAY, ErrorConfig, RetryConfig
from twilio_component.flows.parsing.field_reader import FieldReader
from twilio_component.flows.parsing.known_keys import ERROR_CONFIG, RETRY_CONFIG
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts

HANDLERS = ("fail", "ignore", "retry")
MOST_STEP_RETRIES = 100
MOST_FLOW_RETRIES = 10


def read_error_config(findings: Findings, raw: Any, at: PathParts) -> ErrorConfig:
    """A step's ``errorConfig``; without one, an error fails the execution."""
    part = _Part(findings, raw, at, ERROR_CONFIG)
    handler = part.given.get("errorHandlerType", "fail")
    if handler not in HANDLERS:
        hint = did_you_mean(str(handler), HANDLERS)
        part.complain("errorHandlerType", f"must be {join_names(HANDLERS, word='or')}{hint}")
        handler = "fail"
    return ErrorConfig(
        handler=str(handler),
        max_retries=part.retries(MOST_STEP_RETRIES),
        delay=part.number("delaySeconds", LONGEST_DELAY),
        growing=part.flag("usesExponentialBackoff"),
        ignore_final=part.flag("ignoreFinalError"),
    )


def read_retry_config(findings: Findings, raw: Any, at: PathParts) -> RetryConfig | None:
    """A flow's ``retryConfig``, if it has one."""
    if raw is None:
        return None
    part = _Part(findings, raw, at, RETRY_CONFIG)
    return RetryConfig(
        max_retries=part.retries(MOST_FLOW_RETRIES),
        delay=60 * part.number("delayMinutes", LONGEST_DELAY / 60),
        growing=part.flag("usesExponentialBackoff"),
    )


class _Part:
    """The keys of one of the two objects; numbers and booleans may be written as text, as exports do."""

    def __init__(self, findings: Findings, raw: Any, at: PathParts, known: Collection[str]) -> None:
        self.findings = findings
        self.at = at
        self.given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        if raw is not None and not isinstance(raw, Mapping):
            findings.add("wrong-type", at, f"{at[-1]} must be an object, not {type_name(raw)}")
        FieldReader(findings).keys(self.given, at, known, ())

    def retries(self, most: int) -> int:
        """``maxAttempts``: how often at most to try again after the first attempt, as Spectral counts."""
        number = self.number("maxAttempts", most)
        if not number.is_integer():
            self.complain("maxAttempts", "must be a whole number")
        return int(number)

    def number(self, key: str, most: float) -> float:
        """A number from 0 to ``most``; 0, with a finding, for anything else."""
        value = self.given.get(key)
        if value is None or value == "":
            return 0.0
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if isinstance(value, bool) or not 0 <= number <= most:
            self.complain(key, f"must be a number from 0 to {most:g}")
            return 0.0
        return number

    def flag(self, key: str) -> bool:
        """A boolean, perhaps as text; false, with a finding, for anything else."""
        value = self.given.get(key, False)
        if isinstance(value, str) and value.lower() in ("true", "false", ""):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            self.complain(key, "must be true or false")
            return False
        return bool(value)

    def complain(self, key: str, message: str) -> None:
        """Add a finding about one of the keys."""
        self.findings.add("invalid-error-handling", (*self.at, key), f"{key} {message}")
