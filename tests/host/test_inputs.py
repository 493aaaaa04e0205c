"""Inputs: converted, completed, cleaned and validated, with every problem in one error."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twilio_component.host import Component, Connection, Display, load_component
from twilio_component.host.errors import InputError, Problem
from twilio_component.host.inputs.form import InputForm, convert
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.host.model import Operation

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
ACCOUNT = "AC" + "a" * 32
KEY = "SK" + "b" * 32
FROM = {"otherNames": ["sender", "fromNumber"]}
FIELDS = "username, password, sharedKeys, accountSid, authToken, region, edge and baseUrl"
BASIC = {"key": "basic", "fields": {"username": ACCOUNT, "password": "secret"}}
TWILIO = load_component(manifest_file())


def form(_required: tuple[str, ...] = (), **properties: Any) -> InputForm:
    return InputForm({"type": "object", "required": _required, "additionalProperties": False, "properties": properties})


def twilio(action: str) -> InputForm:
    return InputForm(TWILIO.actions[action].inputs, TWILIO.connections)


def refused(checked: InputForm, inputs: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        checked.validate(inputs)
    return [str(problem) for problem in caught.value.problems]


def outcome(checked: InputForm, inputs: Any) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    try:
        return checked.validate(inputs), ()
    except InputError as error:
        return {}, error.problems


def shout(value: str, inputs: Any) -> str:
    if value == "no":
        raise ValueError("must be anything but a refusal")
    return f"{value.upper()}{inputs.get('mark', '')}"


# Conversion


@pytest.mark.parametrize(
    ("schema", "given", "wanted"),
    [
        ({"type": "integer"}, "2000", 2000),
        ({"type": "integer"}, " -5 ", -5),
        ({"type": "integer"}, "+5", 5),
        ({"type": "integer"}, 5.0, 5),
        ({"type": "integer"}, "2.5", 2),
        ({"type": "integer"}, -2.5, -2),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "number"}, ".5", 0.5),
        ({"type": "number"}, "5.", 5.0),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "boolean"}, 1, True),
        ({"type": "string"}, 12.5, "12.5"),
        ({"type": "string"}, 5.0, "5"),
        ({"type": "string"}, True, "true"),
        ({"type": "object", "properties": {"t": {"type": "string"}}}, {"t": None}, {"t": ""}),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "boolean"}, "false", False),
        ({"type": "boolean"}, " TRUE ", True),
        ({"type": "string"}, 15558675310, "15558675310"),
        ({"type": "array", "items": {"type": "string"}}, '["a", "b"]', ["a", "b"]),
        ({"type": "array", "items": {"type": "string"}}, "https://example.com/a", ["https://example.com/a"]),
        ({"type": "array", "items": {"type": "string"}}, "[not json", ["[not json"]),
        ({"type": "array", "items": {"type": "integer"}}, ("1", 2), [1, 2]),
        ({"type": "array"}, "[]", []),
        ({"type": "object"}, '{"1": "Ada"}', {"1": "Ada"}),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": "1", "m": "1"}, {"n": 1, "m": "1"}),
        ({"type": "array", "format": "keyvaluelist"}, {"a": 1}, [{"key": "a", "value": 1}]),
        ({"type": "array", "format": "keyvaluelist"}, '{"a": 1}', [{"key": "a", "value": 1}]),
        ({"type": "array", "format": "keyvaluelist"}, '[{"key": "a", "value": 1}]', [{"key": "a", "value": 1}]),
        ({"type": "array", "format": "keyvaluelist"}, "{}", []),
        ({"type": ["string", "object"]}, b"ab", {"type": "Buffer", "data": [97, 98]}),
        ({"type": "string", "clean": "m:date"}, NOON, "2026-01-31T12:00:00+00:00"),
        ({"type": "string", "format": "date"}, NOON.date(), "2026-01-31"),
    ],
)
def test_texts_of_forms_and_flow_files_become_what_the_schema_says(schema: Any, given: Any, wanted: Any) -> None:
    converted = convert(given, schema)
    assert (converted, type(converted)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        ({"type": "integer"}, "1_000"),
        ({"type": "integer"}, "٣"),
        ({"type": "integer"}, "0x10"),
        ({"type": "integer"}, "9" * 5_000),
        ({"type": "integer"}, True),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, "infinity"),
        ({"type": "number"}, "9" * 400),
        ({"type": "boolean"}, "perhaps"),
        ({"type": "string"}, NOON),
        ({"type": "string"}, b"ab"),
        ({"type": "boolean"}, "2"),
        ({"type": "boolean"}, 2),
        ({"type": "string"}, math.nan),
        ({"type": "integer"}, "2.5 apples"),
        ({"type": "number"}, "."),
        pytest.param({"type": "string"}, 10**5_000, id="huge"),
        ({"type": "object"}, "{broken"),
        ({"type": "object"}, "[" * 100_000),
        ({"type": "object"}, "[1]"),
        ({"type": "array"}, 5),
        ({"type": "array"}, {"a": 1}),
        ({"type": ["string", "object"]}, '{"a": 1}'),
        ({}, "5"),
    ],
)
def test_a_value_of_doubtful_meaning_stays_as_it_is(schema: Any, given: Any) -> None:
    assert convert(given, schema) is given


def test_an_empty_text_and_null_are_as_if_the_input_were_not_given() -> None:
    checked = form(("a",), a={"type": "string"}, b={"type": "integer", "default": 3}, c={"type": "string"})
    assert checked.validate({"a": "x", "b": "", "c": None}) == {"a": "x", "b": 3}
    assert refused(checked, {"a": ""}) == ["$.inputs.a: is required"]
    assert refused(checked, None) == ["$.inputs.a: is required"]


def test_a_default_is_the_calls_own() -> None:
    checked = form(a={"type": "array", "default": [1]})
    checked.validate({})["a"].append(2)
    assert checked.validate({}) == {"a": [1]}


def test_the_callers_inputs_are_left_alone() -> None:
    given = {"items": ["a", "b"], "pairs": {"x": 1}}
    checked = form(items={"type": "array", "items": {"type": "string"}}, pairs={"type": "object"})
    checked.item_cleaners = {"items": shout}
    assert checked.validate(given) == {"items": ["A", "B"], "pairs": {"x": 1}}
    assert given == {"items": ["a", "b"], "pairs": {"x": 1}}


# Problems


def test_all_problems_come_in_one_error() -> None:
    problems = refused(
        twilio("sendSMS"),
        {
            "twilioConnection": {"key": "basic", "fields": {"username": KEY, "pasword": "hush"}},
            "to": "12",
            "form": "+15017122661",
            "mediaUrl": ["https://example.com/a", "ftp://example.com/b"],
            "attempt": "none",
            "sendAt": "2026-01-01T00:00:00Z",
            "shortenUrls": "true",
            "riskCheck": "maybe",
        },
    )
    assert problems == [
        (
            "$.inputs.form: is not known; did you mean 'from'? (known: twilioConnection, to, from, message, "
            "messagingServiceSid, mediaUrl, statusCallback, contentSid, contentVariables, sendAt, validityPeriod, "
            "shortenUrls, smartEncoded, sendAsMms, provideFeedback, attempt, forceDelivery, riskCheck, "
            "contentRetention, addressRetention, persistentAction, messageIntent, applicationSid, trafficType, "
            "fallbackFrom and defaultRegion)"
        ),
        (f"$.inputs.twilioConnection.fields.pasword: is not known; did you mean 'password'? (known: {FIELDS})"),
        (
            "$.inputs.twilioConnection.fields.username: starts with SK, so it is an API Key SID; an Account SID"
            " belongs here (AC…)"
        ),
        "$.inputs.twilioConnection.fields.password: is required",
        (
            "$.inputs.to: The recipient must be a valid phone number: it has too few digits for the region US. Write "
            "it as +15558675310, or whatsapp:+15558675310"
        ),
        "$.inputs.mediaUrl[1]: must be an absolute URL that starts with https:// or http:// and names a host",
        "$.inputs: needs a sender; give from or messagingServiceSid",
        "$.inputs.sendAt: can only be used together with messagingServiceSid",
        "$.inputs.shortenUrls: can only be used together with messagingServiceSid",
        "$.inputs.attempt: must be a whole number, not text",
        "$.inputs.riskCheck: must be enable or disable, not 'maybe'",
    ]


@pytest.mark.parametrize("inputs", [[], "text", 5, True])
def test_inputs_that_are_no_object_are_refused(inputs: Any) -> None:
    assert refused(form(), inputs)[0].startswith("$.inputs: must be an object by name, not ")


def test_a_clean_function_sees_the_other_inputs_and_its_refusal_stands_alone() -> None:
    checked = form(a={"type": "string", "maxLength": 1}, mark={"type": "string"})
    checked.cleaners = {"a": shout}
    assert refused(checked, {"a": "no"}) == ["$.inputs.a: must be anything but a refusal"]
    assert refused(checked, {"a": "yes"}) == ["$.inputs.a: must have at most 1 characters, not 3"]
    assert checked.validate({"a": "", "mark": "!"}) == {"mark": "!"}
    checked = form(a={"type": "string"}, mark={"type": "string"})
    checked.cleaners = {"a": shout}
    assert checked.validate({"a": "hey", "mark": "!"}) == {"a": "HEY!", "mark": "!"}
    assert refused(checked, {"a": ["hey"]}) == ["$.inputs.a: must be text, not a list"]


def test_each_item_of_a_list_is_cleaned() -> None:
    checked = form(a={"type": "array", "items": {"type": "string"}})
    checked.item_cleaners = {"a": shout}
    assert refused(checked, {"a": ["no", 1.5, "yes", "no"]}) == [
        "$.inputs.a[0]: must be anything but a refusal",
        "$.inputs.a[3]: must be anything but a refusal",
    ]
    assert refused(checked, {"a": 5}) == ["$.inputs.a: must be a list, not a whole number"]


@pytest.mark.parametrize("value", ["half \ud83d", ["x", "\ude00"], {"x": {"y": ("\ud83d",)}}, {"\ud83d": 1}])
def test_text_that_no_request_can_carry_is_refused(value: Any) -> None:
    assert refused(form(a={}), {"a": value}) == ["$.inputs.a: contains an unpaired surrogate"]


def test_half_an_emoji_in_a_connection_is_refused_too() -> None:
    connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": "\ud83d"}}
    assert refused(twilio("getSMS"), {"twilioConnection": connection, "sid": "SM" + "c" * 32}) == [
        "$.inputs.twilioConnection.fields.password: contains an unpaired surrogate"
    ]


def test_a_value_nested_beyond_pythons_depth_is_not_a_crash() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert form(a={}).validate({"a": deep})["a"] is deep


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 3}, "abcd", "must have at most 3 characters, not 4"),
        ({"type": "string", "minLength": 3}, "ab", "must have at least 3 characters, not 2"),
        ({"type": "integer", "minimum": 1}, 0, "must be at least 1, not 0"),
        ({"type": "integer", "maximum": 9}, "15558675310", "must be at most 9, not a number of 11 digits"),
        ({"type": "array", "minItems": 1}, [], "must have at least 1 items, not 0"),
        ({"type": "array", "maxItems": 1}, [1, 2], "must have at most 1 items, not 2"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "must not have the same item twice"),
        ({"type": "object", "minProperties": 1}, {}, "must not be empty"),
        ({"const": "x"}, "y", "must be 'x'"),
        ({"enum": ["a", "b"]}, "+15558675310", "must be a or b, not text of 12 characters"),
        ({"enum": ["a", "b"]}, "Dear Ada, your code", "must be a or b, not text of 19 characters"),
        ({"enum": ["a", "b"]}, True, "must be a or b, not true"),
        ({"enum": ["a", "b"]}, ["x"], "must be a or b, not a list"),
        ({"type": "string", "pattern": "^a"}, "b", "must match the pattern ^a"),
        ({"type": "string", "pattern": "^a", "message": "must start with a"}, "b", "must start with a"),
        ({"multipleOf": 2}, 3, "does not match the schema (multipleOf)"),
        ({"type": ["string", "object"]}, 5.5, "must be text or an object, not a number"),
        (
            {"oneOf": [{"const": "std", "title": "Standard"}, {"const": "exp", "title": "Express"}]},
            "sdt",
            "must be std or exp, not 'sdt'; did you mean 'std'?",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, [], "matches none of the 2 forms that are allowed here"),
        ({"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}, {"z": 1}, "needs x or y"),
    ],
)
def test_a_schema_error_says_what_is_allowed_and_repeats_nothing_private(schema: Any, value: Any, text: str) -> None:
    checked = InputForm({**form(a=schema).schema, "required": ["a"]})
    assert refused(checked, {"a": value}) == [f"$.inputs.a: {text}"]


SECRETS = st.sampled_from(["+14155550100", "Dear Ada, see you at 8", "c0ffee5ec2e7" * 3, "(605) 555-1212", ACCOUNT])


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(TWILIO.actions)),
    st.dictionaries(st.sampled_from(sorted(TWILIO.actions["sendSMS"].inputs["properties"])), SECRETS, min_size=1),
)
def test_no_error_repeats_a_number_a_secret_or_a_text(action: str, inputs: dict[str, str]) -> None:
    _, problems = outcome(twilio(action), inputs)
    assert not [value for value in inputs.values() if value in str(problems)]


@pytest.mark.parametrize(
    ("given", "meant"), [("body", "message"), ("text", "message"), ("sender", "from"), ("from_number", "from")]
)
def test_another_name_of_an_input_leads_to_its_own(given: str, meant: str) -> None:
    properties = {"message": {"otherNames": ["body", "text"]}, "sendAt": {}, "from": FROM}
    (problem,) = refused(InputForm({"type": "object", "properties": properties}), {given: "x"})
    assert problem.startswith(f"$.inputs.{given}: is not known; did you mean '{meant}'? (known: ")
    assert f"did you mean '{meant}'?" in str(outcome(twilio("sendSMS"), {given: "x"})[1])


@pytest.mark.parametrize("given", ["pier", "Pier", "pier_"])
def test_a_name_of_what_is_not_an_input_says_what_to_do_instead(given: str) -> None:
    schema = {"type": "object", "properties": {"port": {}}, "notInputs": {"pier": "leave it out, the port has one"}}
    (problem,) = refused(InputForm(schema), {given: "x"})
    assert problem == f"$.inputs.{given}: is not known; leave it out, the port has one (known: port)"


# Connections


def test_a_connection_may_be_json_text_and_need_not_name_its_kind() -> None:
    checked = twilio("getSMS")
    for connection in (BASIC, json.dumps(BASIC), {"fields": BASIC["fields"]}, {**BASIC, "name": "My Twilio", "id": 7}):
        assert checked.validate({"twilioConnection": connection, "sid": "SM" + "c" * 32})["twilioConnection"] == BASIC


def test_the_other_kind_is_recognised_by_its_fields_too() -> None:
    fields = {"accountSid": f" {ACCOUNT} ", "apiKey": KEY, "apiSecret": "s", "region": ""}
    accepted = twilio("listMessages").validate({"twilioConnection": {"fields": fields}})["twilioConnection"]
    assert accepted == {"key": "apiKeySecret", "fields": {"accountSid": ACCOUNT, "apiKey": KEY, "apiSecret": "s"}}


@pytest.mark.parametrize(
    ("connection", "text"),
    [
        ("my connection", ': must be a connection, {"key": …, "fields": {…}}, not text'),
        ([BASIC], ': must be a connection, {"key": …, "fields": {…}}, not a list'),
        ({"key": "basic"}, ".fields: must be an object of fields by name, not null"),
        ({"key": "basic", "fields": []}, ".fields: must be an object of fields by name, not a list"),
        (
            {"key": "Basic", "fields": {}},
            ".key: 'Basic' is not a connection type here; did you mean 'basic'? (known: apiKeySecret and basic)",
        ),
        (
            {"key": ["basic"], "fields": {}},
            ".key: a list is not a connection type here (known: apiKeySecret and basic)",
        ),
        (
            {"fields": {}},
            ".key: is required, since the fields do not fit exactly one type (known: apiKeySecret and basic)",
        ),
        (
            {"key": "basic", "fields": {"username": ACCOUNT, "password": ["x"]}},
            ".fields.password: must be text, not a list",
        ),
        (
            {"key": "basic", "fields": {"username": ACCOUNT, "password": "x", "a.b": "y"}},
            f'.fields["a.b"]: is not known (known: {FIELDS})',
        ),
    ],
)
def test_a_wrong_connection_is_told_field_by_field(connection: Any, text: str) -> None:
    assert refused(twilio("listMessages"), {"twilioConnection": connection}) == [f"$.inputs.twilioConnection{text}"]


def test_a_connection_that_is_not_given_is_reported_with_the_kinds_there_are() -> None:
    assert refused(twilio("listMessages"), {}) == [
        "$.inputs.twilioConnection: is required: a connection of type apiKeySecret or basic"
    ]


def test_swapped_sids_are_named_as_such() -> None:
    fields = {"accountSid": KEY, "apiKey": ACCOUNT, "apiSecret": "s"}
    problems = refused(twilio("listMessages"), {"twilioConnection": {"key": "apiKeySecret", "fields": fields}})
    assert problems == [
        (
            "$.inputs.twilioConnection.fields.accountSid: starts with SK, so it is an API Key SID; an Account SID"
            " belongs here (AC…)"
        ),
        (
            "$.inputs.twilioConnection.fields.apiKey: starts with AC, so it is an Account SID; an API Key SID"
            " belongs here (SK…)"
        ),
    ]


def test_what_a_plugin_does_to_an_accepted_connection_does_not_last() -> None:
    checked = twilio("listMessages")
    for _ in range(3):
        accepted = checked.validate({"twilioConnection": BASIC})["twilioConnection"]
        assert accepted == BASIC
        accepted["fields"].clear()


def test_a_connection_that_was_refused_is_refused_again_and_true_is_not_one() -> None:
    checked = twilio("listMessages")
    one: dict[str, Any] = {"key": "basic", "fields": {"username": ACCOUNT, "password": 1}}
    assert checked.validate({"twilioConnection": one})["twilioConnection"]["fields"]["password"] == "1"
    one["fields"]["password"] = True
    assert checked.validate({"twilioConnection": one})["twilioConnection"]["fields"]["password"] == "true"
    for _ in range(2):
        wrong = {"key": "basic", "fields": {"username": ACCOUNT, "password": ["no"]}}
        assert refused(checked, {"twilioConnection": wrong}) == [
            "$.inputs.twilioConnection.fields.password: must be text, not a list"
        ]


def test_more_connections_than_are_remembered_are_all_accepted() -> None:
    checked = twilio("listMessages")
    for number in range(1_100):
        connection = {"key": "basic", "fields": {"username": ACCOUNT, "password": f"secret-{number}"}}
        assert checked.validate({"twilioConnection": connection})["twilioConnection"] == connection


# Anything at all

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["+15558675310", "[", "{", '["a"]', '{"a": 1}', "true", "5", ACCOUNT, json.dumps(BASIC), "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("fields"), inner, max_size=3)
    ),
    max_leaves=8,
)


def operations() -> list[tuple[Component, Operation]]:
    return [(TWILIO, operation) for operation in TWILIO.operations()]


@pytest.mark.parametrize(("component", "operation"), operations(), ids=lambda value: value.key)
def test_any_value_of_any_input_is_accepted_or_refused_in_words(component: Component, operation: Operation) -> None:
    checked = InputForm(operation.inputs, component.connections)
    names = sorted(operation.inputs["properties"])

    @settings(max_examples=40, deadline=None)  # for each of the operations, which one form checks
    @given(st.fixed_dictionaries({"twilioConnection": st.just(BASIC) | VALUES}), st.data())
    def holds(start: dict[str, Any], more: st.DataObject) -> None:
        inputs = {**start, **more.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))}
        accepted, problems = outcome(checked, inputs)
        if problems:
            assert all(problem.path.startswith("$.inputs") and problem.message for problem in problems)
        else:
            assert not list(checked.validator.iter_errors(accepted))
            assert checked.validate(accepted) == accepted

    holds()


EXAMPLES = {
    key: {name: part["examples"] for name, part in action.inputs["properties"].items() if "examples" in part}
    for key, action in TWILIO.actions.items()
}


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, names in EXAMPLES.items() for name in names])
def test_every_example_of_an_input_is_accepted_and_stays_what_it_became(key: str, name: str) -> None:
    parts = TWILIO.actions[key].inputs["properties"]
    # An example of an email address is one for the channel email, where there are channels.
    names = {name, "channel"} & parts.keys()
    checked = form(**{one: parts[one] for one in names})
    for example in EXAMPLES[key][name]:
        if isinstance(example, str) and "XXXXXXXX" in example:
            example = example.replace("X", "a").replace("Ha", "HX")  # noqa: PLW2901 - the documented placeholder
        is_email = "channel" in names and "@" in str(example)
        accepted = checked.validate({name: example} | ({"channel": "email"} if is_email else {}))
        assert checked.validate(accepted) == accepted


def test_a_component_written_in_python_has_forms_too() -> None:
    kind = Connection(
        key="k",
        display=Display(label="K"),
        inputs={"type": "object", "properties": {"token": {"type": "string"}}, "additionalProperties": False},
    )
    schema = {"type": "object", "properties": {"c": {"format": "connection"}}, "additionalProperties": False}
    assert InputForm(schema, {"k": kind}).validate({"c": {"fields": {}}}) == {"c": {"key": "k", "fields": {}}}


# Where any text may stand, the text of an empty list is that text; a body of JSON may be an empty list itself.
TEXTS = {"message", "replyMessage", "retryMessage", "search", "customFriendlyName", "messageIntent"}


@pytest.mark.parametrize("empty", [[], "[]", {}, "{}", "", None, " [] "])
def test_what_is_empty_is_absent_for_every_optional_input_of_every_operation(empty: Any) -> None:
    kept, seen = set(), 0
    for operation in TWILIO.operations():
        checked = InputForm(operation.inputs, TWILIO.connections)
        without: list[Any] = []
        absent = checked.collect({}, without)
        for name in checked.properties.keys() - checked.required:
            problems: list[Any] = []
            seen += 1
            if (checked.collect({name: empty}, problems), problems) != (absent, without):
                kept.add(name)
    if empty in ("", None):
        assert kept == set()
    else:
        assert kept == ({"data", *TEXTS} if isinstance(empty, str) else {"data"})
    assert seen > 130


def test_an_empty_list_leaves_the_default() -> None:
    assert form(a={"type": "array", "default": [1]}).validate({"a": "[]"}) == {"a": [1]}


def test_a_required_list_may_be_empty() -> None:
    checked = InputForm({**form(a={"type": "array"}).schema, "required": ["a"]})
    assert checked.validate({"a": []}) == {"a": []}


def test_an_empty_list_where_anything_is_allowed_is_a_value() -> None:
    assert form(a={"type": ["string", "array"]}).validate({"a": []}) == {"a": []}
