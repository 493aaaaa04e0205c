"""The built-in components, invoked through a host like any other."""

from __future__ import annotations

import hashlib
import logging
import math
from importlib.metadata import entry_points
from typing import Any

import httpx
import pytest
from support.flow_runs import run

from twilio_component.builtins.plugin import MANIFESTS
from twilio_component.host import Context, Host, check_manifest
from twilio_component.host.errors import InputError, PerformError
from twilio_component.testing import RecordingLogger

KEYS = {
    "branch",
    "change-data-format",
    "collection-tools",
    "cross-flow",
    "csv",
    "datetime",
    "hash",
    "http",
    "log",
    "loop",
    "management-triggers",
    "math",
    "persist-data",
    "schedule-triggers",
    "sleep",
    "stop-execution",
    "text-manipulation",
    "webhook-triggers",
}


async def act(
    operation: str, *, context: Context | None = None, host: dict[str, Any] | None = None, **inputs: Any
) -> Any:
    """The data that an action returns."""
    component, action = operation.split(".")
    async with Host.discover(**(host or {})) as opened:
        return (await opened.invoke_action(component, action, inputs, context=context))["data"]


def test_they_are_found_by_their_entry_point_like_any_other_component() -> None:
    assert "builtins" in {entry.name for entry in entry_points(group="integration_components")}
    host = Host.discover()
    assert host.failures == []
    assert host.components.keys() >= KEYS
    assert {path.stem for path in MANIFESTS.glob("*.yaml")} == KEYS


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_their_manifests_have_no_mistakes(path: Any) -> None:
    assert check_manifest(path) == []


