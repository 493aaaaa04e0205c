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
    report = report_to(findings, CODE, place)

    def read_zone(value: Any) -> Input:
        zone = read_input(value, (*place, "timeZone"))
        if isinstance(zone, Value) and zone.value:
            read_zone_name(zone.value, report)
        return zone

    return read_quiet_hours(raw["quietHours"], report, read_zone=read_zone)


def read_caps_of_flow(findings: Findings, raw: Mapping[str, Any], at: PathParts) -> FrequencyCaps | None:
    """The frequency caps of a flow; None without any, or when something is wrong with them."""
    if raw.get("frequencyCaps") is None:
        return None
    return read_frequency_caps(raw["frequencyCaps"], report_to(findings, CODE, (*at, "frequencyCaps")))


def report_to(findings: Findings, code: str, place: PathParts) -> Report:
    """What adds findings with the code about values below the place."""

    def report(path: tuple[str | int, ...], message: str) -> None:
        findings.add(code, (*place, *path), f"{path[0]}: {message}" if path else f"{place[-1]} {message}")

    return report
