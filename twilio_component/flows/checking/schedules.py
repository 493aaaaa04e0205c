"""The schedule of a trigger: whether it is one, and fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.flows import control_steps
from twilio_component.flows.model import ConfigVar, Unreadable, Value
from twilio_component.flows.parsing.cron import check_cron, check_time_zone

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Step

_MISSING = 'Write schedule: "*/5 * * * *" beside the action, for a flow that is served.'
_CRON = 'A schedule looks like "*/5 * * * *": minute, hour, day of the month, month, day of the week.'
_FORMS = (
    'Write schedule: "*/5 * * * *", or {type: value, value: "*/5 * * * *", meta: {timeZone: Europe/Berlin}}, or '
    "{type: configVar, value: NAME}."
)


def check_schedule(findings: Findings, step: Step) -> None:
    """Report a schedule that is missing, or not a cron expression in a time zone that exists."""
    if step.schedule is None:
        if step.operation == control_steps.SCHEDULE:
            findings.add("missing-schedule", step.at, f"'{step.name}' has no schedule", _MISSING)
        return
    cron = step.schedule.cron
    if isinstance(cron, Value) and cron.value in (None, ""):
        findings.add("missing-schedule", cron.at, f"the schedule of '{step.name}' is empty", _MISSING)
    elif isinstance(cron, Value) and isinstance(cron.value, str):
        try:
            check_cron(cron.value)
        except ValueError as error:
            findings.add("invalid-schedule", cron.at, f"the schedule is not a cron expression: {error}", _CRON)
    elif not isinstance(cron, (ConfigVar, Unreadable)):
        # An object without a type, a list, a number; a template could not be evaluated before the flow runs.
        message = "the schedule is neither a cron expression nor a config variable"
        findings.add("invalid-schedule", step.schedule.at, message, _FORMS)
    try:
        if step.schedule.time_zone:
            check_time_zone(step.schedule.time_zone)
    except ValueError as error:
        findings.add("invalid-schedule", (*step.schedule.at, "meta", "timeZone"), str(error))