@pytest.mark.parametrize(
    ("operation", "inputs", "result"),
    [
        ("collection-tools.create", {}, []),
        ("collection-tools.create", {"items": [1, [2, 3], {"a": 1}, [[4]]]}, [1, 2, 3, {"a": 1}, [4]]),
        ("collection-tools.createObject", {}, {}),
        (
            "collection-tools.createObject",
            {"keyValueInput": [{"key": "a", "value": [1]}, {"key": "b"}]},
            {"a": [1], "b": None},
        ),
        ("collection-tools.createObject", {"keyValueInput": {"a": 1}}, {"a": 1}),
        ("collection-tools.addKey", {"object": {"a": 1}, "key": "b", "value": 2}, {"a": 1, "b": 2}),
        (
            "collection-tools.addKey",
            {"object": {"a": {"b": 1}}, "key": "c", "objectPath": "a.x"},
            {"a": {"b": 1, "x": {"c": None}}},
        ),
        (
            "collection-tools.addMultipleKeys",
            {"object": {"a": 1}, "keyValueListInput": [{"key": "b", "value": 2}], "dynamicFields": '{"c": 3}'},
            {"a": 1, "b": 2, "c": 3},
        ),
        ("collection-tools.chunks", {"listInput": [1, 2, 3], "numberInput": "2"}, [[1, 2], [3]]),
        ("collection-tools.flatten", {"listInput": [[1], 2, [[3]]]}, [1, 2, [3]]),
        ("collection-tools.flatten", {}, []),
        (
            "collection-tools.validateJsonSchema",
            {"jsonInput": '{"a": 1}', "jsonSchema": '{"required": ["a"]}'},
            {"valid": True},
        ),
        (
            "collection-tools.validateJsonSchema",
            {
                "jsonInput": {"a": 1},
                "jsonSchema": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
            },
            {"valid": True},
        ),
        ("change-data-format.deserializeFromJson", {"data": '{"a": [1]}'}, {"a": [1]}),
        ("change-data-format.deserializeFromJson", {"data": {"data": "[1]", "contentType": "x"}}, [1]),
        ("change-data-format.deserializeFromJson", {"data": b"[1]"}, [1]),
        ("change-data-format.serializeToJson", {"data": {"a": "ä"}}, '{"a": "ä"}'),
        ("change-data-format.deserializeFormData", {"data": "a=1&b=&a=%C3%A4&a=3"}, {"a": ["1", "ä", "3"], "b": ""}),
        ("change-data-format.deserializeFormData", {"data": {"data": {"a": "1"}, "contentType": "x"}}, {"a": "1"}),
        ("change-data-format.binaryToJson", {"data": {"a": 1}}, '{"a": 1}'),
        ("change-data-format.serializeToJson", {"data": [math.nan, math.inf, 1.5]}, "[null, null, 1.5]"),
        ("change-data-format.deserializeFromJson", {"data": "\ufeff[1]"}, [1]),
        ("change-data-format.deserializeFromJson", {"data": {"data": b"[1]", "contentType": "x"}}, [1]),
        ("change-data-format.deserializeFromBinary", {"data": b"h\xc3\xa4"}, "hä"),
        ("change-data-format.deserializeJsonl", {"data": '{"a": 1}\n\n[2]\n'}, [{"a": 1}, [2]]),
        ("change-data-format.serializeJsonl", {"data": [{"a": 1}, [2]]}, '{"a":1}\n[2]'),
        ("change-data-format.serializeFormData", {"data": {"a": ["1", "ä b"], "c": 2}}, "a=1&a=%C3%A4+b&c=2"),
        ("change-data-format.prettyPrint", {"data": '{"a":1}'}, '{\n  "a": 1\n}'),
        ("change-data-format.convertToBoolean", {"value": "No"}, False),
        ("change-data-format.convertToBoolean", {"value": "anything"}, True),
        ("change-data-format.convertToBoolean", {}, False),
        ("change-data-format.convertToInt", {"value": "12 apples"}, 12),
        ("change-data-format.convertToInt", {"value": -2.7}, -2),
        ("change-data-format.convertToNumber", {"value": " .5 "}, 0.5),
        ("change-data-format.convertToNumber", {"value": True}, 1),
        ("change-data-format.convertToString", {"value": 5.0}, "5"),
        ("change-data-format.convertToString", {"value": [1, "ä"]}, '[1,"ä"]'),
        ("change-data-format.convertToString", {"value": b"hello"}, "hello"),
        ("change-data-format.convertToString", {}, ""),
        ("text-manipulation.split", {"text": "a/b/", "separator": "/"}, ["a", "b", ""]),
        ("text-manipulation.join", {"strings": ["gh", 42, True], "separator": "-"}, "gh-42-true"),
        ("text-manipulation.join", {}, ""),
        ("text-manipulation.joinLines", {"strings": ["a", "b"], "numberOfNewlines": 2}, "a\n\nb"),
        ("text-manipulation.joinLines", {"strings": ["a", "b"], "newlineType": "\r\n"}, "a\r\nb"),
        ("text-manipulation.replace", {"text": "a.b.c", "find": ".", "replace": "-"}, "a-b-c"),
        ("text-manipulation.replace", {"text": "gh-42", "find": "gh-", "replace": ""}, "42"),
        ("text-manipulation.upperCase", {"text": "ä"}, "Ä"),
        ("text-manipulation.lowerCase", {"text": "Ä"}, "ä"),
        ("text-manipulation.trim", {"text": " a \n"}, "a"),
        ("text-manipulation.slice", {"text": "hello", "sliceStart": 1, "sliceStop": -1}, "ell"),
        ("text-manipulation.slice", {"text": "hello", "sliceStart": "3"}, "lo"),
        ("text-manipulation.splitLines", {"text": "a\r\n\nb\n"}, ["a", "b"]),
        ("text-manipulation.splitLines", {"text": "a\n\nb", "filterBlankLines": "false"}, ["a", "", "b"]),
        ("text-manipulation.stringLength", {"text": "a\U0001f600"}, 3),
        ("text-manipulation.htmlEncode", {"text": "<a> & 'b'"}, "&lt;a&gt; &amp; &#x27;b&#x27;"),
        ("text-manipulation.htmlDecode", {"text": "&lt;a&gt; &auml;"}, "<a> ä"),
        ("text-manipulation.encodeBase64", {"text": "hä"}, "aMOk"),
        ("text-manipulation.encodeBase64", {"text": {"data": b"GIF", "contentType": "image/gif"}}, "R0lG"),
        ("text-manipulation.decodeBase64", {"text": "aM\nOk"}, "hä"),
        ("text-manipulation.decodeBase64", {"text": "YQ"}, "a"),
        ("text-manipulation.replaceMultipleSubstring", {"text": "a b", "replaceWith": {"a": "b", "b": "c"}}, "c c"),
        ("math.add", {"numbers": ["1.5", 2.5]}, 4),
        ("math.add", {"numbers": []}, 0),
        ("math.subtract", {"numbers": [1, 2, 3]}, -4),
        ("math.multiply", {"numbers": [3, 0.5]}, 1.5),
        ("math.divide", {"numbers": "[1, 4]"}, 0.25),
        ("math.max", {"numbers": [1, 2], "dynamicNumbers": "[7, 3]"}, 7),
        ("math.min", {"numbers": [1, 2], "dynamicNumbers": ""}, 1),
        ("math.hypot", {"numbers": [3, 4]}, 5),
        ("math.round", {"number": 2.5}, 3),
        ("math.round", {"number": -2.5}, -2),
        ("math.trunc", {"number": "-2.7"}, -2),
        ("math.pow", {"base": 2, "exponent": 10}, 1024),
        ("math.logarithm", {"number": 8, "base": 2}, 3),
        ("math.fround", {"number": 0.1}, 0.10000000149011612),
        ("math.evaluate", {"expression": "2 * 3 + 7"}, 13),
        ("math.evaluate", {"expression": "-(1 + 2) ^ 2 / .5 % 100"}, 82),
        ("collection-tools.length", {"listInput": "[1, 2]"}, 2),
        ("collection-tools.first", {"listInput": [[1], 2]}, [1]),
        ("collection-tools.first", {"listInput": []}, None),
        ("collection-tools.last", {"listInput": [1, 2]}, 2),
        ("collection-tools.append", {"listInput": [1], "elementInput": [2]}, [1, [2]]),
        ("collection-tools.concatenate", {"listInput": [1], "secondListInput": [2]}, [1, 2]),
        ("collection-tools.count", {"listInput": [1, "1", 1.0, True], "elementInput": 1}, 2),
        ("collection-tools.remove", {"listInput": [{"a": 1}, {"a": 2}], "elementInput": {"a": 1}}, [{"a": 2}]),
        ("collection-tools.deduplicate", {"listInput": [1, "1", 1, {"a": 1}, {"a": 1}]}, [1, "1", {"a": 1}]),
        ("collection-tools.takeFirst", {"listInput": [1, 2, 3], "numberInput": 2}, [1, 2]),
        ("collection-tools.takeLast", {"listInput": [1, 2, 3], "numberInput": 2}, [2, 3]),
        ("collection-tools.takeLast", {"listInput": [1, 2], "numberInput": 0}, []),
        ("collection-tools.selectItem", {"listInput": [1, 2], "indexInput": -1}, 2),
        ("collection-tools.selectItem", {"listInput": [1, 2], "indexInput": 2}, None),
        ("collection-tools.keyValuePairListToObject", {"keyValueListInput": [{"key": "a", "value": 1}]}, {"a": 1}),
        ("collection-tools.objectToKeyValuePairList", {"object": {"a": 1}}, [{"key": "a", "value": 1}]),
        ("branch.selectExecutedStepResult", {"stepResult": [None, 0, 1]}, 0),
        ("branch.selectExecutedStepResult", {"stepResult": [None]}, None),
        ("hash.computeHash", {"message": "hello"}, hashlib.sha256(b"hello").hexdigest()),
        (
            "hash.computeHash",
            {"hashFunction": "SHA512-256", "message": "a"},
            hashlib.new("sha512_256", b"a").hexdigest(),
        ),
        ("hash.computeSha3-256", {"message": b"a"}, hashlib.sha3_256(b"a").hexdigest()),
        ("hash.computeBlake2b512", {"message": "a"}, hashlib.blake2b(b"a").hexdigest()),
        ("hash.computeMd5", {"message": {"a": 1}}, hashlib.md5(b'{"a":1}', usedforsecurity=False).hexdigest()),
        (
            "hash.computeHmac",
            {"secretKey": "Jefe", "message": "what do ya want for nothing?"},
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",  # RFC 4231, test case 2
        ),
        ("csv.parse", {"csv": 'a;b\n1;"x;y"\n', "delimiter": ";"}, [["a", "b"], ["1", "x;y"]]),
        ("csv.generateFromObject", {"inputArray": [{"a": 1}, {"b": "x,y"}]}, 'a,b\n1,\n,"x,y"\n'),
        ("csv.generateFromObject", {"inputArray": [{"a": 1}], "includeHeader": False}, "1\n"),
    ],
)
async def test_an_action_returns_what_its_name_says(operation: str, inputs: dict[str, Any], result: Any) -> None:
    assert await act(operation, **inputs) == result


