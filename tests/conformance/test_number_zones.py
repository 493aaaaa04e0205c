"""The zones that numbers tell, beside those of libphonenumber's whole port, in a process that has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, random, sys
import phonenumbers
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA
from twilio_component.flows.number_zones import zones_of_number

def written(number):
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

kinds = phonenumbers.PhoneNumberType.values()
examples = [
    number for region in sorted(phonenumbers.SUPPORTED_REGIONS) for kind in kinds
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]
chance = random.Random(2026)
changed = [
    phonenumbers.PhoneNumber(
        country_code=one.country_code,
        national_number=one.national_number // 10_000 * 10_000 + chance.randrange(10_000),
    )
    for one in examples for _ in range(4)
]
begun = [f"+{prefix}{chance.randrange(10**9):09}"[:13] for prefix in TIMEZONE_DATA for _ in range(3)]
addresses = [*map(written, examples), *map(written, changed), *begun]
wrong = {}
for address in addresses:
    try:
        number = phonenumbers.parse(address)
    except phonenumbers.NumberParseException:
        continue
    expected = [zone if zone != "Etc/Unknown" else "Etc/GMT+9" for zone in time_zones_for_number(number)]
    if list(zones_of_number(address, "Etc/GMT+9")) != expected:
        wrong[address] = expected
print(json.dumps({"examples": len(examples), "all": len(addresses), "wrong": wrong}))
"""


@pytest.fixture(scope="module")
def whole_port() -> str:
    folder = os.environ.get("PHONENUMBERS", "")
    if not Path(folder, "phonenumbers", "tzdata").is_dir():
        pytest.skip("without the whole port of libphonenumber: `make conformance` installs it beside the environment")
    return folder


def run(whole_port: str, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((whole_port, str(ROOT)))}
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout


def test_numbers_of_every_region_and_thousands_of_others_tell_the_same_zones(whole_port: str) -> None:
    report = json.loads(run(whole_port, "-c", PROGRAM))
    assert report["examples"] > 1_000
    assert report["all"] > 10_000
    assert report["wrong"] == {}


def test_the_table_is_what_its_program_writes_from_the_release_that_it_names(whole_port: str) -> None:
    table = ROOT / "twilio_component" / "flows" / "number_zones.txt"
    assert run(whole_port, "tools/number_zones.py") == table.read_text(encoding="utf-8")
