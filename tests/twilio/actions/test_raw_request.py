"""rawRequest: any request, to the connection's API and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from twilio_component.host import Context, Host
from twilio_component.host.errors import InputError
from twilio_component.testing import BlockingHarness, emulator_connection
from twilio_component.twilio.errors import (
    NoResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RequestRefusedError,
    TwilioAPIError,
    TwilioError,
)

REFUSED = httpx.Response(400, json={"code": 21211, "message": "not a number", "status": 400})
PATH = "/Accounts/AC" + "0" * 32 + "/Messages.json"


class Sent:
    """What a call made of its inputs: the requests, the waits, the result or error."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers or (httpx.Response(200, json={"fine": True}),)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.error: Exception | None = None
        self.data: Any = None

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def call(self, *, base_url: str | None = None, attempt_seconds: float | None = None, **inputs: Any) -> Sent:
        connection = emulator_connection()
        if base_url:
            connection["fields"]["baseUrl"] = base_url
        transport = httpx.MockTransport(self.handle)
        async with Host.discover(transport=transport, sleep=self.wait) as host:
            full: Mapping[str, Any] = {"twilioConnection": connection, "method": "GET", "url": PATH, **inputs}
            try:
                context = Context(attempt_seconds=attempt_seconds)
                self.data = (await host.invoke_action("twilio", "rawRequest", full, context=context))["data"]
            except (TwilioError, InputError) as error:
                self.error = error
        return self

    @property
    def url(self) -> str:
        return str(self.requests[0].url)


class TestWhereItGoes:
    @pytest.mark.parametrize(
        "url",
        [
            PATH,
            PATH.removeprefix("/"),
            f"/2010-04-01{PATH}",
            f"https://api.twilio.com/2010-04-01{PATH}",
            f"https://api.twilio.com:443/2010-04-01{PATH}#fragment",
        ],
    )
    async def test_a_path_or_a_url_of_the_same_api(self, url: str) -> None:
        sent = await Sent().call(url=url)
        assert sent.requests[0].url.host == "api.twilio.com"
        assert sent.requests[0].url.path == f"/2010-04-01{PATH}"

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/2010-04-01/x",
            "//evil.example/x",
            "http://api.twilio.com/2010-04-01/x",
            "https://api.twilio.com:8443/x",
            "https://api.twilio.com@evil.example/x",
            "https://user:pass@api.twilio.com/x",
            "https://api.twilio.com.evil.example/x",
            "ftp://api.twilio.com/x",
        ],
    )
    async def test_credentials_never_leave_for_another_host(self, url: str) -> None:
        sent = await Sent().call(url=url)
        assert isinstance(sent.error, RequestRefusedError)
        assert "$.inputs.url" in str(sent.error)
        assert sent.requests == []

    @pytest.mark.parametrize("url", ["/a b", "/a\\b", "/a\nb", "https:\\\\evil.example"])
    async def test_what_parsers_may_read_differently_is_refused(self, url: str) -> None:
        sent = await Sent().call(url=url)
        assert isinstance(sent.error, InputError)
        assert sent.requests == []

    async def test_the_base_url_is_the_api(self) -> None:
        sent = await Sent().call(base_url="http://127.0.0.1:8010/proxy")
        assert sent.url == f"http://127.0.0.1:8010/proxy/2010-04-01{PATH}"

    async def test_query_parameters_are_added_to_those_in_the_url(self) -> None:
        parameters = [{"key": "DateSent>", "value": "2026-01-01"}, {"key": "a", "value": "ü"}]
        sent = await Sent().call(url=f"{PATH}?PageSize=2", queryParams=parameters)
        assert sent.requests[0].url.query == b"PageSize=2&DateSent%3E=2026-01-01&a=%C3%BC"