@pytest.mark.parametrize(
    ("operation", "inputs", "message"),
    [
        ("change-data-format.deserializeFromJson", {"data": "secret{"}, "not JSON: Expecting value, line 1 column 1"),
        ("change-data-format.deserializeFromJson", {"data": "[" * 100_000}, "nested more than 200 levels deep"),
        ("change-data-format.deserializeFromJson", {"data": "[" * 201 + "]" * 201}, "nested more than 200 levels deep"),
        ("change-data-format.deserializeFromJson", {"data": "9" * 5000}, "more digits than can be read"),
        ("change-data-format.deserializeFromJson", {"data": b"\xff"}, "not text in UTF-8"),
        ("change-data-format.deserializeFromJson", {"data": [1]}, "must be text, a Buffer or a body"),
        ("change-data-format.deserializeFormData", {"data": "a=1&" * 10_001}, "more than 10,000 fields"),
        (
            "collection-tools.addKey",
            {"object": {"a": 1}, "key": "b", "objectPath": "a"},
            "leads through 'a', which is not an object",
        ),
        (
            "collection-tools.validateJsonSchema",
            {"jsonInput": "{}", "jsonSchema": {"required": ["a"]}},
            "$.a is required",
        ),
        (
            "collection-tools.validateJsonSchema",
            {"jsonInput": {}, "jsonSchema": {"required": [f"k{n}" for n in range(12)]}},
            "and 2 more",
        ),
        (
            "collection-tools.validateJsonSchema",
            {"jsonInput": "{}", "jsonSchema": {"type": "x"}},
            "is not a JSON Schema",
        ),
        (
            "collection-tools.validateJsonSchema",
            {"jsonInput": "{}", "jsonSchema": {"allOf": [{"properties": {"a": {"pattern": "(a+)+$"}}}]}},
            "cannot use pattern",
        ),
        ("math.divide", {"numbers": [1, 0]}, "there is no result: division by zero"),
        ("math.add", {"numbers": ["secret"]}, "cannot be converted to a number"),
        ("math.sqrt", {"number": -1}, "there is no result"),
        ("math.pow", {"base": 1e300, "exponent": 9}, "there is no result"),
        ("math.evaluate", {"expression": "2 secret"}, "the expression cannot be read from"),
        ("math.evaluate", {"expression": "(1"}, "lacks a closing parenthesis"),
        ("math.evaluate", {"expression": "1 +"}, "needs a number"),
        ("math.evaluate", {"expression": "(" * 200 + "1"}, "nested more than 50 levels deep"),
        ("math.evaluate", {"expression": "__import__('secret')"}, "needs a number"),
        ("change-data-format.deserializeFromJson", {"data": "[NaN]"}, "NaN is not JSON"),
        ("change-data-format.convertToInt", {"value": "secret"}, "cannot be converted"),
        ("text-manipulation.decodeBase64", {"text": "secret!"}, "not Base64"),
        ("hash.computeHash", {"hashFunction": "nothing", "message": "secret"}, "no hash function 'nothing'"),
        ("loop.breakLoop", {}, "works only as a step of a flow definition"),
    ],
)
async def test_what_cannot_be_done_is_said_without_what_was_given(
    operation: str, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(PerformError) as caught:
        await act(operation, **inputs)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("level", "number"),
    [("debug", 10), ("info", 20), ("metric", 20), ("warn", 30), ("error", 40), (None, 20)],
)
async def test_write_log_logs_at_its_level(level: str | None, number: int) -> None:
    logger = RecordingLogger()
    await act("log.writeLog", context=Context(logger=logger), level=level, message={"a": 1})
    assert [(record.levelno, record.getMessage()) for record in logger.records] == [(number, '{"a":1}')]


