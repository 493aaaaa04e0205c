"""Python values as JSON has them."""

from __future__ import annotations

import datetime as dt
import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.host.serialization import from_buffer, iso_time, json_ready


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text()
        | st.binary()
        | st.datetimes(timezones=st.none() | st.just(dt.UTC)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    )
)
def test_a_result_survives_json_unchanged(value: Any) -> None:
    ready = json_ready(value)
    assert json.loads(json.dumps(ready)) == ready
    assert json_ready(ready) == ready


def test_any_mapping_becomes_a_dict_and_any_bytes_a_buffer() -> None:
    given = MappingProxyType({"a": memoryview(b"Ex"), "b": MappingProxyType({}), "c": (1, b"x")})
    assert json_ready(given) == {
        "a": {"type": "Buffer", "data": [69, 120]},
        "b": {},
        "c": [1, {"type": "Buffer", "data": [120]}],
    }


@pytest.mark.parametrize("value", [object(), 1j, dt.date(2026, 1, 1), [{"x": open}]])
def test_what_json_cannot_hold_is_refused_by_its_type(value: Any) -> None:
    with pytest.raises(TypeError, match="a result may hold only what JSON holds, bytes and times, not "):
        json_ready(value)


@given(st.binary())
def test_a_buffer_gives_its_bytes_back(content: bytes) -> None:
    assert from_buffer(json_ready(content)) == content
    assert from_buffer(bytearray(content)) == content


def test_text_gives_its_utf_8() -> None:
    assert from_buffer("ü") == b"\xc3\xbc"


@pytest.mark.parametrize("value", [None, 5, ["x"], {"type": "Buffer"}, {"type": "Buffer", "data": "x"}, {"data": []}])
def test_what_is_not_a_buffer_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(ValueError, match=r'must be text, bytes or a Buffer object, {"type": "Buffer", "data": \[69, 1'):
        from_buffer(value)


@pytest.mark.parametrize("data", [[256], [-1], ["x"], [None]])
def test_a_buffers_data_are_bytes(data: Any) -> None:
    with pytest.raises(ValueError, match="a Buffer's data must be a list of numbers from 0 to 255"):
        from_buffer({"type": "Buffer", "data": data})


def test_times_are_utc_with_milliseconds() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    assert iso_time(dt.datetime(2026, 1, 1, 1, 30, 0, 1_999, zone)) == "2025-12-31T23:30:00.001Z"
    assert iso_time(dt.datetime(2010, 4, 1, tzinfo=dt.UTC)) == "2010-04-01T00:00:00.000Z"
