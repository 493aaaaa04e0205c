"""What strangers may send, and what they learn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.flows.findings import FlowError
from twilio_component.host.errors import InputError, Problem
from twilio_component.serving import http_app
from twilio_component.serving.http_app import WebhookApp
from twilio_component.serving.public_urls import PublicUrl
from twilio_component.serving.status_callbacks import CallbackAddress
from twilio_component.serving.trusted_proxies import TrustedProxies
from twilio_component.serving.webhook_handler import HttpResponse, IncomingRequest, WebhookHandler

if TYPE_CHECKING:
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.status_callbacks import Callbacks


class FakeHandler:
    """Remembers what arrives, and answers as told."""

    def __init__(self, answer: HttpResponse | Exception) -> None:
        self.answer = answer
        self.arrivals: list[IncomingRequest] = []
        self.refusals: list[tuple[Endpoint, str]] = []
        self.targets: list[Endpoint | CallbackAddress] = []

    async def receive(self, target: Endpoint | CallbackAddress, request: IncomingRequest) -> HttpResponse:
        self.targets.append(target)
        self.arrivals.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def refuse(self, endpoint: Endpoint, reason: str) -> None:
        self.refusals.append((endpoint, reason))


class App:
    """An app with one path, asked in process."""

    def __init__(
        self,
        answer: HttpResponse | Exception = HttpResponse(),  # noqa: B008 - frozen
        *,
        away: bool = False,
        trusted: tuple[str, ...] = (),
        peer: tuple[str, int] | None = ("127.0.0.1", 1234),
        public_url: str = "https://flows.example.com/",
        strips_prefix: bool = False,
    ) -> None:
        self.handler = FakeHandler(answer)
        self.callbacks = FakeHandler(answer)
        self.away = away
        path = urlsplit(public_url).path.rstrip("/")
        flow = SimpleNamespace(name="Reply")
        endpoint = SimpleNamespace(path="/demo/reply", methods=("GET", "POST"), flow=flow)
        app = WebhookApp(
            endpoints={f"{path}/demo/reply": cast("Endpoint", endpoint)},
            handler=cast("WebhookHandler", self.handler),
            callbacks=cast("Callbacks", self.callbacks),
            public_url=PublicUrl.parse(public_url, strips_prefix=strips_prefix),
            proxies=TrustedProxies(trusted),
            ready=self._ready,
        )
        self.application = app.application()
        self.peer = peer
        self.query: bytes | None = None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._from_peer)
            async with httpx.AsyncClient(transport=transport, base_url="http://stranger.test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(one())

    async def _from_peer(self, scope: Any, receive: Any, send: Any) -> None:
        query = self.query if self.query is not None else scope["query_string"]
        await self.application({**scope, "client": self.peer, "query_string": query}, receive, send)

    async def _ready(self) -> None:
        if self.away:
            raise StoreUnavailableError("the database does not answer (OperationalError)")


def test_a_request_is_known_by_the_public_url_whatever_it_says_of_its_host() -> None:
    app = App(HttpResponse(200, "<Response/>", "text/xml", {"X-Kept": "yes"}))
    headers = [("X-Twice", "one"), ("X-Twice", "two"), ("X-Forwarded-Host", "evil.test")]
    answer = app.request("POST", "/demo/reply?a=%7E", content=b"Body=Hi", headers=headers)
    assert (answer.status_code, answer.text, answer.headers["X-Kept"]) == (200, "<Response/>", "yes")
    (request,) = app.handler.arrivals
    assert request.url == "https://flows.example.com/demo/reply?a=%7E"
    assert (request.method, request.body, request.headers["x-twice"]) == ("POST", b"Body=Hi", ["one", "two"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            InputError("Not valid", [Problem("$.inputs.twilioConnection.key", "is not a type; did you mean 'basic'?")]),
            "input-invalid",
            "Not valid; $.inputs.twilioConnection.key: is not a type; did you mean 'basic'?",
        ),
        (FlowError("the trigger has no values"), "flow-invalid", "the trigger has no values"),
        (KeyError("Hello from +15558675310"), "unexpected-error", "unexpected KeyError at "),
    ],
)
def test_whatever_a_trigger_raises_is_one_warning_and_a_500_that_twilio_repeats(
    error: Exception, code: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(error)
    caplog.set_level(logging.INFO, "twilio_component.serving")
    response = app.request("POST", "/demo/reply", content=b"Body=Hi")
    assert (response.status_code, response.json()["error"]) == (500, "The flow could not be started; its log says why.")
    (line,) = [record for record in caplog.records if record.name == "twilio_component.serving"]
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert f"Reply could not take a request, 500 was sent: {said}" in line.getMessage()
    assert "\n" not in line.getMessage()
    assert "5558675310" not in line.getMessage()
    assert [reason for _, reason in app.handler.refusals] == [code]


def test_bytes_in_a_query_that_are_no_text_are_for_the_trigger_to_judge() -> None:
    app = App()
    app.query = b"a=\xff"  # a client of HTTP would encode it
    assert app.request("POST", "/demo/reply").status_code == 204
    assert app.handler.arrivals[0].url == "https://flows.example.com/demo/reply?a=\ufffd"


FORWARDED = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example.com:8443")]


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.9.9.9/8", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("::1", "::1"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_a_trusted_proxy_says_where_a_request_came_in(trusted: str, peer: str) -> None:
    app = App(trusted=("192.0.2.1", trusted), peer=(peer, 1))
    assert app.request("POST", "/demo/reply?a=%7E", headers=FORWARDED).status_code == 204
    assert app.handler.arrivals[0].url == "https://a.example.com:8443/demo/reply?a=%7E"


@pytest.mark.parametrize("peer", [("10.1.2.4", 1), ("::1", 1), ("somewhere", 1), ("", 0), None])
def test_nobody_else_is_believed(peer: tuple[str, int] | None) -> None:
    app = App(trusted=("10.1.2.3",), peer=peer)
    app.request("POST", "/demo/reply", headers=FORWARDED)
    assert app.handler.arrivals[0].url == "https://flows.example.com/demo/reply"


def test_of_several_hops_the_nearest_is_believed() -> None:
    app = App(trusted=("127.0.0.1",))
    headers = [
        ("X-Forwarded-Proto", "http, https"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Host", "far.test , [2001:db8::1]"),
    ]
    app.request("POST", "/demo/reply", headers=headers)
    assert app.handler.arrivals[0].url == "https://[2001:db8::1]/demo/reply"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Forwarded-Host", "a.example.com")],
        [("X-Forwarded-Proto", "ftp"), ("X-Forwarded-Host", "a.example.com")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example.com/path?x=")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "user@a.example.com")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example.com:port")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example.com,")],
        [("X-Forwarded-Proto", "https,"), ("X-Forwarded-Host", "a.example.com")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a" * 300)],
        [("Forwarded", "proto=https;host=a.example.com"), ("X-Forwarded-Host", "[::1")],
    ],
)
def test_a_trusted_proxy_that_says_half_of_it_or_nonsense_is_not_believed(headers: list[tuple[str, str]]) -> None:
    app = App(trusted=("127.0.0.1",))
    app.request("POST", "/demo/reply", headers=headers)
    assert app.handler.arrivals[0].url == "https://flows.example.com/demo/reply"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ([("X-Forwarded-Proto", "https")], "https://stranger.test"),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")], "https://stranger.test"),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "8443")], "https://stranger.test:8443"),
        ([("X-Forwarded-Proto", "http"), ("X-Forwarded-Port", "443")], "http://stranger.test:443"),
        ([*FORWARDED, ("X-Forwarded-Port", "1")], "https://a.example.com:8443"),
        ([*FORWARDED, ("X-Forwarded-Prefix", "/flows/")], "https://a.example.com:8443/flows"),
        ([("Forwarded", "for=1.2.3.4;proto=https;host=a.example.com")], "https://a.example.com"),
        ([("Forwarded", 'for="[::1]";host="a.example.com:8443";PROTO=HTTPS')], "https://a.example.com:8443"),
        ([("Forwarded", 'proto=http;host="evil,test", proto=https;host=a.test')], "https://a.test"),
        ([("Forwarded", "proto=https")], "https://stranger.test"),
    ],
)
def test_a_trusted_proxy_may_name_the_url_in_other_ways(headers: list[tuple[str, str]], url: str) -> None:
    app = App(trusted=("127.0.0.1",))
    app.request("POST", "/demo/reply?x=1", headers=headers)
    assert app.handler.arrivals[0].url == f"{url}/demo/reply?x=1"


@pytest.mark.parametrize(
    "headers",
    [
        [*FORWARDED, ("X-Forwarded-Prefix", "flows")],
        [*FORWARDED, ("X-Forwarded-Prefix", "/a?b")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "http")],
        [("Forwarded", "for=1.2.3.4")],
        [("Forwarded", "proto=ftp;host=a.test")],
    ],
)
def test_and_is_not_believed_where_they_make_no_url(headers: list[tuple[str, str]]) -> None:
    app = App(trusted=("127.0.0.1",))
    app.request("POST", "/demo/reply", headers=headers)
    assert app.handler.arrivals[0].url == "https://flows.example.com/demo/reply"


@pytest.mark.parametrize(("strips_prefix", "arrives"), [(False, "/flows"), (True, "")])
def test_a_public_url_with_a_path_is_the_beginning_of_every_url(*, strips_prefix: bool, arrives: str) -> None:
    app = App(public_url="https://example.com/flows", strips_prefix=strips_prefix)
    assert app.request("POST", f"{arrives}/demo/reply?x=1").status_code == 204
    assert app.handler.arrivals[0].url == "https://example.com/flows/demo/reply?x=1"
    assert app.request("POST", f"{arrives}/callbacks/twilio/sendSMS/web-1/7").status_code == 204
    assert app.callbacks.arrivals[0].url == "https://example.com/flows/callbacks/twilio/sendSMS/web-1/7"
    other = "" if arrives else "/flows"
    assert app.request("POST", f"{other}/demo/reply").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        *("flows.example.com", "ftp://a.test", "https://", "https://a.test?x=1", "https://a.test/#x"),
        *("https://u:p@a.test", "https://a.test:port", "https://a.test:0", "https://a test", "http://[::1"),
    ],
)
def test_what_cannot_be_a_public_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"--public-url: must be a URL such as https://flows\.example\.com"):
        PublicUrl.parse(url)


def test_a_prefix_that_is_not_there_cannot_be_stripped() -> None:
    with pytest.raises(InputError, match=r"--proxy-strips-prefix: needs a --public-url with a path"):
        PublicUrl.parse("https://a.test/", strips_prefix=True)


def test_what_is_not_an_address_is_refused() -> None:
    with pytest.raises(InputError, match="--trusted-proxy: must be an address or a network, such as"):
        TrustedProxies(["proxy.example.com"])


def test_a_reply_without_words_has_no_body() -> None:
    answer = App().request("GET", "/demo/reply")
    assert (answer.status_code, answer.content) == (204, b"")


def test_what_cannot_be_stored_is_refused_so_that_twilio_tries_again() -> None:
    answer = App(StoreUnavailableError("away")).request("POST", "/demo/reply")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"error": "The database does not confirm that this was stored. Try again."}


def test_twilio_is_told_to_try_again_before_it_has_given_up_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_app, "RECEIVING_SECONDS", 0.02)
    app = App()
    monkeypatch.setattr(app.handler, "receive", lambda *_: asyncio.Event().wait())
    assert app.request("POST", "/demo/reply").status_code == 503


def test_requests_larger_or_slower_than_any_webhook_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(5)
        yield b"late"

    app = App()
    many = {f"X-{number}": "1" for number in range(http_app.MAX_HEADERS)}
    monkeypatch.setattr(http_app, "BODY_SECONDS", 0.02)
    too_long = b"x" * (http_app.MAX_BODY_BYTES + 1)
    refused = {
        431: app.request("POST", "/demo/reply", headers=many),
        413: app.request("POST", "/demo/reply", content=too_long),
        408: app.request("POST", "/demo/reply", content=slowly()),
        405: app.request("PUT", "/demo/reply"),
        404: app.request("POST", "/other"),
    }
    assert [response.status_code for response in refused.values()] == [*refused]
    # Each says what is wrong, and no more than a stranger knows already.
    said = {status: response.json()["error"] for status, response in refused.items()}
    assert said[404] == "Nothing is served at this address."
    assert all(text.endswith(".") and "reply" not in text.lower() for text in said.values())
    assert app.handler.arrivals == []


def test_health_is_up_and_readiness_asks_the_database() -> None:
    assert App().request("GET", "/healthz").json() == {"status": "up"}
    assert App().request("GET", "/readyz").json() == {"status": "ready"}
    away = App(away=True).request("GET", "/readyz")
    assert (away.status_code, away.json()["status"]) == (503, "not ready")


def test_a_callback_says_which_call_it_is_about() -> None:
    app = App()
    assert app.request("POST", "/callbacks/twilio/sendSMS/web-1~2/7", content=b"a=b").status_code == 204
    assert app.callbacks.targets == [CallbackAddress("twilio", "sendSMS", "web-1~2", 7)]
    assert app.request("GET", "/callbacks/twilio/sendSMS/web-1/7").status_code == 404
    assert app.request("POST", "/callbacks/twilio/sendSMS/web-1/x").status_code == 404


@pytest.mark.parametrize("ordinal", ["9" * 5000, "9" * 10, "-1", "x", "٣"])
def test_a_callback_about_no_possible_call_is_not_found(ordinal: str) -> None:
    app = App()
    assert app.request("POST", f"/callbacks/twilio/sendSMS/web-1/{ordinal}").status_code == 404
    assert app.callbacks.arrivals == []
