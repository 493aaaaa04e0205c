"""The client: what is repeated, what never is, and what the caller learns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import aiohttp
import httpx
import pytest
from wire import Wire, answer, wire

from twilio_component.client import TwilioClient, never_written
from twilio_component.credentials import Credentials
from twilio_component.errors import (
    AuthenticationError,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RequestRefusedError,
    TwilioAPIError,
    TwilioError,
    UnexpectedAnswerError,
)
from twilio_component.host.transport import AiohttpTransport
from twilio_component.retry import Retry, retry_after

ACCOUNT = "AC" + "a" * 32
SECRET = "s3cr3t-s3cr3t"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
CREATED = answer("201 Created", b'{"sid": "SM1"}')


class Waits:
    """A sleep that takes no time and remembers what was asked of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def client(transport: httpx.AsyncBaseTransport, waits: Waits | None = None, **fields: Any) -> TwilioClient:
    credentials = Credentials(account_sid=ACCOUNT, user=ACCOUNT, secret=SECRET, **fields)
    return TwilioClient(credentials, transport, retry=Retry(sleep=waits or Waits()))


def mocked(*answers: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives these answers in turn, the last one for ever, and the requests it saw."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        given = answers[min(len(seen), len(answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    return httpx.MockTransport(handle), seen


def refused(status: int, code: int | None = None, message: str = "no", **headers: str) -> httpx.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return httpx.Response(status, json=body, headers=headers)


def post(transport: httpx.AsyncBaseTransport, waits: Waits | None = None) -> dict[str, Any]:
    return asyncio.run(client(transport, waits).call("POST", MESSAGES, form=[("To", "+1"), ("Body", "é &=")]))


def get(transport: httpx.AsyncBaseTransport, waits: Waits | None = None) -> dict[str, Any]:
    return asyncio.run(client(transport, waits).call("GET", MESSAGES, params=[("DateSent>", "2026-01-01")]))


class TestOneRequest:
    def test_a_form_is_posted_with_the_connections_credentials(self) -> None:
        transport, seen = mocked(httpx.Response(201, json={"sid": "SM1"}))

        assert post(transport) == {"sid": "SM1"}
        assert str(seen[0].url) == f"https://api.twilio.com{MESSAGES}"
        assert seen[0].content == b"To=%2B1&Body=%C3%A9+%26%3D"
        assert seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
        assert httpx.BasicAuth(ACCOUNT, SECRET)._auth_header == seen[0].headers["authorization"]
        assert seen[0].headers["user-agent"].startswith("twilio-component/")

    def test_a_comparison_is_part_of_the_parameters_name(self) -> None:
        transport, seen = mocked(httpx.Response(200, json={}))

        get(transport)

        assert seen[0].url.query == b"DateSent%3E=2026-01-01"

    @pytest.mark.parametrize(
        ("fields", "origin"),
        [
            ({}, "https://api.twilio.com"),
            ({"region": "ie1"}, "https://api.ashburn.ie1.twilio.com"),
            ({"edge": "dublin"}, "https://api.dublin.us1.twilio.com"),
            ({"region": "ie1", "edge": "dublin"}, "https://api.dublin.ie1.twilio.com"),
            ({"region": "ie1", "base_url": "http://127.0.0.1:8010"}, "http://127.0.0.1:8010"),
        ],
    )
    def test_region_edge_and_base_url_choose_the_host(self, fields: dict[str, str], origin: str) -> None:
        transport, seen = mocked(httpx.Response(200, json={}))

        asyncio.run(client(transport, None, **fields).call("GET", "/x.json"))

        assert str(seen[0].url) == f"{origin}/x.json"

    def test_an_empty_answer_is_an_empty_object(self) -> None:
        assert get(mocked(httpx.Response(204))[0]) == {}

    def test_credentials_show_no_secret(self) -> None:
        shown = repr(Credentials(account_sid=ACCOUNT, user=ACCOUNT, secret=SECRET, auth_token="t0ken"))
        assert SECRET not in shown
        assert "t0ken" not in shown


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (400, TwilioAPIError, "twilio-api-error"),
            (401, AuthenticationError, "twilio-authentication"),
            (403, PermissionDeniedError, "twilio-permission"),
            (404, NotFoundError, "twilio-not-found"),
            (429, RateLimitedError, "twilio-rate-limited"),
        ],
    )
    def test_each_status_has_its_error_with_code_message_and_link(
        self, status: int, kind: type[TwilioAPIError], code: str
    ) -> None:
        with pytest.raises(kind) as caught:
            post(mocked(refused(status, 20_000 + status, "Something is wrong"))[0])

        text = str(caught.value)
        assert caught.value.code == code
        assert f"{20_000 + status}" in text
        assert "Something is wrong" in text
        assert f"HTTP {status}" in text
        assert f"https://www.twilio.com/docs/errors/{20_000 + status}" in text
        assert caught.value.data["code"] == 20_000 + status

    def test_numbers_in_twilios_words_are_masked_in_the_text_and_kept_in_the_data(self) -> None:
        with pytest.raises(TwilioAPIError) as caught:
            post(mocked(refused(400, 21211, "The 'To' number +15558675310 is not a valid phone number."))[0])

        assert "+15558675310" not in str(caught.value)
        assert "…10" in str(caught.value)
        assert "+15558675310" in caught.value.twilio_message

    @pytest.mark.parametrize("method", [post, get])
    def test_a_redirect_is_not_followed(self, method: Callable[..., Any]) -> None:
        transport, seen = mocked(httpx.Response(302, headers={"location": "https://evil.example"}))

        with pytest.raises(UnexpectedAnswerError, match="redirect"):
            method(transport)
        assert len(seen) == 1

    def test_html_for_a_refusal_is_no_answer_of_twilios(self) -> None:
        page = httpx.Response(400, html="<h1>Bad</h1>")
        with pytest.raises(UnexpectedAnswerError, match="12 bytes of text/html") as caught:
            post(mocked(page)[0])
        assert caught.value.status == 400
        assert not caught.value.may_have_happened

    def test_html_behind_a_401_still_means_wrong_credentials(self) -> None:
        with pytest.raises(AuthenticationError, match="no explanation"):
            post(mocked(httpx.Response(401, html="<h1>?</h1>"))[0])

    def test_html_behind_a_success_leaves_a_send_unknown_and_a_fetch_unanswered(self) -> None:
        with pytest.raises(OutcomeUnknownError, match="not Twilio's JSON"):
            post(mocked(httpx.Response(200, html="<h1>Login</h1>"))[0])
        with pytest.raises(UnexpectedAnswerError, match="not Twilio's JSON"):
            get(mocked(httpx.Response(200, html="<h1>Login</h1>"))[0])

    def test_json_nested_beyond_reason_is_no_crash(self) -> None:
        with pytest.raises(UnexpectedAnswerError):
            get(mocked(httpx.Response(200, content=b"[" * 200_000))[0])


