"""``quietHours`` of a flow or a step, and ``frequencyCaps`` of a flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import Value
from twilio_component.flows.send_rules import (
    FrequencyCaps,
    QuietHours,
    Report,
    read_frequency_caps,
    read_quiet_hours,
    read_zone_name,
)

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Input
    from twilio_component.host.manifest.documents import PathParts

CODE = "invalid-send-rule"


def read_quiet_hours_of(
    findings: Findings, raw: Mapping[str, Any], at: PathParts, read_input: Callable[[Any, PathParts], Input]
) -> QuietHours | None:
    """The quiet hours of a flow or a step; None without any, or when something is wrong with them."""
    if raw.get("quietHours") is None:
        return None
    place = (*at, "quietHours")

    def read_zone(value: Any) -> Input:
        return read_input(value, (*place, "timeZone"))

    found = read_quiet_hours(raw["quietHours"], _report(findings, place), read_zone=read_zone)
    zone = found.zone.value if found is not None and isinstance(found.zone, Value) else None
    if zone:
        read_zone_name(zone, _report(findings, place))
    return found


def read_caps_of_flow(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> FrequencyCaps | None:
    """The frequency caps of a flow; None without any, or when something is wrong with them."""
    if raw.get("frequencyCaps") is None:
        return None
    return read_frequency_caps(raw["frequencyCaps"], _report(findings, (*at, "frequencyCaps")))


def _report(findings: Findings, place: PathParts) -> Report:
    def report(path: tuple[str | int, ...], message: str) -> None:
        findings.add(CODE, (*place, *path), f"{path[0]}: {message}" if path else message)

    return report
