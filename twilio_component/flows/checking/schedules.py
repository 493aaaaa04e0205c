"""The schedule of a trigger: whether it is one, and fires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.model import ConfigVar, Unreadable, Value
from twilio_component.flows.parsing.cron import check_cron, check_time_zone, uneven_steps

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Schedule, Step
    from twilio_component.host.manifest.documents import PathParts

_MISSING = 'Write schedule: "*/5 * * * *" beside the action, for a flow that is served.'
_CRON = 'A schedule looks like "*/5 * * * *": minute, hour, day of the month, month, day of the week.'
_FORMS = (
    'Write schedule: "*/5 * * * *", or {value: "*/5 * * * *", meta: {timeZone: Europe/Berlin}}, or '
    "{type: configVar, value: NAME}."
)
_ZONE_WORDS = ("timezone", "zone", "tz")


def check_schedule(findings: Findings, step: Step) -> None:
    """Report a schedule that is missing, or not a cron expression in a time zone that exists."""
    if step.schedule is None:
        if step.operation == control_steps.SCHEDULE:
            findings.add("missing-schedule", step.at, f"'{step.name}' has no schedule", _MISSING)
        return
    _check_cron(findings, step, step.schedule)
    _check_place_of_zone(findings, step, step.schedule.at)
    try:
        if step.schedule.time_zone:
            check_time_zone(step.schedule.time_zone)
    except ValueError as error:
        findings.add("invalid-schedule", (*step.schedule.at, "meta", "timeZone"), str(error))


def _check_cron(findings: Findings, step: Step, schedule: Schedule) -> None:
    cron = schedule.cron
    if isinstance(cron, Value) and cron.value in (None, ""):
        findings.add("missing-schedule", cron.at, f"the schedule of '{step.name}' is empty", _MISSING)
    elif isinstance(cron, Value) and isinstance(cron.value, str):
        try:
            check_cron(cron.value)
        except ValueError as error:
            findings.add("invalid-schedule", cron.at, f"the schedule is not a cron expression: {error}", _CRON)
        else:
            for message in uneven_steps(cron.value):
                findings.add("uneven-schedule", cron.at, message, "List the times that are meant, or divide evenly.")
    elif not isinstance(cron, (ConfigVar, Unreadable)):
        # An object without a type, a list, a number; a template could not be evaluated before the flow runs.
        message = "the schedule is neither a cron expression nor a config variable"
        findings.add("invalid-schedule", schedule.at, message, _FORMS)


def _check_place_of_zone(findings: Findings, step: Step, at: PathParts) -> None:
    """Report a time zone that stands where it would be ignored: the flow would start at other hours than are meant."""
    document = findings.document
    zones = [(*step.at, key) for key in _keys(document.value_at(step.at)) if key == "meta" or _is_zone(key)]
    zones += [(*at, key) for key in _keys(document.value_at(at)) if _is_zone(key)]
    meta = (*at, "meta")
    zones += [(*meta, key) for key in _keys(document.value_at(meta)) if _is_zone(key) and key != "timeZone"]
    for place in zones:
        message = f"'{place[-1]}' has no effect here: the time zone is timeZone in the schedule's meta"
        hint = 'Write schedule: {value: "30 2 * * *", meta: {timeZone: Europe/Berlin}}.'
        findings.add("invalid-schedule", place, message, hint, key=True)


def _is_zone(key: str) -> bool:
    return key.casefold().replace("_", "").replace("-", "") in _ZONE_WORDS


def _keys(value: object) -> list[str]:
    return [str(key) for key in value] if isinstance(value, Mapping) else []