class TestWhatItCarries:
    async def test_form_data_as_pairs_or_as_an_object(self) -> None:
        pairs = [{"key": "To", "value": "+1"}, {"key": "MediaUrl", "value": "a"}, {"key": "MediaUrl", "value": "b"}]
        sent = await Sent().call(method="POST", formData=pairs)
        assert sent.requests[0].content == b"To=%2B1&MediaUrl=a&MediaUrl=b"
        assert sent.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
        assert (await Sent().call(method="POST", formData={"To": "+1"})).requests[0].content == b"To=%2B1"

    @pytest.mark.parametrize(
        ("data", "content", "kind"),
        [
            ("To=%2B1&Body=x", b"To=%2B1&Body=x", "application/x-www-form-urlencoded"),
            ('{"a": 1}', b'{"a": 1}', "application/json"),
            ({"a": "ü"}, '{"a": "ü"}'.encode(), "application/json"),
            ("{not json", b"{not json", "application/x-www-form-urlencoded"),
        ],
    )
    async def test_data_is_sent_as_what_it_is(self, data: Any, content: bytes, kind: str) -> None:
        sent = await Sent().call(method="POST", data=data)
        assert (sent.requests[0].content, sent.requests[0].headers["content-type"]) == (content, kind)

    async def test_a_content_type_of_the_callers_wins(self) -> None:
        sent = await Sent().call(method="PUT", data="<x/>", headers={"Content-Type": "text/xml", "X-Mine": "1"})
        assert sent.requests[0].headers["content-type"] == "text/xml"
        assert sent.requests[0].headers["x-mine"] == "1"

    @pytest.mark.parametrize("value", ["hello", b"hello", {"type": "Buffer", "data": [104, 101, 108, 108, 111]}])
    async def test_files_are_uploaded_with_their_names(self, value: Any) -> None:
        sent = await Sent().call(
            method="POST",
            formData={"Title": "T"},
            fileData=[{"key": "file", "value": value}],
            fileDataFileNames=[{"key": "file", "value": "hello.txt"}],
        )
        request = sent.requests[0]
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="Title"\r\n\r\nT\r\n' in request.content
        assert b'name="file"; filename="hello.txt"' in request.content
        assert b"\r\n\r\nhello\r\n" in request.content

    async def test_a_file_may_say_its_type(self) -> None:
        sent = await Sent().call(
            method="POST", fileData=[{"key": "f", "value": {"data": "<x/>", "contentType": "text/xml"}}]
        )
        assert b"Content-Type: text/xml" in sent.requests[0].content

    @pytest.mark.parametrize(
        "value", [{"data": [1]}, {"type": "Buffer", "data": [300]}, {"type": "Buffer", "data": ["x"]}]
    )
    async def test_a_file_that_is_not_a_buffer_is_named(self, value: Any) -> None:
        sent = await Sent().call(method="POST", fileData=[{"key": "f", "value": value}])
        assert "$.inputs.fileData[0].value" in str(sent.error)

    @pytest.mark.parametrize("other", [{"formData": {"a": "b"}}, {"fileData": [{"key": "f", "value": "x"}]}])
    async def test_data_excludes_form_and_files(self, other: dict[str, Any]) -> None:
        sent = await Sent().call(method="POST", data="x", **other)
        assert "Cannot specify both Data and File/Form Data." in str(sent.error)

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("authorization", "Basic x", "cannot set authorization"),
            ("Host", "evil.example", "cannot set Host"),
            ("X-A", "a\r\nX-B: b", "printable"),
            ("X A", "a", "only letters"),
        ],
    )
    async def test_headers_that_would_betray_or_break_are_refused(self, name: str, value: str, said: str) -> None:
        sent = await Sent().call(headers=[{"key": name, "value": value}])
        assert said in str(sent.error)
        assert "$.inputs.headers[0]" in str(sent.error)
        assert sent.requests == []


class TestWhatComesBack:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("json", {"a": "ü"}),
            ("text", '{"a":"ü"}'),
            ("document", '{"a":"ü"}'),
            ("arraybuffer", {"type": "Buffer", "data": [*'{"a":"ü"}'.encode()]}),
        ],
    )
    async def test_the_body_by_response_type(self, kind: str, data: Any) -> None:
        answer = httpx.Response(200, content='{"a":"ü"}'.encode(), headers={"content-type": "application/json"})
        assert (await Sent(answer).call(responseType=kind)).data == data

    async def test_what_is_not_json_is_text_and_nothing_is_null(self) -> None:
        assert (await Sent(httpx.Response(200, text="hello")).call()).data == "hello"
        assert (await Sent(httpx.Response(204)).call(method="DELETE")).data is None

    async def test_an_error_carries_status_data_and_headers(self) -> None:
        body = {"code": 20404, "message": "not found", "status": 404}
        error = (await Sent(httpx.Response(404, json=body, headers={"Twilio-Request-Id": "RQ1"})).call()).error
        assert isinstance(error, NotFoundError)
        assert (error.status, error.data, error.headers["twilio-request-id"]) == (404, body, "RQ1")

    def test_it_asks_the_emulator_for_a_message_as_twilio_has_it(
        self, twilio_harness_blocking: BlockingHarness
    ) -> None:
        inputs = {"to": "+15558675310", "from": "+15017122661", "message": "x"}
        sent = twilio_harness_blocking.action("sendSMS", inputs)["data"]
        raw = twilio_harness_blocking.action("rawRequest", {"method": "GET", "url": sent["uri"]})["data"]
        assert (raw["sid"], raw["num_segments"]) == (sent["sid"], "1")


