"""Fixtures for tests of flows and programs that use the component; installing the package activates them.

pytest loads this module in every run of everybody who installed the package: it imports nothing until a fixture is
used, so that those runs start as fast as before and coverage sees the package imported by the tests.
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
    """A Twilio of the test's own, in this process: no socket, and a clock that only the test moves."""
    from twilio_component.emulator import Emulator

    return Emulator()


@pytest.fixture
def twilio_connection() -> dict[str, Any]:
    """A connection that the emulator accepts."""
    from twilio_component.emulator.connection import emulator_connection

    return emulator_connection()


@pytest.fixture
def twilio_harness(twilio_emulator: Emulator) -> Harness:
    """A harness upon ``twilio_emulator``, to be opened: ``async with twilio_harness as harness: …``."""
    from twilio_component.testing.harness import Harness

    return Harness(emulator=twilio_emulator)


@pytest.fixture
def twilio_harness_blocking(twilio_emulator: Emulator) -> Iterator[BlockingHarness]:
    """The same for tests that are plain functions: open already, and closed after the test."""
    from twilio_component.testing.blocking import BlockingHarness

    with BlockingHarness(emulator=twilio_emulator) as harness:
        yield harness
