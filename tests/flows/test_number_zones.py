"""The time zones that phone numbers tell, and the table from which they are read.

`make conformance` holds both against libphonenumber's port.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from number_zones import table

from twilio_component.flows import number_zones
from twilio_component.flows.number_zones import check_table, zones_of_number
from twilio_component.flows.send_rules import read_quiet_hours
from twilio_component.flows.time_zones import is_zone
from twilio_component.host.errors import DocumentError


@pytest.mark.parametrize(
    ("address", "zones"),
    [
        ("+12125551234", {"America/New_York"}),
        ("whatsapp:+4915112345678", {"Europe/Berlin"}),
        ("+79031234567", {"Europe/Moscow", "Asia/Kamchatka"}),
        ("+18005551234", {"America/New_York", "Pacific/Honolulu"}),
        ("+15558675310", {"Asia/Tokyo"}),
        ("whatsapp:US.13491208655302741918", {"Asia/Tokyo"}),
        ("12345", {"Asia/Tokyo"}),
    ],
)
def test_a_number_tells_every_zone_that_it_may_be_in_or_none(address: str, zones: set[str]) -> None:
    found = set(zones_of_number(address, "Asia/Tokyo"))
    assert zones <= found
    if "Asia/Tokyo" in zones:
        assert found == zones


def test_the_table_has_thousands_of_prefixes_and_only_zones_that_exist() -> None:
    by_prefix = number_zones._zones_by_prefix()
    assert len(by_prefix) > 3_000
    assert all(prefix.isdecimal() for prefix in by_prefix)
    assert not {zone for zones in by_prefix.values() for zone in zones if not is_zone(zone)}


def test_a_prefix_that_tells_what_a_shorter_one_tells_is_left_out() -> None:
    zones = {"1": ("A", "B"), "12": ("A",), "1234": ("A",), "13": ("A", "B"), "2": ("A",)}
    assert table(zones) == "A: 2 12\nA,B: 1\n"


def test_prefixes_are_read_as_the_table_abbreviates_them() -> None:
    prefixes = ["7", "33", "1201", "1202", "1210", "1310", "49301"]
    (line,) = table(dict.fromkeys(prefixes, ("A",))).splitlines()
    assert line == "A: 7 33 1201 2 10 310 49301"
    assert list(number_zones._prefixes(line.removeprefix("A: "))) == prefixes


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the table, which is read in the place of the one that is installed."""
    copy = tmp_path / "number_zones.txt"
    copy.write_bytes(number_zones._TABLE.read_bytes())
    monkeypatch.setattr(number_zones, "_TABLE", copy)
    number_zones._zones_by_prefix.cache_clear()
    yield copy
    number_zones._zones_by_prefix.cache_clear()


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "cut short":
        file.write_bytes(content[: len(content) // 2])
    elif how == "another digit":
        file.write_bytes(content.replace(b" 1201 2 ", b" 1201 5 "))
    elif how == "no text":
        file.write_bytes(b"\xff" + content)
    else:
        file.write_bytes(b"")


@pytest.mark.parametrize("how", ["missing", "cut short", "another digit", "no text", "empty"])
def test_a_missing_or_damaged_table_is_refused_when_quiet_hours_are_read(installed: Path, how: str) -> None:
    check_table()
    damage(installed, how)
    number_zones._zones_by_prefix.cache_clear()
    found: list[tuple[tuple[str, ...], str]] = []
    night: dict[str, Any] = {"from": "21:00", "to": "08:00"}

    assert read_quiet_hours(night, lambda *problem: found.append(problem), read_zone=str) is None
    ((path, message),) = found
    assert path == ()
    assert str(installed) in message
    assert message.endswith("reinstall twilio-component")
    with pytest.raises(DocumentError, match="reinstall twilio-component"):
        zones_of_number("+12125551234", "UTC")


def test_quiet_hours_whose_zone_is_written_down_do_without_the_table(installed: Path) -> None:
    installed.unlink()
    rule = read_quiet_hours({"from": "21:00", "to": "08:00", "timeZone": "Asia/Tokyo"}, lambda *_: None, read_zone=str)
    assert rule is not None
    assert rule.zone == "Asia/Tokyo"
