"""Documents in flows: CSV, JSON, XML and YAML, from one to the other, bounded and without entities."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.flow_runs import RELAXED

from twilio_component.builtins.xml_text import parse_xml, write_xml
from twilio_component.host import Host
from twilio_component.host.errors import PerformError


async def act(action: str, **inputs: Any) -> Any:
    async with Host.discover() as host:
        return (await host.invoke_action("change-data-format", action, inputs))["data"]


XML = '<?xml version="1.0"?><order id="7"><item>A &amp; B</item><item>2.50</item><empty/>text<![CDATA[<b>]]></order>'


ORDER = {"@_id": 7, "item": ["A & B", 2.5], "empty": "", "#text": "text<b>"}
PEOPLE = "p__first,p__last\nA,B\n"


@pytest.mark.parametrize(
    ("action", "inputs", "result"),
    [
        ("deserializeFromXml", {"data": "<a><b>1</b><b>02</b></a>"}, {"a": {"b": [1, "02"]}}),
        ("deserializeFromXml", {"data": "<a><b>1</b></a>", "numbersAsStrings": "true"}, {"a": {"b": "1"}}),
        ("deserializeFromXml", {"data": XML}, {"order": ORDER}),
        ("xmlToJson", {"data": "<a>1</a>"}, '{"a": 1}'),
        ("xmlToYaml", {"data": "<a><b>1</b></a>"}, "a:\n  b: 1\n"),
        ("jsonToXml", {"data": '{"a": {"b": [1, true, null]}}'}, "<a><b>1</b><b>true</b><b></b></a>"),
        ("binaryToXml", {"data": [{"a": "<"}]}, "<root><item><a>&lt;</a></item></root>"),
        ("binaryToXml", {"data": {"a": {"@_id": 'x"', "#text": "t"}}}, "<a id='x\"'>t</a>"),
        ("deserializeFromCsv", {"data": "\ufeffname,n\r\nAda,1\r\n"}, [{"name": "Ada", "n": "1"}]),
        ("deserializeFromCsv", {"data": "a,b\n1,2\n", "hasHeader": False}, [["a", "b"], ["1", "2"]]),
        ("deserializeFromCsv", {"data": PEOPLE, "unflattenKeys": "yes"}, [{"p": {"first": "A", "last": "B"}}]),
        ("csvToYaml", {"data": "a\n1\n"}, "- a: '1'\n"),
        ("csvToJson", {"data": "a\nä\n"}, '[{"a": "ä"}]'),
        ("jsonToCsv", {"data": '[{"a": 1, "b": {"c": 2}}, {"a": null}]'}, 'a,b\n1,"{""c"":2}"\n,\n'),
        ("yamlToJson", {"data": "a: [1, true]"}, '{"a": [1, true]}'),
        ("deserializeFromYaml", {"data": b"a: 1"}, {"a": 1}),
        ("binaryToYaml", {"data": {"a": [1], "b": None}}, "a:\n- 1\nb: null\n"),
        ("yamlToCsv", {"data": "[{a: 1}]"}, "a\n1\n"),
    ],
)  # fmt: skip
async def test_an_action_returns_what_its_name_says(action: str, inputs: dict[str, Any], result: Any) -> None:
    assert await act(action, **inputs) == result


@pytest.mark.parametrize(
    ("action", "data", "message"),
    [
        ("deserializeFromXml", '<!DOCTYPE a [<!ENTITY b "secret">]><a>&b;</a>', "document type"),
        ("deserializeFromXml", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type"),
        ("deserializeFromXml", "<a>&undefined;</a>", "not XML: undefined entity, line 1 column"),
        ("deserializeFromXml", "<a><secret></a>", "not XML: mismatched tag"),
        ("deserializeFromXml", "<a>" * 300 + "</a>" * 300, "nested more than 200 levels deep"),
        ("deserializeFromXml", "<a>" + "<b/>" * 200_001 + "</a>", "more than 200,000 elements"),
        ("deserializeFromXml", "x" * 10_000_001, "more than 10,000,000 bytes"),
        ("deserializeFromXml", b"\xff", "not text in UTF-8"),
        ("deserializeFromCsv", 'a\n"secret', "not CSV"),
        ("deserializeFromYaml", "a: [secret", "not YAML"),
        ("jsonToCsv", "[1]", "a list of objects"),
        ("jsonToXml", '{"no name": 1}', "not the name of an XML element"),
        ("binaryToXml", {"a": "\x00"}, "a character that XML cannot hold"),
    ],
)
async def test_what_cannot_be_read_or_written_is_said_without_what_was_in_it(
    action: str, data: Any, message: str
) -> None:
    with pytest.raises(PerformError) as caught:
        await act(action, data=data)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
TEXTS = st.text(CHARACTERS, max_size=10)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
TREES = st.recursive(
    TEXTS.map(str.strip),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, min_size=2, max_size=3), min_size=1),
    max_leaves=8,
)


@RELAXED
@given(tree=st.dictionaries(NAMES, TREES, min_size=1, max_size=1))
def test_what_is_written_as_xml_is_read_again(tree: dict[str, Any]) -> None:
    assert parse_xml(write_xml(tree), numbers_as_text=True) == tree