def test_values_are_kept_for_the_execution_the_flow_and_all_flows() -> None:
    steps = "".join(
        f"""
        - {{name: Save {scope}, action: persist-data.save{scope}Value, inputs: {{keyInput: a, valueInput: [1]}}}}
        - name: Append {scope}
          action: persist-data.append{scope}ValueToList
          inputs: {{keyInput: a, valueInput: 2}}
        - {{name: First {scope}, action: persist-data.append{scope}ValueToList, inputs: {{keyInput: b, valueInput: 3}}}}
        - {{name: Count {scope}, action: persist-data.increment{scope}Value, inputs: {{keyInput: n}}}}
        - name: Count more {scope}
          action: persist-data.increment{scope}Value
          inputs: {{keyInput: n, amountInput: 1.5}}
        - {{name: Get {scope}, action: persist-data.get{scope}Value, inputs: {{keyInput: a}}}}
        - {{name: Default {scope}, action: persist-data.get{scope}Value, inputs: {{keyInput: x, defaultValueInput: d}}}}
        - {{name: Remove {scope}, action: persist-data.remove{scope}Value, inputs: {{keyInput: b}}}}
        - {{name: Keys {scope}, action: persist-data.list{scope}Keys}}
        """
        for scope in ("Execution", "Instance", "CrossFlow")
    )
    results = run(steps).results
    for scope in ("Execution", "Instance", "Crossflow"):
        assert results[f"save{scope}"] == {"key": "a", "value": [1]}
        assert results[f"append{scope}"] == {"key": "a", "value": [1, 2]}
        assert results[f"first{scope}"] == {"key": "b", "value": [3]}
        assert results[f"count{scope}"] == {"key": "n", "value": 1}
        assert results[f"countMore{scope}"] == {"key": "n", "value": 2.5}
        assert results[f"get{scope}"] == [1, 2]
        assert results[f"default{scope}"] == "d"
        assert results[f"remove{scope}"] == {"key": "b", "value": None}
        assert results[f"keys{scope}"] == ["a", "n"]