class TestRepeating:
    def test_429_is_waited_out_as_twilio_asks(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429, **{"Retry-After": "7"}), httpx.Response(201, json={"sid": "SM1"}))

        assert post(transport, waits) == {"sid": "SM1"}
        assert (len(seen), waits.seconds) == (2, [7.0])

    def test_429_without_a_time_is_repeated_with_growing_random_waits_up_to_a_bound(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429))

        with pytest.raises(RateLimitedError):
            post(transport, waits)
        assert len(seen) == 4
        assert [low <= wait <= 2 * low for low, wait in zip((0.25, 0.5, 1.0), waits.seconds, strict=True)] == [True] * 3

    def test_a_retry_after_beyond_patience_is_the_callers_to_wait_out(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429, **{"Retry-After": "3600"}))

        with pytest.raises(RateLimitedError) as caught:
            post(transport, waits)
        assert (len(seen), waits.seconds, caught.value.retry_after) == (1, [], 3600.0)

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    def test_a_send_that_may_have_been_processed_is_never_repeated(self, status: int) -> None:
        transport, seen = mocked(refused(status, 20500))

        with pytest.raises(OutcomeUnknownError, match=f"HTTP {status}.*may have been sent") as caught:
            post(transport)
        assert len(seen) == 1
        assert caught.value.may_have_happened
        assert not caught.value.retryable

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_fetch_is_repeated_after_a_server_error(self, status: int) -> None:
        transport, seen = mocked(refused(status, 20500), httpx.Response(200, json={"sid": "SM1"}))

        assert get(transport) == {"sid": "SM1"}
        assert len(seen) == 2

    def test_a_refusal_is_not_repeated(self) -> None:
        transport, seen = mocked(refused(400, 21211))
        with pytest.raises(TwilioAPIError):
            get(transport)
        assert len(seen) == 1

    def test_a_connection_that_was_never_made_is_tried_again_also_for_a_send(self) -> None:
        transport, seen = mocked(httpx.ConnectError("refused"), httpx.Response(201, json={"sid": "SM1"}))

        assert post(transport) == {"sid": "SM1"}
        assert len(seen) == 2

    def test_a_wrong_certificate_is_not_tried_again(self) -> None:
        transport, seen = mocked(httpx.ConnectError("the certificate is not valid: hostname mismatch"))

        with pytest.raises(NotSentError, match=r"api\.twilio\.com.*hostname mismatch.*nothing was sent"):
            post(transport)
        assert len(seen) == 1

    @pytest.mark.parametrize(
        "failure",
        [
            httpx.ReadTimeout("slow"),
            httpx.ReadError("cut"),
            httpx.RemoteProtocolError("gone"),
            httpx.WriteError("broken"),
        ],
    )
    def test_a_lost_answer_leaves_a_send_unknown_and_a_fetch_repeated(self, failure: Exception) -> None:
        transport, seen = mocked(failure)
        with pytest.raises(OutcomeUnknownError, match="the answer was lost"):
            post(transport)
        assert len(seen) == 1

        transport, seen = mocked(failure)
        with pytest.raises(NoAnswerError):
            get(transport)
        assert len(seen) == 4

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("3", 3.0), ("-3", 0.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None), ("", None), (None, None)],
    )
    def test_retry_after_holds_seconds_or_a_date(self, value: str | None, seconds: float | None) -> None:
        assert retry_after(value) == seconds


