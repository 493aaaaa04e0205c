"""Documents from strangers: values, places, limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.host.errors import DocumentError
from twilio_component.host.manifest import documents
from twilio_component.host.manifest.documents import Document, Position, parse_document, read_document

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def data(text: str | bytes) -> Any:
    return parse_document(text).data


def refusal(text: str | bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "file.yaml")
    return "\n".join(map(str, caught.value.problems))


def outcome(text: str | bytes) -> Document | DocumentError:
    try:
        return parse_document(text)
    except DocumentError as error:
        return error


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("42", 42),
        ("-7", -7),
        ("0", 0),
        ("0o14", 12),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("'42'", "42"),
        ('"true"', "true"),
        ("!!str 42", "42"),
        ("! 42", "42"),
        ("!!int 42", 42),
        ("!!float 1.5", 1.5),
        ("!!bool true", True),
        ("!!null ~", None),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">-\n  folded\n  text\n", "folded text"),
        ("9" * 401, "9" * 401),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    found = data(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("number", ["+6055551212", "+15558675310", "0612345678", "00447911123456", "-012", "+5"])
def test_a_phone_number_without_quotes_keeps_its_plus_and_its_zeros(number: str) -> None:
    assert data(f"to: {number}") == {"to": number}


def test_not_a_number_is_a_number() -> None:
    found = data(".nan")
    assert isinstance(found, float)
    assert found != found  # noqa: PLR0124 - what makes it one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!int 1.5", "the tag !!int is not supported here; write plain values"),
        ("!!int 1e400", "the tag !!int is not supported here"),
        ("!!float 1", "the tag !!float is not supported here"),
        ("!!timestamp 2026-01-01", "the tag !!timestamp is not supported here"),
        ("!!python/object:os.system x", "the tag !!python/object:os.system is not supported here"),
        ("!mine x", "the tag !mine is not supported here"),
        ("!!set {a, b}", "the tag !!set is not supported here"),
        ("!!map [1]", "the tag !!map is not supported here"),
    ],
)
def test_other_tags_are_refused(text: str, message: str) -> None:
    assert f"file.yaml:1:1: $: {message}" in refusal(text)


def test_every_value_and_key_has_its_place() -> None:
    document = parse_document("a: 1\nb:\n  - x\n  - {c: y}\n")
    assert document.position(("b", 1, "c")) == Position(4, 9)
    assert document.position(("b", 1, "c"), key=True) == Position(4, 6)
    assert document.position(("b", 0)) == Position(3, 5)
    assert document.position(()) == Position(1, 1)


def test_what_is_missing_is_where_its_nearest_ancestor_is() -> None:
    document = parse_document("a:\n  b: 1\n")
    assert document.position(("a", "x", "y")) == Position(2, 3)
    assert document.position(("a", "x"), key=True) == Position(2, 3)
    assert str(document.problem(("a", "x"), "is required")) == "<text>:2:3: $.a.x: is required"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3:1: $: the key 'a' appears twice"),
        ("x:\n  1: a\n  '1': b\n", "file.yaml:3:3: $.x: the key '1' appears twice"),
        ('{"a": 1, "a": 2}', "file.yaml:1:10: $: the key 'a' appears twice"),
        ("? [a]\n: b", "file.yaml:1:3: $: a key must be plain text"),
        ("{{a: b}: c}", "file.yaml:1:2: $: a key must be plain text"),
        ("a: &x 1\n*x : 2", "file.yaml:2:1: $: an alias cannot be a key"),
        ("a: *x", "file.yaml:1:4: $.a: the alias *x has no anchor before it"),
        ("a: &x [1, *x]", "file.yaml:1:11: $.a[1]: the alias *x is inside its own anchor"),
        ("a: &x {<<: *x}", "file.yaml:1:12: $.a.<<: the alias *x is inside its own anchor"),
        ("<<: 1", "file.yaml:1:5: $"),
        ("<<: [{a: 1}, 2]", "<< takes a mapping or a list of mappings"),
        ("a\n---\nb", "file.yaml:2:1: $: a second document; put it into a file of its own"),
        ("a: [1, 2", "file.yaml:1:9: did not find expected ',' or ']'"),
        ("a: b: c", "file.yaml:1:5: mapping values are not allowed in this context"),
        ("ü: 1\nb: x\x07", "file.yaml:2:5: a character that YAML does not allow"),
        ("\ta: 1", "indented with a tab; YAML is indented with spaces only"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, message: str) -> None:
    assert message.replace("$.a.<<", '$.a["<<"]') in refusal(text)


def test_anchors_and_merge_keys_are_resolved_and_own_keys_win() -> None:
    text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall:\n  b: 0\n  <<: [*one, *two]\n  c: 9\nsame: *one\n"
    document = parse_document(text)
    assert document.data["all"] == {"b": 0, "a": 1, "c": 9}
    assert document.data["same"] is document.data["one"]
    assert document.position(("all", "a")) == Position(5, 7)
    assert document.position(("all", "c")) == Position(6, 6)
    assert document.position(("same", "a")) == Position(7, 7)


def test_an_anchored_scalar_can_be_used_again() -> None:
    assert data("a: &x hello\nb: *x\nc: &x 2\nd: *x") == {"a": "hello", "b": "hello", "c": 2, "d": 2}


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert data("'<<': {a: 1}") == {"<<": {"a": 1}}
    assert data('{"<<": 1}') == {"<<": 1}


def test_an_alias_bomb_is_refused_before_it_bursts() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than 2,000,000 values, aliases counted as often as they are used" in refusal("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000, "[" * 100_000 + "]" * 100_000])
def test_depth_is_bounded_and_costs_no_recursion(text: str) -> None:
    assert "nested more than 200 levels deep" in refusal(text)


def test_two_hundred_levels_are_allowed() -> None:
    found = data("[" * 200 + "]" * 200)
    for _ in range(199):
        (found,) = found
    assert found == []


def test_a_huge_file_is_refused_without_reading_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 1024 * 1024)
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"a: " + b"x" * 1024 * 1024)
    with pytest.raises(DocumentError, match=r"huge\.yaml cannot be read\n.*larger than 1 MB"):
        read_document(path)


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    assert refusal("a: 1\nb: ü".encode("latin-1")) == "file.yaml:2: not UTF-8 text (byte 8)"


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes('{"a": "ü"}'.encode("utf-8-sig"))
    assert read_document(path).data == {"a": "ü"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"nothing\.yaml cannot be read\n  .*: No such file or directory"):
        read_document(tmp_path / "nothing.yaml")


def test_an_empty_file_holds_nothing() -> None:
    document = parse_document("# nothing\n")
    assert document.data is None
    assert document.position(("a",)) == Position(1, 1)


def test_both_of_pyyamls_parsers_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = parse_document("a: &x {b: [1, 'two', ~]}\nc: *x\nd: {<<: *x, e: f}\n")
    monkeypatch.delattr(yaml, "CSafeLoader")
    slow = parse_document("a: &x {b: [1, 'two', ~]}\nc: *x\nd: {<<: *x, e: f}\n")
    assert (slow.data, slow.values.keys(), slow.keys.keys()) == (fast.data, fast.values.keys(), fast.keys.keys())
    assert [slow.position(path) for path in slow.values] == [fast.position(path) for path in fast.values]
    assert [slow.position(path, key=True) for path in slow.keys] == [
        fast.position(path, key=True) for path in fast.keys
    ]
    assert "file.yaml:2:5: a character that YAML does not allow" in refusal("ü: 1\nb: x\x07")


# JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{\n\t"a": 1\n}', {"a": 1}),
        ('{"emoji": "\\ud83d\\ude00"}', {"emoji": "😀"}),
        ('["a\\/b", "\\u0041", "line\\nbreak"]', ["a/b", "A", "line\nbreak"]),
        ('{"%s": 1}' % ("k" * 2_000), {"k" * 2_000: 1}),
        ("[1, -2, 1.5, 1E5, true, false, null]", [1, -2, 1.5, 1e5, True, False, None]),
        ('["no", "1", "null", "~", ""]', ["no", "1", "null", "~", ""]),
        ("[NaN]", ["NaN"]),
        (" \r\n[]", []),
    ],
)
def test_json_is_read_by_its_own_rules(text: str, value: Any) -> None:
    assert data(text) == value


@given(JSON_VALUES.filter(lambda value: isinstance(value, (dict, list))))
def test_json_from_any_writer_comes_back_as_it_was(value: Any) -> None:
    assert data(json.dumps(value)) == value
    assert data(json.dumps(value, ensure_ascii=False, indent="\t").encode("utf-8", "surrogatepass").decode()) == value


@given(st.text())
def test_any_text_is_a_document_or_a_clear_refusal(text: str) -> None:
    assert isinstance(outcome(text), (Document, DocumentError))


@given(st.binary())
def test_any_bytes_are_a_document_or_a_clear_refusal(content: bytes) -> None:
    assert isinstance(outcome(content), (Document, DocumentError))


def test_places_in_json_are_those_of_the_text() -> None:
    document = parse_document('{\n\t"ü": [\r\n    1,\n    {"b": 2}]}')
    assert document.position(("ü",), key=True) == Position(2, 2)
    assert document.position(("ü", 1, "b")) == Position(4, 11)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"body": {"nam', "<text>:1:11: a text in quotes is not closed"),
        ("name: Flow\nkey: 'unclosed\n", "<text>:2:6: a text in quotes is not closed"),
        ('{"body": ', "a value is missing"),
    ],
)
def test_what_is_not_closed_is_named_without_a_parsers_words(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(text)
    assert problem in str(caught.value)
    assert "scanning" not in str(caught.value)
