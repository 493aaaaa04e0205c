"""The check against Twilio's description is itself checked: it finds what differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.emulator.http import Request, json_response
from twilio_component.emulator.request_log import RequestRecord

if TYPE_CHECKING:
    from pathlib import Path

_THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "nullable": True, "enum": ["a", "b"]},
        "made": {"type": "string", "format": "date-time-rfc-2822"},
        "uri": {"type": "string", "format": "uri"},
        "url": {"type": "string", "format": "uri"},
    },
}
_LIST = {
    "type": "object",
    "properties": {"things": {"type": "array", "items": {"$ref": "#/components/schemas/thing"}}},
}
_GOOD = {"name": None, "made": "Thu, 24 Aug 2023 05:01:45 +0000", "uri": "/relative", "url": "https://example.com"}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}


@pytest.fixture
def small(description_module: Any, tmp_path: Path) -> Any:
    document = {
        "paths": {
            "/Things/{Sid}.json": described({"$ref": "#/components/schemas/thing"}),
            "/Things.json": described(_LIST),
        },
        "components": {"schemas": {"thing": _THING}},
    }
    path = tmp_path / "description.json"
    path.write_text(json.dumps(document))
    return description_module.Description(path)


def record(path: str, value: Any, status: int = 200, method: str = "GET") -> RequestRecord:
    return RequestRecord(1, 0.0, "things", Request(method, path), json_response(status, value))


def test_an_answer_that_fits_has_no_problems_and_its_departure_is_noted(small: Any) -> None:
    assert list(small.problems(record("/Things/T1.json", _GOOD))) == []
    assert list(small.problems(record("/Things.json", {"things": [_GOOD]}))) == []
    assert small.seen == {"things"}
    assert len(small.departed) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "c"}, "$.name: 'c' is not one of"),
        ({"name": 1}, "$.name: 1 is not of type"),
        ({"made": "2023-08-24"}, "$.made: '2023-08-24' is not a 'date-time-rfc-2822'"),
        ({"url": "/relative"}, "$.url: '/relative' is not a 'uri'"),
        ({"more": 1}, "keys differ: ['more']"),
    ],
)
def test_what_does_not_fit_is_found(small: Any, changes: dict[str, Any], words: str) -> None:
    problems = list(small.problems(record("/Things/T1.json", _GOOD | changes)))
    assert any(words in problem for problem in problems)


def test_a_key_that_is_missing_in_a_list_is_found(small: Any) -> None:
    (problem,) = small.problems(record("/Things.json", {"things": [{"uri": "x:"}]}))
    assert problem == "things: keys of things differ: ['made', 'name', 'url']"


def test_a_status_that_is_not_described_is_found_and_errors_are_let_be(small: Any) -> None:
    assert list(small.problems(record("/Things.json", {}, 201))) == ["things: HTTP 201 is not described"]
    assert list(small.problems(record("/Things.json", {}, 404))) == []
    assert list(small.problems(record("/Things.json", {}, method="POST"))) == []
    assert list(small.problems(record("/Elsewhere.json", {}))) == []