class TestWhatProvesThatNothingWasSent:
    def test_a_connect_error_of_any_transport_does(self) -> None:
        assert never_written(httpx.ConnectError("refused"))

    def test_a_connect_timeout_does_not_when_aiohttp_says_the_server_hung_up(self) -> None:
        error = httpx.ConnectTimeout("Server disconnected")
        error.__cause__ = aiohttp.ServerDisconnectedError()
        assert not never_written(error)

    def test_it_does_when_aiohttp_says_that_no_connection_was_made(self) -> None:
        error = httpx.ConnectTimeout("refused")
        error.__cause__ = aiohttp.ClientConnectorError(MagicMock(), OSError("refused"))
        assert never_written(error)

    def test_a_read_error_does_not(self) -> None:
        assert not never_written(httpx.ReadError("cut"))


class TestOverSockets:
    """One request sent is one request counted at the server, whatever becomes of it."""

    @staticmethod
    def send(reaction: Any, *, seconds: float = 5.0) -> tuple[Wire, BaseException | None]:
        async def run() -> tuple[Wire, BaseException | None]:
            transport = AiohttpTransport()
            async with wire(reaction) as server:
                sender = client(transport, base_url=server.url)
                request = httpx.Request("POST", server.url + MESSAGES, content=b"To=%2B15558675310&Body=hello")
                try:
                    await sender.attempt(request, repeatable=False, seconds=seconds)
                except TwilioError as error:
                    return server, error
                finally:
                    await transport.aclose()
            return server, None

        return asyncio.run(run())

    def test_a_dropped_connection_is_unknown(self) -> None:
        async def drop(_writer: Any, _n: int) -> bool:
            return False

        server, error = self.send(drop)
        assert isinstance(error, OutcomeUnknownError)
        assert len(server.requests) == 1

    def test_a_cut_off_answer_is_unknown(self) -> None:
        async def cut(writer: Any, _n: int) -> bool:
            writer.write(CREATED[:-4])
            return False

        server, error = self.send(cut)
        assert isinstance(error, OutcomeUnknownError)
        assert len(server.requests) == 1

    def test_slow_bytes_end_at_the_whole_deadline(self) -> None:
        async def drip(writer: Any, _n: int) -> bool:
            writer.write(CREATED[:-10])
            for byte in CREATED[-10:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
            return False

        server, error = self.send(drip, seconds=0.3)
        assert isinstance(error, OutcomeUnknownError)
        assert "no complete answer within 0.3 s" in str(error)
        assert len(server.requests) == 1

    def test_a_broken_encoding_is_unknown(self) -> None:
        async def broken(writer: Any, _n: int) -> bool:
            writer.write(answer("201 Created", b"no gzip", "Content-Encoding: gzip"))
            return True

        server, error = self.send(broken)
        assert isinstance(error, OutcomeUnknownError)
        assert "encoding" in str(error)
        assert len(server.requests) == 1

    def test_no_text_and_no_number_is_in_the_error(self) -> None:
        async def drop(_writer: Any, _n: int) -> bool:
            return False

        _, error = self.send(drop)
        assert "hello" not in str(error)
        assert "5558675310" not in str(error)

    def test_a_refused_connection_was_never_sent(self) -> None:
        async def run() -> None:
            async with wire(lambda _w, _n: asyncio.sleep(0, result=True)) as server:
                url = server.url
            transport = AiohttpTransport()
            waits = Waits()
            with pytest.raises(NotSentError, match="nothing was sent"):
                await client(transport, waits, base_url=url).call("POST", MESSAGES, form=[("To", "+1")])
            assert len(waits.seconds) == 3
            await transport.aclose()

        asyncio.run(run())


class TestCancelling:
    @staticmethod
    def cancelled(method: str, caplog: pytest.LogCaptureFixture) -> BaseException:
        async def run() -> BaseException:
            arrived = asyncio.Event()

            async def silence(_writer: Any, _n: int) -> bool:
                arrived.set()
                await asyncio.sleep(5)
                return False

            transport = AiohttpTransport()
            async with wire(silence) as server:
                task = asyncio.create_task(client(transport, base_url=server.url).call(method, MESSAGES))
                await arrived.wait()
                task.cancel()
                outcome: Any = (await asyncio.gather(task, return_exceptions=True))[0]
                await transport.aclose()
            assert isinstance(outcome, BaseException)
            return outcome

        with caplog.at_level(logging.WARNING):
            return asyncio.run(run())

    def test_a_send_cancelled_under_way_is_unknown_and_leaves_a_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert isinstance(self.cancelled("POST", caplog), OutcomeUnknownError)
        assert "outcome is unknown" in caplog.text

    def test_a_fetch_cancelled_under_way_is_just_cancelled(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(self.cancelled("GET", caplog), asyncio.CancelledError)
        assert [record for record in caplog.records if record.name.startswith("twilio_component")] == []

    def test_a_send_cancelled_before_it_was_written_is_just_cancelled(self) -> None:
        class Connecting(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                request.extensions["written"] = False
                await asyncio.sleep(5)
                raise AssertionError

        async def run() -> None:
            task = asyncio.create_task(client(Connecting()).call("POST", MESSAGES))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())

    def test_a_deadline_of_the_callers_cannot_hide_an_unknown_outcome(self) -> None:
        class Silent(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - an override
                await asyncio.sleep(5)
                raise AssertionError

        async def run() -> None:
            async with asyncio.timeout(0.05):
                await client(Silent()).call("POST", MESSAGES)

        with pytest.raises(OutcomeUnknownError):
            asyncio.run(run())


class TestPages:
    @staticmethod
    def pages(*answers: Any) -> tuple[list[Any], list[httpx.Request]]:
        transport, seen = mocked(*(httpx.Response(200, content=json.dumps(item).encode()) for item in answers))

        async def run() -> list[Any]:
            return [page async for page in client(transport).pages(MESSAGES, "messages", [("PageSize", "2")])]

        return asyncio.run(run()), seen

    def test_the_next_page_is_the_one_that_twilio_names(self) -> None:
        following = f"{MESSAGES}?PageSize=2&Page=1&PageToken=PA%2Bx"
        found, seen = self.pages(
            {"messages": [1, 2], "next_page_uri": following}, {"messages": [3], "next_page_uri": None}
        )

        assert found == [[1, 2], [3]]
        assert str(seen[1].url) == f"https://api.twilio.com{following}"

    @pytest.mark.parametrize("following", ["https://evil.example/x", "//evil.example/x", "x", 7])
    def test_a_next_page_elsewhere_is_not_followed(self, following: Any) -> None:
        with pytest.raises(RequestRefusedError):
            self.pages({"messages": [], "next_page_uri": following})

    def test_a_page_without_its_list_is_no_answer_of_twilios(self) -> None:
        with pytest.raises(UnexpectedAnswerError, match="no 'messages'"):
            self.pages({"calls": []})
