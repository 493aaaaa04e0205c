"""Fixtures for tests of flows and programs that use the component; installing the package activates them.

pytest loads this module in every run wherever the package is installed. It imports nothing until a fixture is used, so
that other runs start as fast as before and coverage sees the tests import the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twilio_component.emulator import Emulator
    from twilio_component.testing.blocking import BlockingHarness
    from twilio_component.testing.harness import Harness


@pytest.fixture
def twilio_emulator() -> Emulator:
    """An emulator of the test's own, in this process, without a socket; only the test advances its clock."""
    from twilio_component.emulator import Emulator

    return Emulator()


@pytest.fixture
def twilio_connection() -> dict[str, Any]:
    """A connection that the emulator accepts."""
    from twilio_component.emulator.connection import emulator_connection

    return emulator_connection()


@pytest.fixture
def twilio_harness(twilio_emulator: Emulator) -> Harness:
    """A harness that uses ``twilio_emulator``; open it with ``async with twilio_harness as harness: …``."""
    from twilio_component.testing.harness import Harness

    return Harness(emulator=twilio_emulator)


@pytest.fixture
def twilio_harness_blocking(twilio_emulator: Emulator) -> Iterator[BlockingHarness]:
    """An open blocking harness that uses ``twilio_emulator``, for plain test functions; closed after the test."""
    from twilio_component.testing.blocking import BlockingHarness

    with BlockingHarness(emulator=twilio_emulator) as harness:
        yield harness
