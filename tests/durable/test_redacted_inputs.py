"""What may be told of inputs."""

from __future__ import annotations

from typing import Any

import pytest

from twilio_component.durable.execution.redacted_inputs import redact_inputs
from twilio_component.host import Host
from twilio_component.host.model import Action, Display


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("See you at eight", "text of 16 characters"),
        ("y", "text of 1 character"),
        ("", "text of 0 characters"),
        ("+15558675310", "***10"),
        ("(501) 712-2661", "***61"),
        (" whatsapp:+15558675310 ", "***10"),
        ("12345", "***45"),
        (15558675310, "***10"),
        ("ada@example.com", "***om"),
        ("mailto:ada@example.com", "***om"),
        ("MG" + "0" * 32, "MG" + "0" * 32),
        ("0" * 32, "text of 32 characters"),
        ("f" * 32, "text of 32 characters"),
        (3600, 3600),
        (-1.5, -1.5),
        (True, True),
        (None, None),
        ({1}, "<set>"),
        ([], []),
        ({"name": "Ada", "to": ["+15558675310", 7]}, {"name": "text of 3 characters", "to": ["***10", 7]}),
        ({"+15558675310": 1, "what Ada wrote": 2, "1": 3}, {"key 1": 1, "key 2": 2, "1": 3}),
        ([[[["deep"]]]], [[["list of 1"]]]),
        ([[[{"deep": 1}]]], [[["object of 1"]]]),
        (list(range(1_500)), [*range(20), "… 1,480 more"]),
        (
            {f"k{number}": number for number in range(22)},
            {f"k{number}": number for number in range(20)} | {"…": "2 more"},
        ),
    ],
)
def test_an_outline_repeats_neither_words_nor_addresses(value: Any, told: Any) -> None:
    assert redact_inputs({"input": value}) == {"input": told}


def test_connections_are_named_and_secrets_are_not_even_measured() -> None:
    connection = {"key": "basic", "fields": {"username": "AC" + "0" * 32, "password": "secret"}}
    inputs = {"twilioConnection": connection, "riskCheck": "enable", "message": "enable", "attempt": 2}
    action = Host.discover().components["twilio"].actions["sendSMS"]
    told = {"twilioConnection": "<connection>", "riskCheck": "enable", "message": "text of 6 characters", "attempt": 2}
    assert redact_inputs(inputs, action) == told


def test_what_a_schema_says_of_nested_parts_counts() -> None:
    part = {
        "type": "object",
        "properties": {"mode": {"enum": ["fast"]}, "token": {"type": "string", "writeOnly": True}},
    }
    schema = {"type": "object", "properties": {"parts": {"type": "array", "items": part}}}
    action = Action(key="a", display=Display(label="A"), perform="m:f", inputs=schema)
    inputs = {"parts": [{"mode": "fast", "token": "x"}], "unknown": "fast"}
    assert redact_inputs(inputs, action) == {
        "parts": [{"mode": "fast", "token": "<secret>"}],
        "unknown": "text of 4 characters",
    }