@pytest.mark.parametrize(
    ("action", "message"), [("appendInstanceValueToList", "not a list"), ("incrementInstanceValue", "not a number")]
)
async def test_a_value_of_another_kind_is_not_overwritten(action: str, message: str) -> None:
    with pytest.raises(PerformError, match=message):
        await act(f"persist-data.{action}", context=Context(instance_state={"a": "text"}), keyInput="a")


def test_values_are_kept_in_every_other_way_that_is_documented() -> None:
    steps = """
        - {name: Save, action: persist-data.saveIntegrationValue, inputs: {dynamicValues: {a: [1], n: "41", x: 1}}}
        - name: More
          action: persist-data.appendIntegrationValuesToList
          inputs: {keyInput: a, dynamicValues: "[2, [3]]"}
        - name: Flat
          action: persist-data.appendIntegrationValuesToList
          inputs: {keyInput: a, valuesInput: [[4], 5], flattenValues: true}
        - {name: Member, action: persist-data.addIntegrationValueToSet, inputs: {keyInput: a, valueInput: 5}}
        - {name: New, action: persist-data.addIntegrationValueToSet, inputs: {keyInput: a, valueInput: 6}}
        - {name: Out, action: persist-data.removeIntegrationValueFromList, inputs: {keyInput: a, valueInput: 1}}
        - {name: Counter, action: persist-data.incrementIntegrationValue, inputs: {keyInput: n}}
        - {name: Down, action: persist-data.decrementIntegrationValue, inputs: {keyInput: n, amountInput: "2"}}
        - {name: Clock, action: persist-data.saveIntegrationCurrentTime, inputs: {keyInput: t}}
        - {name: Remove, action: persist-data.removeIntegrationValue, inputs: {multipleKeys: [x, t]}}
        - {name: Keys, action: persist-data.listIntegrationKeys}
        - {name: Clear, action: persist-data.removeIntegrationState}
        - {name: None left, action: persist-data.listIntegrationKeys}
        """
    results = run(steps).results
    assert results["new"] == {"key": "a", "value": [1, 2, [3], 4, 5, 6]}
    assert results["out"]["value"] == [2, [3], 4, 5, 6]
    assert (results["counter"]["value"], results["down"]["value"]) == (42, 40)
    assert results["clock"]["value"].endswith("Z")
    assert (results["keys"], results["noneLeft"]) == (["a", "n"], [])


