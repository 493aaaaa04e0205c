"""Many values as one parameter arrive at Postgres as they are, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import Engine, bindparam, select, text

from twilio_component.durable.store.database import Database
from twilio_component.durable.store.many_rows import _Array, array_text, arrays, is_among, rows_from_arrays
from twilio_component.durable.store.schema import intents, journal

_TEXTS = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_NAMES = ("run", "ordinal", "is_failure", "finished_at", "inputs")


@pytest.fixture(scope="module")
def engine(new_database: Callable[[], str]) -> Iterator[Engine]:
    database = Database(new_database())
    yield database.engine
    database.close()


@given(
    some.lists(
        some.fixed_dictionaries(
            {
                "run": _TEXTS | some.sampled_from(["", "NULL", "null", "{}", '"', "\\", '\\"', "a,b", " a ", "\n\t"]),
                "ordinal": some.integers(-(2**31), 2**31 - 1),
                "is_failure": some.booleans(),
                "finished_at": some.floats(allow_nan=False),
                "inputs": some.none() | _TEXTS,
            }
        ),
        max_size=8,
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_arrive_as_they_are(engine: Engine, rows: list[dict[str, Any]]) -> None:
    given_rows = rows_from_arrays(journal, _NAMES)
    with engine.connect() as connection:
        found = connection.execute(select(*given_rows.c), arrays(rows, _NAMES)).all()
    assert [row._asdict() for row in found] == rows


def test_a_text_is_among_those_that_are_equal_to_it(engine: Engine) -> None:
    nasty = ['"', "\\", 'a"b', "a\\", "{", "}", ",", "NULL", "", "\n", "ü😀"]
    asking = select(text("1")).where(is_among(bindparam("one", type_=intents.c.key.type), "texts"))
    with engine.connect() as connection:
        for one in nasty:
            assert connection.execute(asking, {"one": one, "texts": nasty}).one_or_none() is not None
            others = [other for other in nasty if other != one]
            assert connection.execute(asking, {"one": one, "texts": others}).one_or_none() is None


def test_a_text_that_no_database_holds_is_refused(engine: Engine) -> None:
    asking = select(bindparam("texts", type_=_Array("VARCHAR")))
    with engine.connect() as connection, pytest.raises(Exception, match="NUL"):
        connection.execute(asking, {"texts": ["a\0b"]})
    assert array_text([]) == "{}"