class TestItsRetries:
    async def test_none_without_maxretries(self) -> None:
        assert len((await Sent(httpx.Response(503)).call()).requests) == 1

    async def test_a_fixed_delay_between_them(self) -> None:
        sent = await Sent(httpx.Response(503)).call(maxRetries=3, retryDelayMS="250")
        assert (len(sent.requests), sent.waits) == (4, [0.25, 0.25, 0.25])
        assert isinstance(sent.error, TwilioAPIError)

    @pytest.mark.parametrize(("delay", "waits"), [(0, [0.2, 0.4, 0.8]), (1000, [1.0, 2.0, 4.0])])
    async def test_backoff_doubles_from_the_delay_or_from_200_ms(self, delay: int, waits: list[float]) -> None:
        sent = await Sent(httpx.Response(503)).call(maxRetries=3, retryDelayMS=delay, useExponentialBackoff="true")
        assert sent.waits == waits

    async def test_a_success_ends_them(self) -> None:
        sent = await Sent(httpx.Response(503), httpx.ReadTimeout("slow"), httpx.Response(200, json=1)).call(
            maxRetries=5
        )
        assert (sent.data, len(sent.requests)) == (1, 3)

    @pytest.mark.parametrize("status", [400, 404, 429])
    async def test_a_refusal_is_repeated_only_when_all_errors_are(self, status: int) -> None:
        assert len((await Sent(httpx.Response(status, json={})).call(maxRetries=2)).requests) == 1
        assert len((await Sent(httpx.Response(status, json={})).call(maxRetries=2, retryAllErrors=True)).requests) == 3

    @pytest.mark.parametrize("answer", [httpx.Response(500), httpx.ReadTimeout("slow"), httpx.ReadError("cut")])
    async def test_a_post_that_may_have_been_processed_is_repeated_only_when_all_errors_are(self, answer: Any) -> None:
        sent = await Sent(answer).call(method="POST", maxRetries=2)
        assert len(sent.requests) == 1
        assert isinstance(sent.error, OutcomeUnknownError)
        assert len((await Sent(answer).call(method="POST", maxRetries=2, retryAllErrors=True)).requests) == 3

    async def test_a_post_that_was_never_sent_is_repeated(self) -> None:
        sent = await Sent(httpx.ConnectError("refused"), httpx.Response(201, json={})).call(method="POST", maxRetries=1)
        assert (sent.data, len(sent.requests)) == ({}, 2)

    async def test_the_last_error_is_the_one_reported(self) -> None:
        assert isinstance((await Sent(httpx.ReadError("cut")).call(maxRetries=1)).error, NoResponseError)
        assert isinstance((await Sent(httpx.Response(429, json={})).call()).error, RateLimitedError)

    @pytest.mark.parametrize("last", [httpx.ConnectError("refused"), httpx.Response(429, json={}), REFUSED])
    @pytest.mark.parametrize("attempt_seconds", [None, 20.0])
    async def test_a_post_that_may_have_been_processed_stays_so_whatever_its_repetition_gets(
        self, last: Any, attempt_seconds: float | None
    ) -> None:
        sent = await Sent(httpx.ReadError("cut"), last).call(
            method="POST", maxRetries=1, retryAllErrors=True, attempt_seconds=attempt_seconds
        )
        assert len(sent.requests) == 2
        assert isinstance(sent.error, OutcomeUnknownError)
        assert "An earlier attempt" in str(sent.error)

    @pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), httpx.Response(429, json={})])
    async def test_what_was_not_processed_is_left_to_a_caller_that_repeats_it_itself(self, answer: Any) -> None:
        sent = await Sent(answer).call(method="POST", maxRetries=5, retryAllErrors=True, attempt_seconds=20.0)
        assert len(sent.requests) == 1
        assert isinstance(sent.error, (NotSentError, RateLimitedError))

    async def test_a_caller_that_limits_the_attempt_learns_its_outcome_before_it_gives_up(self) -> None:
        sent = await Sent(httpx.Response(503)).call(maxRetries=5, retryDelayMS=5_000, attempt_seconds=20.0)
        assert isinstance(sent.error, TwilioAPIError)
        assert sent.requests[0].extensions["timeout"]["read"] <= 18.0
        sent = await Sent(httpx.Response(503)).call(maxRetries=5, retryDelayMS=15_000, attempt_seconds=20.0)
        assert len(sent.requests) == 1

    async def test_a_timeout_bounds_one_attempt(self) -> None:
        sent = await Sent().call(timeout="2000")
        assert sent.requests[0].extensions["timeout"]["read"] == 2.0
        assert (await Sent().call(timeout=0)).requests[0].extensions["timeout"]["read"] == 30.0
