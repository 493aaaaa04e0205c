from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.flow_runs import RELAXED

from twilio_component.flows.checking.placeholders import Names, placeholder_slips
from twilio_component.flows.expressions.evaluation import Scope, evaluate, fixed_value, is_fixed
from twilio_component.flows.expressions.references import (
    as_text,
    follow,
    parse_reference,
    parse_template,
)
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.model import ConfigVar, Reference, camel_case

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
KEYS = st.text(max_size=8).filter(lambda key: '"' not in key)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = [(path, value)]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        found += paths(member, (*path, str(key)))
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Receive GitHub Events", "receiveGithubEvents"),
        ("Get a Queue's URL", "getAQueueSUrl"),
        ("Trigger", "trigger"),
        ("Loop Over Items 2", "loopOverItems2"),
        ("Execution - Get AFTER", "executionGetAfter"),
        ("Find & Replace", "findReplace"),
        ("snake_case name", "snakeCaseName"),
        ("Überweisung prüfen", "überweisungPrüfen"),
        ("?!", ""),
    ],
)
def test_references_write_names_in_camel_case(name: str, expected: str) -> None:
    assert camel_case(name) == expected


@pytest.mark.parametrize(
    ("text", "step", "part", "path"),
    [
        ("trigger.results", "trigger", "results", ()),
        ("trigger.results.body.data.0.name", "trigger", "results", ("body", "data", "0", "name")),
        ("t.results.webhookUrls.Handle Events", "t", "results", ("webhookUrls", "Handle Events")),
        ('t.results[".tag"]', "t", "results", (".tag",)),
        ("t.results['a.b'].c", "t", "results", ("a.b", "c")),
        ("t.results[0][1]", "t", "results", ("0", "1")),
        ("loop.currentItem", "loop", "currentItem", ()),
        ("loop.currentItem.id", "loop", "currentItem", ("id",)),
        ("loop.index", "loop", "index", ()),
        ("  t.results.X-Header  ", "t", "results", ("X-Header",)),
    ],
)
def test_a_reference_is_step_part_and_path(text: str, step: str, part: str, path: tuple[str, ...]) -> None:
    assert parse_reference(text) == Reference(step, part, path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must start with a step's name"),
        (".results", "must start with a step's name"),
        ("trigger", "results, currentItem or index"),
        ("trigger.result.body", "results, currentItem or index"),
        ("trigger.results..body", "from character 16 on"),
        ("trigger.results.a]", "from character 18 on"),
        ('trigger.results["a', "from character 16 on"),
        ("my trigger.results", "from character 3 on"),
    ],
)
def test_what_is_not_a_reference_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_reference(text)


@RELAXED
@given(value=JSON)
def test_every_value_in_a_result_can_be_referred_to_and_comes_out_as_it_went_in(value: Any) -> None:
    for path, expected in paths(value):
        written = str(Reference("step", "results", path))
        parsed = parse_reference(written)
        assert parsed.path == path
        assert follow(parsed, value) is expected


@RELAXED
@given(value=JSON, path=st.lists(st.text(max_size=8), max_size=5))
def test_no_path_makes_a_reference_crash(value: Any, path: list[str]) -> None:
    reference = Reference("step", "results", tuple(path))
    with contextlib.suppress(EvaluationError):
        follow(reference, value)


@RELAXED
@given(text=st.text())
def test_no_text_makes_the_parsers_crash(text: str) -> None:
    placeholder_slips(text, Names())
    for parse in (parse_reference, parse_template):
        with contextlib.suppress(ValueError):
            parse(text)


def test_a_missing_value_shows_the_path_as_far_as_it_exists() -> None:
    root = {"body": {"data": {"name": "Ada", "phone": "+15558675310"}}}
    with pytest.raises(EvaluationError) as caught:
        follow(parse_reference("trigger.results.body.data.nmae"), root)
    assert str(caught.value) == (
        "trigger.results.body.data.nmae has no value: trigger.results.body.data is an object with name and phone "
        "and has no 'nmae'"
    )