def answering(*responses: httpx.Response | Exception) -> tuple[list[httpx.Request], dict[str, Any]]:
    requests: list[httpx.Request] = []
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        response = responses[min(len(requests), len(responses)) - 1]
        if isinstance(response, Exception):
            raise response
        return response

    return requests, {"transport": httpx.MockTransport(answer), "sleep": sleep}


ALLOWED = Context(instance={"httpHosts": ["API.example.com"]})
URL = "https://api.example.com/orders"


@pytest.mark.parametrize("method", ["Get", "Post", "Put", "Patch", "Delete"])
async def test_http_sends_a_request_to_a_host_that_is_allowed(method: str) -> None:
    requests, host = answering(httpx.Response(200, json={"id": 1}))
    inputs: dict[str, Any] = {"headers": [{"key": "X-A", "value": "b"}], "queryParams": {"q": "ä b"}}
    if method in ("Post", "Put", "Patch"):
        inputs["data"] = {"a": "ä"}
    assert await act(f"http.http{method}", context=ALLOWED, host=host, url=f"{URL}/größe?x=1", **inputs) == {"id": 1}
    (request,) = requests
    assert request.method == method.upper()
    assert str(request.url) == f"{URL}/gr%C3%B6%C3%9Fe?x=1&q=%C3%A4+b"
    assert request.headers["X-A"] == "b"
    if "data" in inputs:
        assert request.content == '{"a":"ä"}'.encode()
        assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("data", "content"), [("a=1", b"a=1"), (b"\x00\x01", b"\x00\x01"), (5, b"5"), (None, b"")])
async def test_http_sends_text_and_bytes_as_they_are(data: Any, content: bytes) -> None:
    requests, host = answering(httpx.Response(204))
    headers = {"content-type": "text/x"}
    assert await act("http.httpPost", context=ALLOWED, host=host, url=URL, data=data, headers=headers) == ""
    assert requests[0].content == content
    assert requests[0].headers["content-type"] == "text/x"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://other.example.com/", "do not allow requests to 'other.example.com' (it allows API.example.com)"),
        ("https://api.example.com.evil.example/", "do not allow"),
        ("https://api.example.com@evil.example/", "no user name"),
        ("https://evil.example\\@api.example.com/", "no user name or backslash"),
        ("ftp://api.example.com/", "must start with https://"),
        ("file:///etc/passwd", "must start with https://"),
        ("https://[::1/", "the URL cannot be read"),
        ("orders", "must start with https://"),
    ],
)
async def test_http_goes_nowhere_else(url: str, message: str) -> None:
    requests, host = answering(httpx.Response(200))
    with pytest.raises(PerformError) as caught:
        await act("http.httpGet", context=ALLOWED, host=host, url=url)
    assert message in str(caught.value)
    assert requests == []


async def test_http_is_off_unless_hosts_are_allowed() -> None:
    requests, host = answering(httpx.Response(200))
    with pytest.raises(PerformError, match="it allows none"):
        await act("http.httpGet", host=host, url=URL)
    assert requests == []


def test_the_payload_cannot_allow_hosts() -> None:
    requests, host = answering(httpx.Response(200))
    outcome = run(
        "- {name: Get, action: http.httpGet, inputs: {url: 'https://api.example.com/'}}",
        data={"httpHosts": ["api.example.com"]},
        transport=host["transport"],
    )
    assert outcome.error is not None
    assert requests == []


