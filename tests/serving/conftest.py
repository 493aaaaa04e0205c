"""The emulator as Twilio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from twilio_component.emulator import Emulator


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def twilio(emulator: Emulator) -> Iterator[str]:
    with emulator.serve_in_thread() as server:
        yield server.url
