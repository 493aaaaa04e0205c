"""A store in a file, and calls that must not happen twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twilio_component.durable.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    opened.create()
    yield opened
    opened.close()