async def test_http_follows_no_redirect_to_a_host_that_is_not_allowed() -> None:
    requests, host = answering(httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(PerformError, match=r"do not allow requests to 'evil\.example'"):
        await act("http.httpGet", context=ALLOWED, host=host, url=URL)
    assert len(requests) == 1


async def test_http_follows_as_many_redirects_as_it_may_and_leaves_credentials_behind() -> None:
    away = httpx.Response(302, headers={"Location": "https://files.example.com/a"})
    for most, seen in ((5, 3), (1, 2)):
        requests, host = answering(away, httpx.Response(307, headers={"Location": "/b"}), httpx.Response(200, json=1))
        context = Context(instance={"httpHosts": ["api.example.com", "files.example.com"]})
        inputs = {"url": URL, "headers": {"Authorization": "Basic x"}, "data": {"a": 1}, "maxRedirects": most}
        if most == 5:
            assert await act("http.httpPost", context=context, host=host, **inputs) == 1
            assert [request.method for request in requests] == ["POST", "GET", "GET"]
            assert str(requests[2].url) == "https://files.example.com/b"
            assert ["authorization" in request.headers for request in requests] == [True, False, False]
        else:
            with pytest.raises(PerformError, match="answered 307"):
                await act("http.httpPost", context=context, host=host, **inputs)
        assert len(requests) == seen


async def test_http_posts_a_form_with_fields_and_files() -> None:
    requests, host = answering(httpx.Response(200, json={}))
    gif = {"data": {"type": "Buffer", "data": [71, 73, 70]}, "contentType": "image/gif"}
    inputs = {"formData": {"a": "ä"}, "fileData": {"photo": gif, "note": "hi"}, "fileDataFileNames": {"photo": "p.gif"}}
    await act("http.httpPostFormData", context=ALLOWED, host=host, url=URL, httpMethod="put", **inputs)
    (request,) = requests
    assert request.method == "PUT"
    kind, boundary = request.headers["content-type"].split("; boundary=")
    assert kind == "multipart/form-data"
    parts = request.content.split(f"--{boundary}".encode())
    assert parts[1] == '\r\nContent-Disposition: form-data; name="a"\r\n\r\nä\r\n'.encode()
    about = b'\r\nContent-Disposition: form-data; name="photo"; filename="p.gif"\r\nContent-Type: image/gif\r\n\r\n'
    assert parts[2] == about + b"GIF\r\n"
    assert b'filename="note"' in parts[3]
    assert parts[4] == b"--\r\n"


@pytest.mark.parametrize(
    ("connection", "header"),
    [
        ({"key": "basic", "fields": {"username": "Ada", "password": "x:y"}}, "Basic QWRhOng6eQ=="),
        ({"key": "apiKey", "fields": {"apiKey": "k"}}, "Basic k"),
        ({"fields": {"apiKey": "k", "authScheme": "Bearer"}}, "Bearer k"),
    ],
)  # fmt: skip
async def test_http_proves_itself_with_its_connection(connection: Any, header: str) -> None:
    requests, host = answering(httpx.Response(200, json={}))
    await act("http.httpGet", context=ALLOWED, host=host, url=URL, connection=connection)
    assert requests[0].headers["authorization"] == header


async def test_http_sends_a_file_as_its_bytes_with_its_type() -> None:
    requests, host = answering(httpx.Response(200, json={}))
    await act("http.httpPost", context=ALLOWED, host=host, url=URL, data={"data": b"GIF", "contentType": "image/gif"})
    assert (requests[0].content, requests[0].headers["content-type"]) == (b"GIF", "image/gif")


async def test_http_refuses_what_would_be_unsafe() -> None:
    for inputs, message in (
        ({"ignoreSslErrors": "true"}, "must be false"),
        ({"connection": {"key": "oauth2", "fields": {}}}, "oauth2"),
    ):
        with pytest.raises(InputError, match=message):
            await act("http.httpGet", context=ALLOWED, url=URL, **inputs)
    with pytest.raises(PerformError, match="must be on one line"):
        await act("http.httpGet", context=ALLOWED, url=URL, headers={"X": "a\r\nHost: evil.example"})


FILE = {"data": {"type": "Buffer", "data": list(b'{"a": 1}')}, "contentType": "application/octet-stream"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("json", {"a": 1}), ("text", '{"a": 1}'), ("binary", FILE)],
)
async def test_http_returns_the_body_in_the_form_that_is_asked_for(kind: str, expected: Any) -> None:
    _, host = answering(httpx.Response(200, content=b'{"a": 1}'))
    assert await act("http.httpGet", context=ALLOWED, host=host, url=URL, responseType=kind) == expected
    full = await act("http.httpGet", context=ALLOWED, host=host, url=URL, responseType=kind, includeFullResponse="true")
    assert (full["status"], full["data"]) == (200, expected)