@pytest.mark.parametrize(
    ("root", "what"),
    [
        ({"items": [1, 2]}, "t.results.items is a list of 2 and has no '7'"),
        ({"items": "text"}, "t.results.items is text and has no '7'"),
        ({"items": ""}, "t.results.items is empty text and has no '7'"),
        ({"items": {}}, "t.results.items is empty object and has no '7'"),
        ({"items": None}, "t.results.items is null and has no '7'"),
        ({"items": {"+15558675310": 1}}, "t.results.items is an object with other keys and has no '7'"),
        ({}, "t.results is empty object and has no 'items'"),
    ],
)
def test_where_a_path_ends_is_described_without_what_is_there(root: Any, what: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        follow(parse_reference("t.results.items.7"), root)
    assert str(caught.value).endswith(what)


@pytest.mark.parametrize("key", ["-1", "01", "1.0", "²", "9" * 30, "length"])
def test_a_list_is_counted_from_0_in_plain_numbers_only(key: str) -> None:
    with pytest.raises(EvaluationError):
        follow(Reference("t", "results", (key,)), [1, 2])


def test_the_names_of_headers_are_found_in_any_case() -> None:
    root = {"headers": {"x-github-event": "issues"}, "body": {"x-github-event": 1}}
    assert follow(parse_reference("t.results.headers.X-GitHub-Event"), root) == "issues"
    for other in ("t.results.headers.X-Other", "t.results.body.X-GitHub-Event"):
        with pytest.raises(EvaluationError):
            follow(parse_reference(other), root)


def test_a_key_is_found_however_its_accents_are_encoded() -> None:
    whole, in_parts = "Téléphone", "Te\u0301le\u0301phone"
    for written, key in ((whole, in_parts), (in_parts, whole)):
        assert follow(parse_reference(f"t.results.{written}"), {key: 5}) == 5
        assert follow(parse_reference(f"t.results.{written}"), {key: 5, written: 6}) == 6
    with pytest.raises(EvaluationError):
        follow(parse_reference(f"t.results.{whole}"), {"Telephone": 5})


def rendered(text: str, results: Any = None, config: dict[str, Any] | None = None) -> str:
    scope = Scope(lambda reference: follow(reference, results), lambda variable: (config or {})[variable.name])
    value = evaluate(parse_template(text), scope)
    assert isinstance(value, str)
    return value


def test_a_template_replaces_references_and_config_variables_and_leaves_other_braces() -> None:
    text = "Hi {{$trigger.results.name}} at {{#Clinic Name}}, {{user}} {$x} { } {{}} {{ a }}"
    assert rendered(text, {"name": "Ada"}, {"Clinic Name": "North"}) == (
        "Hi Ada at North, {{user}} {$x} { } {{}} {{ a }}"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, "5"),
        (5.0, "5"),
        (0.5, "0.5"),
        (True, "true"),
        (None, ""),
        ("x", "x"),
        ([1, "ä"], '[1,"ä"]'),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_a_template_is_always_text(value: Any, expected: str) -> None:
    assert rendered("{{$t.results.v}}", {"v": value}) == expected


def test_a_number_that_json_has_not_is_null_inside_a_list_as_javascript_writes_it() -> None:
    assert as_text([float("nan"), float("inf"), {"a": -float("inf")}, 1.5]) == '[null,null,{"a":null},1.5]'


@RELAXED
@given(value=JSON)
def test_what_a_template_shows_of_a_list_or_an_object_is_json_for_it(value: Any) -> None:
    if isinstance(value, (list, dict)):
        assert json.loads(as_text(value)) == value


@RELAXED
@given(
    before=st.text(alphabet=st.characters(exclude_characters="{}")),
    name=st.text(max_size=30),
    after=st.text(alphabet=st.characters(exclude_characters="{}")),
)
def test_text_around_a_placeholder_and_what_replaces_it_come_out_unchanged(before: str, name: str, after: str) -> None:
    assert rendered(f"{before}{{{{$t.results.name}}}}{after}", {"name": name}) == f"{before}{name}{after}"


def test_what_a_placeholder_brings_is_not_taken_for_a_template_again() -> None:
    assert rendered("{{$t.results.name}}", {"name": "{{#Secret}}"}) == "{{#Secret}}"


def test_a_template_has_its_parts_in_order() -> None:
    parts = parse_template("a{{#B}}c{{$d.results}}").parts
    assert parts == ("a", ConfigVar("B"), "c", Reference("d", "results", ()))


def test_a_million_braces_are_read_in_no_time() -> None:
    for text in (
        "{{$" * 300_000,
        "{" * 1_000_000,
        "{{$a.results" + " " * 500_000,
        "{{" + " " * 500_000,
        "{{a" + " a" * 250_000,
        "}}" * 500_000 + "{{#",
        "{a" * 500_000,
    ):
        placeholder_slips(text, Names())
        assert rendered(text.replace("$", "~").replace("#", "~"), {})


def test_only_a_value_that_stands_in_the_file_can_be_taken_from_it() -> None:
    assert is_fixed(ConfigVar(""))
    assert fixed_value(ConfigVar("")) == ""
    for part in (ConfigVar("A"), Reference("a", "results", ())):
        assert not is_fixed(part)
        with pytest.raises(EvaluationError, match="needs a flow that runs"):
            fixed_value(part)
