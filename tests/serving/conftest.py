"""The emulator as Twilio, and a real Postgres."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from postgres import Postgres

from twilio_component.emulator import Emulator


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def twilio(emulator: Emulator) -> Iterator[str]:
    with emulator.serve_in_thread() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def new_database(postgres: Postgres) -> Callable[[], str]:
    """Makes an empty database; its URL."""
    return lambda: postgres.new_database(f"test_{next(_NUMBERS)}")


_NUMBERS = itertools.count(1)
