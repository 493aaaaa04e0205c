"""Results on a terminal."""

from __future__ import annotations

import json

import pytest

from twilio_component.cli.output import cell, format_result

MESSAGES = {
    "data": [{"sid": "SM1", "status": "sent", "to": "+1", "body": "a\x1b[31m\nb"}, {"sid": "SM2", "status": "queued"}]
}


def test_a_list_of_messages_is_a_table_of_what_fits_on_a_line() -> None:
    lines = format_result(MESSAGES, as_json=False).splitlines()
    assert lines[0].split() == ["status", "to", "sid", "body"]
    assert len(lines) == 3


@pytest.mark.parametrize("result", [{"data": []}, {"data": None}, {"data": "text"}, {"data": ["a"]}])
def test_what_makes_no_table_is_json(result: dict[str, object]) -> None:
    assert json.loads(format_result(result, as_json=False)) == result


def test_other_objects_are_a_table_of_their_own_keys() -> None:
    assert format_result({"data": [{"a": 1, "b": None}]}, as_json=False).splitlines() == ["a  b", "1  null"]


def test_a_cell_cannot_steer_the_terminal() -> None:
    assert cell("a\x1b[31m\nb") == "a·[31m·b"
    assert cell({"a": 1}) == '{"a": 1}'
