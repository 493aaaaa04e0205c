"""One request gives one payload: posted to a served flow, given to ``flow run``, and given to the harness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import pytest
from support.handlers import FakeEngine, application

from twilio_component.cli.main import main
from twilio_component.host.http.request_payload import RequestBodyError
from twilio_component.host.serialization import json_ready
from twilio_component.testing import Harness

FLOW = """\
name: Demo
flows:
  - name: Echo
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
"""
URL = "https://flows.example.com/echo"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MULTIPART = "multipart/form-data; boundary=limit"


class Sample(NamedTuple):
    """A request; ``data`` is what ``body.data`` has to be, ``rest`` what follows the flow's URL."""

    data: Any
    body: bytes = b""
    content_type: str = ""
    method: str = "POST"
    rest: str = ""
    query: dict[str, Any] | None = None
    fragment: str = ""


def buffer(data: bytes) -> dict[str, Any]:
    return {"type": "Buffer", "data": list(data)}


def multipart(*parts: tuple[str, bytes]) -> bytes:
    lines = [b"--limit\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts]
    return b"".join(lines) + b"--limit--\r\n"


def part(name: str, *, file: str = "", kind: str = "") -> str:
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
    return disposition + (f"\r\nContent-Type: {kind}" if kind else "")


PNG = bytes(range(256)) + b"\r\n--not the limit\r\n"
SAMPLES = {
    "json object": Sample({"phone": "+15558675310"}, b'{"phone": "+15558675310"}', JSON),
    "json list": Sample([1, "two", None], b'[1, "two", null]', JSON),
    "json number": Sample(1.5, b"1.5", JSON),
    "json null": Sample(None, b"null", JSON),
    "json false": Sample(data=False, body=b"false", content_type=JSON),
    "json with a charset": Sample({"a": "é"}, '{"a": "é"}'.encode("latin-1"), "application/json; charset=ISO-8859-1"),
    "json with a quoted charset": Sample({"a": "é"}, '{"a": "é"}'.encode(), 'application/json; charset="utf-8"'),
    "json with a byte order mark": Sample({"a": 1}, b'\xef\xbb\xbf{"a": 1}', JSON),
    "json as UTF-16": Sample({"a": "ü"}, '{"a": "ü"}'.encode("utf-16"), JSON),
    "json with a suffix": Sample({"a": 1}, b'{"a": 1}', "application/vnd.github+json"),
    "json in capitals": Sample({"a": 1}, b'{"a": 1}', "Application/JSON"),
    "json with a key twice": Sample({"a": 2}, b'{"a": 1, "a": 2}', JSON),
    "json with half a character": Sample({"a": "\ud83d"}, b'{"a": "\\ud83d"}', JSON),
    "json with space around": Sample({"a": 1}, b' \n{"a": 1}\r\n', JSON),
    "json that is large": Sample(["x" * 99] * 5_000, json.dumps(["x" * 99] * 5_000).encode(), JSON),
    "json that is deep": Sample(json.loads("[" * 90 + "]" * 90), b"[" * 90 + b"]" * 90, JSON),
    "an empty json body": Sample(None, b"", JSON),
    "no body": Sample(None),
    "form": Sample({"a": "b c", "d": "é"}, b"a=b+c&d=%C3%A9", FORM),
    "form with a name twice": Sample({"a": ["1", "2"], "b": ""}, b"a=1&a=2&b=", FORM),
    "form without values": Sample({"a": "", "b": ""}, b"a&&b", FORM),
    "form with other bytes": Sample({"a": "\ufffd"}, b"a=%FF", FORM),
    "form with a charset": Sample({"a": "é"}, b"a=%E9", f"{FORM}; charset=latin-1"),
    "form that begins as JSON does": Sample({"{a": "1"}, b"{a=1", FORM),
    "part of text": Sample({"a": {"data": "b", "contentType": "text/plain"}}, multipart((part("a"), b"b")), MULTIPART),
    "part of json": Sample(
        {"person": {"data": {"firstname": "Ada"}, "contentType": JSON}},
        multipart((part("person", kind=JSON), b'{"firstname": "Ada"}')),
        MULTIPART,
    ),
    "part that is a file": Sample(
        {"photo": {"data": buffer(PNG), "contentType": "image/png", "fileName": "a b.png"}},
        multipart((part("photo", file="a b.png", kind="image/png"), PNG)),
        MULTIPART,
    ),
    "file of json": Sample(
        {"f": {"data": buffer(b'{"a": 1}'), "contentType": JSON, "fileName": "x.json"}},
        multipart((part("f", file="x.json", kind=JSON), b'{"a": 1}')),
        MULTIPART,
    ),
    "parts with one name": Sample(
        {"a": [{"data": "1", "contentType": "text/plain"}, {"data": "", "contentType": "text/plain"}]},
        multipart((part("a"), b"1"), (part("a"), b"")),
        MULTIPART,
    ),
    "parts after a preamble": Sample(
        {"a": {"data": "b", "contentType": "text/plain"}},
        b"nothing\r\n" + multipart((part("a"), b"b")) + b"nothing",
        'multipart/form-data; boundary="limit"',
    ),
    "a file's name with other letters": Sample(
        {"a": {"data": buffer(b"x"), "contentType": "application/octet-stream", "fileName": "ü.bin"}},
        multipart(("Content-Disposition: form-data; name=a; filename*=UTF-8''%C3%BC.bin", b"x")),
        MULTIPART,
    ),
    "no parts": Sample({}, b"--limit--\r\n", MULTIPART),
    "text": Sample("Hé\r\n", "Hé\r\n".encode(), "text/plain"),
    "text with a charset": Sample("Hé", "Hé".encode("cp1252"), "text/plain; charset=windows-1252"),
    "text that is not": Sample(buffer(b"\xff\x00\xfd"), b"\xff\x00\xfd", "text/html; x=y"),
    "xml": Sample("<a/>", b"<a/>", "application/xml"),
    "xml with a suffix": Sample("<a/>", b"<a/>", "application/soap+xml; charset=utf-8"),
    "binary": Sample(buffer(b"\x00\xff"), b"\x00\xff", "application/octet-stream"),
    "an image": Sample(buffer(PNG), PNG, "image/png"),
    "without a type": Sample("hello", b"hello"),
    "get with a query": Sample(None, method="GET", rest="?x=1&y=a+b&z", query={"x": "1", "y": "a b", "z": ""}),
    "query with a name twice": Sample(None, rest="?x=1&x=2", query={"x": ["1", "2"]}),
    "path after the URL": Sample({"a": 1}, b'{"a": 1}', JSON, rest="/my/custom/path", fragment="my/custom/path"),
    "path and query": Sample(None, method="DELETE", rest="/a%20b/?x=%C3%A9", query={"x": "é"}, fragment="a b"),
    "put": Sample({"a": 1}, b'{"a": 1}', JSON, method="PUT"),
    "patch": Sample({"a": 1}, b'{"a": 1}', JSON, method="PATCH"),
}
WRONG = {
    "line 2, column 6": (b'{"a": 1,\n"b": }', JSON),
    "line 1, column 1": (b"hello", JSON),
    "a number that is too long or not finite": (b'{"a": 1e999}', JSON),
    "nested more than 100 levels": (b"[" * 101 + b"]" * 101, JSON),
    "nested more than": (b"[" * 200_000, JSON),
    "byte 8 is not valid UTF-8": (b'{"a": "\xff"}', JSON),
    "charset of its Content-Type is not known": (b"{}", "application/json; charset=nothing"),
    "does not contain the boundary": (b"a=b", "multipart/form-data"),
    "ends before its closing boundary": (b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\nb', MULTIPART),
    "part 1 has no name": (multipart(("Content-Type: text/plain", b"b")), MULTIPART),
    "part 'person': it is not JSON": (multipart((part("person", kind=JSON), b"{")), MULTIPART),
    "send it with Content-Type: application/json": (b' {"phone": "+15558675310"}', FORM),
    "more than 1,000 parts": (multipart(*[(part("a"), b"b")] * 1_001), MULTIPART),
}


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "echo.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return path


def headers(sample: Sample) -> dict[str, str]:
    return {"Content-Type": sample.content_type} if sample.content_type else {}


def given(sample: Sample, data: Any) -> dict[str, Any]:
    url = URL + sample.rest
    return {"method": sample.method, "headers": headers(sample), "invokeUrl": url, "rawBody": {"data": data}}


def told(payload: Mapping[str, Any]) -> dict[str, Any]:
    names = ("body", "queryParameters", "pathFragment", "method")
    raw = payload["rawBody"]["data"]
    return {**{name: payload[name] for name in names}, "raw": raw, "type": payload["headers"].get("content-type", "")}


async def post(flow: Path, sample: Sample, engine: FakeEngine) -> httpx.Response:
    async with application(flow, engine, public_url="https://flows.example.com") as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://stranger.test") as client:
            url = "/demo/echo" + sample.rest
            return await client.request(sample.method, url, content=sample.body, headers=headers(sample))


@pytest.mark.anyio
@pytest.mark.parametrize("name", SAMPLES)
async def test_a_request_is_the_same_payload_however_it_comes(name: str, flow: Path) -> None:
    sample = SAMPLES[name]
    wanted = {
        "body": {"data": sample.data, "contentType": sample.content_type},
        "queryParameters": sample.query or {},
        "pathFragment": sample.fragment,
        "method": sample.method,
        "raw": buffer(sample.body),
        "type": sample.content_type,
    }
    engine = FakeEngine()
    response = await post(flow, sample, engine)
    (new,) = engine.begun.values()
    assert (response.status_code, response.json()) == (200, {"executionId": new.id})
    assert told(cast("Any", new.trigger)["payload"]) == wanted

    async with Harness() as harness:
        outcome = await harness.flow(flow, payload=given(sample, sample.body))
        assert told(outcome.results["trigger"]) == wanted
    async with Harness("webhook-triggers") as harness:
        invoked = await harness.trigger("webhook", given(sample, sample.body))
    assert json_ready(invoked["payload"]["body"]) == wanted["body"]


@pytest.mark.parametrize("name", SAMPLES)
def test_flow_run_makes_the_same_payload_of_a_request(
    name: str, flow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = SAMPLES[name]
    (tmp_path / "request.json").write_text(json.dumps(given(sample, buffer(sample.body))), encoding="utf-8")
    assert main(["flow", "run", str(flow), "--payload", str(tmp_path / "request.json")]) == 0
    payload = json.loads(capsys.readouterr().out.splitlines()[0])["result"]
    assert told(payload)["body"] == {"data": sample.data, "contentType": sample.content_type}
    assert (payload["queryParameters"], payload["pathFragment"]) == (sample.query or {}, sample.fragment)


@pytest.mark.anyio
@pytest.mark.parametrize("reason", WRONG)
async def test_a_body_that_is_not_what_its_type_says_is_refused_and_starts_nothing(reason: str, flow: Path) -> None:
    body, content_type = WRONG[reason]
    sample, engine = Sample(None, body, content_type), FakeEngine()
    response = await post(flow, sample, engine)
    assert response.status_code == 400
    assert reason in response.json()["error"]
    assert engine.begun == {}
    async with Harness() as harness:
        with pytest.raises(RequestBodyError) as refused:
            await harness.flow(flow, payload=given(sample, body))
    assert reason in str(refused.value)
