"""The client: what is repeated, what never is, and what the caller learns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.broken_server import serve_broken

from twilio_component.host.http.asyncio_transport import AsyncioTransport
from twilio_component.host.http.httpx_transport import HttpxTransport
from twilio_component.twilio.client import TwilioClient, encode_pairs
from twilio_component.twilio.credentials import Credentials
from twilio_component.twilio.errors import (
    AuthenticationError,
    NoResponseError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RequestRefusedError,
    TooLargeError,
    TwilioAPIError,
    UnexpectedResponseError,
)
from twilio_component.twilio.retry import RetryPolicy, retry_after

if TYPE_CHECKING:
    from twilio_component.host.http.messages import HttpTransport, Request, Response

ACCOUNT = "AC" + "a" * 32
SECRET = "s3cr3t-s3cr3t"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


class Waits:
    """A sleep that takes no time and remembers what was asked of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def client(transport: HttpTransport, waits: Waits | None = None, **fields: Any) -> TwilioClient:
    credentials = Credentials(account_sid=ACCOUNT, user=ACCOUNT, secret=SECRET, **fields)
    return TwilioClient(credentials, transport, retry=RetryPolicy(sleep=waits or Waits()))


def mocked(*answers: httpx.Response | Exception) -> tuple[HttpTransport, list[httpx.Request]]:
    """A transport that gives these answers in turn, the last one for ever, and the requests it saw."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        given = answers[min(len(seen), len(answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    return HttpxTransport(httpx.MockTransport(handle)), seen


def refused(status: int, code: int | None = None, message: str = "no", **headers: str) -> httpx.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return httpx.Response(status, json=body, headers=headers)


async def post(transport: HttpTransport, waits: Waits | None = None) -> dict[str, Any]:
    return await client(transport, waits).call("POST", MESSAGES, form=[("To", "+1"), ("Body", "é &=")])


async def get(transport: HttpTransport, waits: Waits | None = None) -> dict[str, Any]:
    return await client(transport, waits).call("GET", MESSAGES, params=[("DateSent>", "2026-01-01")])


class TestOneRequest:
    async def test_a_form_is_posted_with_the_connections_credentials(self) -> None:
        transport, seen = mocked(httpx.Response(201, json={"sid": "SM1"}))

        assert await post(transport) == {"sid": "SM1"}
        assert str(seen[0].url) == f"https://api.twilio.com{MESSAGES}"
        assert seen[0].content == b"To=%2B1&Body=%C3%A9+%26%3D"
        assert seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
        assert httpx.BasicAuth(ACCOUNT, SECRET)._auth_header == seen[0].headers["authorization"]
        assert seen[0].headers["user-agent"].startswith("twilio-component/")

    async def test_a_comparison_is_part_of_the_parameters_name(self) -> None:
        transport, seen = mocked(httpx.Response(200, json={}))

        await get(transport)

        assert seen[0].url.query == b"DateSent%3E=2026-01-01"

    @pytest.mark.parametrize(
        ("fields", "origin"),
        [
            ({}, "https://api.twilio.com"),
            ({"region": "ie1"}, "https://api.dublin.ie1.twilio.com"),
            ({"region": "au1"}, "https://api.sydney.au1.twilio.com"),
            ({"region": "us1"}, "https://api.ashburn.us1.twilio.com"),
            ({"edge": "dublin"}, "https://api.dublin.us1.twilio.com"),
            ({"region": "ie1", "edge": "dublin"}, "https://api.dublin.ie1.twilio.com"),
            ({"region": "ie1", "base_url": "http://127.0.0.1:8010"}, "http://127.0.0.1:8010"),
        ],
    )
    async def test_region_edge_and_base_url_choose_the_host(self, fields: dict[str, str], origin: str) -> None:
        transport, seen = mocked(httpx.Response(200, json={}))

        await client(transport, None, **fields).call("GET", "/x.json")

        assert str(seen[0].url) == f"{origin}/x.json"

    async def test_an_empty_answer_is_an_empty_object(self) -> None:
        assert await get(mocked(httpx.Response(204))[0]) == {}

    @pytest.mark.parametrize("status", [200, 201, 202])
    async def test_a_success_without_a_body_names_no_message(self, status: int) -> None:
        with pytest.raises(OutcomeUnknownError, match="the body is empty"):
            await post(mocked(httpx.Response(status))[0])
        with pytest.raises(UnexpectedResponseError, match="the body is empty"):
            await get(mocked(httpx.Response(status))[0])
        transport, _ = mocked(httpx.Response(status))
        with pytest.raises(UnexpectedResponseError):
            await client(transport).call("POST", MESSAGES, form=[("Body", "")], idempotent=True)

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
    async def test_each_status_has_its_error_with_code_message_and_link(
        self, status: int, kind: type[TwilioAPIError], code: str
    ) -> None:
        with pytest.raises(kind) as caught:
            await post(mocked(refused(status, 20_000 + status, "Something is wrong"))[0])

        text = str(caught.value)
        assert caught.value.code == code
        assert f"{20_000 + status}" in text
        assert "Something is wrong" in text
        assert f"HTTP {status}" in text
        assert f"https://www.twilio.com/docs/errors/{20_000 + status}" in text
        assert caught.value.data["code"] == 20_000 + status

    async def test_an_answer_that_is_too_large_is_not_asked_for_again_and_leaves_a_posts_outcome_open(self) -> None:
        announced = {"Content-Length": str(1 << 40)}
        transport, seen = mocked(httpx.Response(200, headers=announced), httpx.Response(201, headers=announced))

        with pytest.raises(TooLargeError, match=r"GET Messages\.json: the response has 1,099,511,627,776 bytes"):
            await get(transport)
        with pytest.raises(OutcomeUnknownError, match="at most 67,108,864 are read"):
            await post(transport)
        assert len(seen) == 2

    async def test_what_twilios_words_repeat_is_masked_in_the_text_and_kept_in_the_data(self) -> None:
        words = "The 'To' number +15557654321 is not valid. Body: \"See you at nine, Ada\" 'MessagingServiceSid'"
        with pytest.raises(TwilioAPIError) as caught:
            await post(mocked(refused(400, 21211, words))[0])

        text = str(caught.value)
        assert "The 'To' number …21 is not valid." in text
        assert "5557654321" not in text
        assert "Ada" not in text
        assert caught.value.twilio_message == words

    async def test_a_full_queue_slows_the_sender_and_too_many_requests_the_connection(self) -> None:
        transport, seen = mocked(refused(400, 21611))
        with pytest.raises(TwilioAPIError) as full:
            await post(transport)
        with pytest.raises(RateLimitedError) as many:
            await post(mocked(refused(429, 20429))[0])

        assert (full.value.throttled, full.value.retryable, len(seen)) == ("sender", True, 1)
        assert (many.value.throttled, many.value.retryable) == ("connection", True)

    @pytest.mark.parametrize("method", [post, get])
    async def test_a_redirect_is_not_followed(self, method: Callable[..., Any]) -> None:
        transport, seen = mocked(httpx.Response(302, headers={"location": "https://evil.example"}))

        with pytest.raises(UnexpectedResponseError, match="redirect"):
            await method(transport)
        assert len(seen) == 1

    async def test_a_redirect_to_the_result_of_a_send_leaves_it_unknown(self) -> None:
        with pytest.raises(OutcomeUnknownError, match="HTTP 303"):
            await post(mocked(httpx.Response(303, headers={"location": "/done"}))[0])

    async def test_html_for_a_refusal_is_not_an_answer_of_twilios(self) -> None:
        page = httpx.Response(400, html="<h1>Bad</h1>")
        with pytest.raises(UnexpectedResponseError, match="12 bytes of text/html") as caught:
            await post(mocked(page)[0])
        assert caught.value.status == 400
        assert not caught.value.may_have_happened

    async def test_html_behind_a_401_still_means_wrong_credentials(self) -> None:
        with pytest.raises(AuthenticationError, match="no explanation"):
            await post(mocked(httpx.Response(401, html="<h1>?</h1>"))[0])

    async def test_html_behind_a_success_leaves_a_send_unknown_and_a_fetch_unanswered(self) -> None:
        with pytest.raises(OutcomeUnknownError, match="not Twilio's JSON"):
            await post(mocked(httpx.Response(200, html="<h1>Login</h1>"))[0])
        with pytest.raises(UnexpectedResponseError, match="not Twilio's JSON"):
            await get(mocked(httpx.Response(200, html="<h1>Login</h1>"))[0])

    async def test_json_nested_beyond_reason_is_not_a_crash(self) -> None:
        with pytest.raises(UnexpectedResponseError):
            await get(mocked(httpx.Response(200, content=b"[" * 200_000))[0])


class TestRepeating:
    async def test_429_is_waited_out_as_twilio_asks(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429, **{"Retry-After": "7"}), httpx.Response(201, json={"sid": "SM1"}))

        assert await post(transport, waits) == {"sid": "SM1"}
        assert (len(seen), waits.seconds) == (2, [7.0])

    async def test_429_without_a_time_is_repeated_with_growing_random_waits_up_to_a_bound(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429))

        with pytest.raises(RateLimitedError):
            await post(transport, waits)
        assert len(seen) == 4
        assert [low <= wait <= 2 * low for low, wait in zip((0.25, 0.5, 1.0), waits.seconds, strict=True)] == [True] * 3

    async def test_a_retry_after_beyond_patience_is_the_callers_to_wait_out(self) -> None:
        waits = Waits()
        transport, seen = mocked(refused(429, 20429, **{"Retry-After": "3600"}))

        with pytest.raises(RateLimitedError) as caught:
            await post(transport, waits)
        assert (len(seen), waits.seconds, caught.value.retry_after) == (1, [], 3600.0)

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_a_send_that_may_have_been_processed_is_never_repeated(self, status: int) -> None:
        transport, seen = mocked(refused(status, 20500))

        with pytest.raises(OutcomeUnknownError, match=f"HTTP {status}.*may have been sent") as caught:
            await post(transport)
        assert len(seen) == 1
        assert caught.value.may_have_happened
        assert not caught.value.retryable

    @pytest.mark.parametrize("status", [500, 503])
    async def test_a_fetch_is_repeated_after_a_server_error(self, status: int) -> None:
        transport, seen = mocked(refused(status, 20500), httpx.Response(200, json={"sid": "SM1"}))

        assert await get(transport) == {"sid": "SM1"}
        assert len(seen) == 2

    async def test_a_refusal_is_not_repeated(self) -> None:
        transport, seen = mocked(refused(400, 21211))
        with pytest.raises(TwilioAPIError):
            await get(transport)
        assert len(seen) == 1

    async def test_a_connection_that_was_never_made_is_tried_again_also_for_a_send(self) -> None:
        transport, seen = mocked(httpx.ConnectError("refused"), httpx.Response(201, json={"sid": "SM1"}))

        assert await post(transport) == {"sid": "SM1"}
        assert len(seen) == 2

    async def test_a_wrong_certificate_is_not_tried_again(self) -> None:
        transport, seen = mocked(httpx.ConnectError("the certificate is not valid: hostname mismatch"))

        with pytest.raises(NotSentError, match=r"api\.twilio\.com.*hostname mismatch.*nothing was sent"):
            await post(transport)
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
    async def test_a_lost_answer_leaves_a_send_unknown_and_a_fetch_repeated(self, failure: Exception) -> None:
        transport, seen = mocked(failure)
        with pytest.raises(OutcomeUnknownError, match="the response was lost"):
            await post(transport)
        assert len(seen) == 1

        transport, seen = mocked(failure)
        with pytest.raises(NoResponseError):
            await get(transport)
        assert len(seen) == 4

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("3", 3.0),
            ("-3", 0.0),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
            ("Thu, 26 Nov 2026 11:00:00 +99999999999999999", None),
            ("soon", None),
            ("", None),
            (None, None),
        ],
    )
    def test_retry_after_holds_seconds_or_a_date(self, value: str | None, seconds: float | None) -> None:
        assert retry_after(value) == seconds


async def test_no_text_and_no_number_is_in_an_error() -> None:
    transport, _ = mocked(httpx.ReadError("cut off after To=+15558675310"))
    with pytest.raises(OutcomeUnknownError) as caught:
        await client(transport).call("POST", MESSAGES, form=[("To", "+15558675310"), ("Body", "hello")])
    assert "hello" not in str(caught.value)
    assert "5558675310" not in str(caught.value)


class TestCancelling:
    @staticmethod
    async def cancelled(method: str, caplog: pytest.LogCaptureFixture) -> BaseException:
        arrived = asyncio.Event()

        async def silence(_writer: Any, _n: int) -> bool:
            arrived.set()
            await asyncio.Event().wait()
            return False

        transport = AsyncioTransport()
        with caplog.at_level(logging.WARNING):
            async with serve_broken(silence) as server:
                task = asyncio.create_task(client(transport, base_url=server.url).call(method, MESSAGES))
                await arrived.wait()
                task.cancel()
                outcome: Any = (await asyncio.gather(task, return_exceptions=True))[0]
                await transport.aclose()
        assert isinstance(outcome, BaseException)
        return outcome

    async def test_a_send_cancelled_under_way_is_unknown_and_leaves_a_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert isinstance(await self.cancelled("POST", caplog), OutcomeUnknownError)
        assert "outcome is unknown" in caplog.text

    async def test_a_fetch_cancelled_under_way_is_just_cancelled(self, caplog: pytest.LogCaptureFixture) -> None:
        assert isinstance(await self.cancelled("GET", caplog), asyncio.CancelledError)
        assert [record for record in caplog.records if record.name.startswith("twilio_component")] == []

    async def test_a_send_cancelled_before_it_was_written_is_just_cancelled(self) -> None:
        class Connecting:
            async def send(self, request: Request) -> Response:
                request.written = False
                await asyncio.Event().wait()
                raise AssertionError

            async def aclose(self) -> None:
                raise AssertionError

        task = asyncio.create_task(client(Connecting()).call("POST", MESSAGES))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_deadline_of_the_callers_cannot_hide_an_unknown_outcome(self) -> None:
        async def silence(_request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async def send_within_a_deadline() -> None:
            async with asyncio.timeout(0.05):
                await client(HttpxTransport(httpx.MockTransport(silence))).call("POST", MESSAGES)

        with pytest.raises(OutcomeUnknownError):
            await send_within_a_deadline()


class TestPages:
    @staticmethod
    async def pages(*answers: Any) -> tuple[list[Any], list[httpx.Request]]:
        transport, seen = mocked(*(httpx.Response(200, content=json.dumps(item).encode()) for item in answers))
        found = [page async for page in client(transport).pages(MESSAGES, "messages", [("PageSize", "2")])]
        return found, seen

    async def test_the_next_page_is_the_one_that_twilio_names(self) -> None:
        following = f"{MESSAGES}?PageSize=2&Page=1&PageToken=PA%2Bx"
        found, seen = await self.pages(
            {"messages": [1, 2], "next_page_uri": following}, {"messages": [3], "next_page_uri": None}
        )

        assert found == [[1, 2], [3]]
        assert str(seen[1].url) == f"https://api.twilio.com{following}"

    async def test_a_later_apis_link_is_followed_on_its_own_host(self) -> None:
        link = "https://messaging.twilio.com/v1/Services?PageSize=2&Page=1&PageToken=x"
        transport, seen = mocked(
            httpx.Response(200, json={"services": [1], "meta": {"next_page_url": link}}),
            httpx.Response(200, json={"services": [2], "meta": {"next_page_url": None}}),
        )

        pages = client(transport).pages("/v1/Services", "services", (), product="messaging")
        found: list[Any] = [page async for page in pages]

        assert found == [[1], [2]]
        assert [str(request.url) for request in seen] == ["https://messaging.twilio.com/v1/Services", link]

    @pytest.mark.parametrize("following", ["https://evil.example/x", "//evil.example/x", "x", 7])
    async def test_a_next_page_elsewhere_is_not_followed(self, following: Any) -> None:
        with pytest.raises(RequestRefusedError):
            await self.pages({"messages": [], "next_page_uri": following})

    async def test_a_page_without_its_list_is_not_an_answer_of_twilios(self) -> None:
        with pytest.raises(UnexpectedResponseError, match="no 'messages'"):
            await self.pages({"calls": []})


@given(st.lists(st.tuples(st.text(), st.text())))
@example([(chr(code), chr(code)) for code in range(128)])
def test_a_form_is_encoded_as_python_itself_encodes_one(pairs: list[tuple[str, str]]) -> None:
    assert encode_pairs(pairs) == urlencode(pairs)