async def test_http_returns_what_is_not_json_as_text() -> None:
    _, host = answering(httpx.Response(200, text="hello"))
    assert await act("http.httpGet", context=ALLOWED, host=host, url=URL) == "hello"


@pytest.mark.parametrize(
    ("action", "inputs", "calls"),
    [
        ("httpGet", {"maxRetries": 2}, 3),
        ("httpPut", {"maxRetries": 1}, 2),
        ("httpPost", {"maxRetries": 2}, 1),
        ("httpPost", {"maxRetries": 2, "retryOnAllErrors": True}, 3),
        ("httpGet", {}, 1),
    ],
)
async def test_http_repeats_what_may_be_repeated(action: str, inputs: dict[str, Any], calls: int) -> None:
    requests, host = answering(httpx.Response(503))
    with pytest.raises(PerformError, match=r"api\.example\.com answered 503") as caught:
        await act(f"http.{action}", context=ALLOWED, host=host, url=URL, retryDelayMS=10, **inputs)
    assert len(requests) == calls
    assert caught.value.may_have_happened


async def test_http_tells_whether_a_request_may_have_arrived() -> None:
    for error, may in ((httpx.ConnectError("no"), False), (httpx.ReadError("lost"), True)):
        _, host = answering(error)
        with pytest.raises(PerformError) as caught:
            await act("http.httpPost", context=ALLOWED, host=host, url=URL)
        assert caught.value.may_have_happened is may


@pytest.mark.parametrize("last", [httpx.ConnectError("no"), httpx.Response(400)], ids=["away", "400"])
async def test_http_tells_that_a_request_may_have_arrived_before_its_repetition_failed(last: Any) -> None:
    requests, host = answering(httpx.ReadError("lost"), last)
    inputs = {"maxRetries": 1, "retryDelayMS": 1, "retryOnAllErrors": True}
    with pytest.raises(PerformError, match="an earlier attempt may have been processed") as caught:
        await act("http.httpPost", context=ALLOWED, host=host, url=URL, **inputs)
    assert caught.value.may_have_happened
    assert len(requests) == 2


@pytest.mark.parametrize("status", [302, 303, 307])
@pytest.mark.parametrize("then", [httpx.Response(404), httpx.ConnectError("no"), None], ids=["404", "away", "not ours"])
async def test_http_tells_that_a_post_was_carried_out_whose_redirect_cannot_be_followed(
    status: int, then: httpx.Response | Exception | None
) -> None:
    away = "https://elsewhere.example/" if then is None else "/orders/1"
    _, host = answering(httpx.Response(status, headers={"Location": away}), *([] if then is None else [then]))
    with pytest.raises(PerformError) as caught:
        await act("http.httpPost", context=ALLOWED, host=host, url=URL)
    assert caught.value.may_have_happened is (status != 307)


async def test_http_is_answered_in_the_end_and_logs_only_when_asked() -> None:
    requests, host = answering(httpx.Response(500), httpx.Response(200, json=1))
    logger = RecordingLogger()
    context = Context(instance=ALLOWED.instance, logger=logger)
    inputs = {"maxRetries": 1, "useExponentialBackoff": True, "debugRequest": True, "timeout": 0}
    assert await act("http.httpGet", context=context, host=host, url=f"{URL}?secret=1", **inputs) == 1
    assert len(requests) == 2
    assert logger.messages == ["GET api.example.com: 500", "GET api.example.com: 200"]
    assert logger.records[0].levelno == logging.INFO
