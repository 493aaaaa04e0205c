"""What the component's actions make of each fault: the error, the repetitions, the messages that exist afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.testing import create_connection
from twilio_component.twilio.errors import (
    NoResponseError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    TwilioAPIError,
    TwilioError,
    UnexpectedResponseError,
)

ACCOUNT_SID = "AC" + "0" * 31 + "1"
TEXT = {"to": "+15558675310", "from": "+15017122661", "message": "Hello"}
RAW_SEND = {
    "url": f"/Accounts/{ACCOUNT_SID}/Messages.json",
    "method": "POST",
    "formData": [
        {"key": "To", "value": TEXT["to"]},
        {"key": "From", "value": TEXT["from"]},
        {"key": "Body", "value": "x"},
    ],
}

Arm = Callable[[Emulator], object]
Error = type[TwilioError] | None


@dataclass(frozen=True)
class Case:
    """A fault, and for each action: the error that comes of it (None: success), and how many requests were made.

    ``messages`` is how many exist after a send that failed; one that succeeded leaves one.
    """

    name: str
    arm: Arm
    send: tuple[Error, int]
    listing: tuple[Error, int]
    raw: tuple[Error, int]
    messages: int = 0
    sockets: bool = True


CASES = [
    Case("429 once", lambda e: e.faults.rate_limit(), (None, 2), (None, 2), (RateLimitedError, 1)),
    Case(
        "429 with Retry-After, once",
        lambda e: e.faults.rate_limit(retry_after=2),
        (None, 2),
        (None, 2),
        (RateLimitedError, 1),
    ),
    Case(
        "429 with a Retry-After that is too long",
        lambda e: e.faults.rate_limit(retry_after=3600),
        (RateLimitedError, 1),
        (RateLimitedError, 1),
        (RateLimitedError, 1),
    ),
    Case(
        "429 for good",
        lambda e: e.faults.rate_limit(times=None),
        (RateLimitedError, 4),
        (RateLimitedError, 4),
        (RateLimitedError, 1),
    ),
    Case(
        "500 before accepting",
        lambda e: e.faults.server_error(),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
    ),
    Case(
        "500 after accepting",
        lambda e: e.faults.server_error(accepted=True),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
        messages=1,
    ),
    Case(
        "503 for good",
        lambda e: e.faults.server_error(times=None, status=503),
        (OutcomeUnknownError, 1),
        (TwilioAPIError, 4),
        (OutcomeUnknownError, 1),
    ),
    Case(
        "a web page with 502",
        lambda e: e.faults.html(accepted=True),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
        messages=1,
    ),
    Case(
        "a web page with 403",
        lambda e: e.faults.html(status=403),
        (PermissionDeniedError, 1),
        (PermissionDeniedError, 1),
        (PermissionDeniedError, 1),
    ),
    Case(
        "dropped before accepting",
        lambda e: e.faults.drop(),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
    ),
    Case(
        "dropped after accepting",
        lambda e: e.faults.drop(accepted=True),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
        messages=1,
    ),
    Case(
        "dropped for good",
        lambda e: e.faults.drop(times=None),
        (OutcomeUnknownError, 1),
        (NoResponseError, 4),
        (OutcomeUnknownError, 1),
    ),
    Case(
        "cut off in mid-body",
        lambda e: e.faults.cut_off(),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
        messages=1,
    ),
    Case(
        "a connection refused once",
        lambda e: e.faults.refuse(),
        (None, 2),
        (None, 2),
        (NotSentError, 1),
        sockets=False,
    ),
    Case(
        "connections refused for good",
        lambda e: e.faults.refuse(times=None),
        (NotSentError, 4),
        (NotSentError, 4),
        (NotSentError, 1),
        sockets=False,
    ),
    Case(
        "a certificate for another host",
        lambda e: e.faults.wrong_certificate(times=None),
        (NotSentError, 1),
        (NotSentError, 1),
        (NotSentError, 1),
        sockets=False,
    ),
    Case(
        "an answer that takes a minute",
        lambda e: e.faults.slow(seconds=60),
        (OutcomeUnknownError, 1),
        (None, 2),
        (OutcomeUnknownError, 1),
        messages=1,
        sockets=False,
    ),
]
ON_SOCKETS = [case for case in CASES if case.sockets]


@dataclass
class Outcome:
    """The result or error of an action that met a fault, what came in, what exists, and how long was waited."""

    result: Any
    requests: int
    messages: int
    waits: list[float]


def outcome(action: str, inputs: dict[str, Any], arm: Arm, *, sockets: bool = False) -> Outcome:
    emulator = Emulator()
    waits: list[float] = []
    way: AbstractContextManager[Any] = emulator.serve_in_thread(real_time=False) if sockets else nullcontext(None)

    async def no_wait(seconds: float) -> None:
        waits.append(seconds)

    async def invoke(base_url: str) -> Any:
        fields = {"username": ACCOUNT_SID, "password": "token", "baseUrl": base_url}
        given = {**inputs, "twilioConnection": create_connection("basic", fields)}
        async with Host.discover(transport=None if sockets else emulator.transport, sleep=no_wait) as host:
            try:
                return (await host.invoke_action("twilio", action, given))["data"]
            except TwilioError as error:
                return error

    with way as server:
        arm(emulator)
        result = asyncio.run(invoke(server.url if server else "https://api.twilio.com"))
    return Outcome(result, len(emulator.request_log.requests), len(emulator.messages), waits)


def cases(chosen: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in chosen]


def check(case: Case, action: str, inputs: dict[str, Any], expected: tuple[Error, int], *, sockets: bool) -> int:
    """The number of messages that exist, after error and number of requests were found to be as expected."""
    came = outcome(action, inputs, case.arm, sockets=sockets)
    error = type(came.result) if isinstance(came.result, TwilioError) else None
    assert (error, came.requests) == expected
    return came.messages


@pytest.mark.parametrize("case", cases(CASES))
def test_send_sms_is_repeated_only_where_nothing_can_have_been_sent(case: Case) -> None:
    messages = check(case, "sendSMS", TEXT, case.send, sockets=False)
    assert messages == (case.messages if case.send[0] else 1)


@pytest.mark.parametrize("case", cases(CASES))
def test_list_messages_is_repeated_whenever_it_helps(case: Case) -> None:
    assert check(case, "listMessages", {}, case.listing, sockets=False) == 0


@pytest.mark.parametrize("case", cases(CASES))
def test_a_raw_post_is_not_repeated_unless_asked(case: Case) -> None:
    assert check(case, "rawRequest", RAW_SEND, case.raw, sockets=False) == case.messages


@pytest.mark.parametrize("case", cases(ON_SOCKETS))
def test_send_sms_does_the_same_over_a_socket(case: Case) -> None:
    messages = check(case, "sendSMS", TEXT, case.send, sockets=True)
    assert messages == (case.messages if case.send[0] else 1)


@pytest.mark.parametrize("case", cases(ON_SOCKETS))
def test_list_messages_does_the_same_over_a_socket(case: Case) -> None:
    assert check(case, "listMessages", {}, case.listing, sockets=True) == 0


@pytest.mark.parametrize("case", cases(ON_SOCKETS))
def test_a_raw_post_does_the_same_over_a_socket(case: Case) -> None:
    assert check(case, "rawRequest", RAW_SEND, case.raw, sockets=True) == case.messages


def test_retry_after_is_waited_out() -> None:
    assert outcome("sendSMS", TEXT, lambda e: e.faults.rate_limit(retry_after=2)).waits == [2]


def test_a_raw_post_that_is_asked_to_retry_all_errors_may_send_twice() -> None:
    wanted = {**RAW_SEND, "maxRetries": 1, "retryAllErrors": True, "responseType": "json"}
    came = outcome("rawRequest", wanted, lambda e: e.faults.drop(accepted=True))
    assert (came.result["status"], came.requests, came.messages) == ("queued", 2, 2)


async def until_it_accepts_connections(url: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def test_a_server_that_refuses_connections_is_found_again_by_a_retry() -> None:
    async def no_wait(_: float) -> None:
        pass

    emulator = Emulator()
    async with emulator.serve() as server, Host.discover(sleep=no_wait) as host:
        fields = {"username": ACCOUNT_SID, "password": "token", "baseUrl": server.url}
        given = {**TEXT, "twilioConnection": create_connection("basic", fields)}
        emulator.faults.refuse(seconds=0.5)
        with pytest.raises(NotSentError):
            await host.invoke_action("twilio", "sendSMS", given)
        await until_it_accepts_connections(server.url)
        await host.invoke_action("twilio", "sendSMS", given)
    assert len(emulator.messages) == 1


async def test_a_list_that_lags_does_not_show_what_was_just_sent() -> None:
    emulator = Emulator()
    connection = create_connection("basic", {"username": ACCOUNT_SID, "password": "token"})
    async with Host.discover(transport=emulator.transport) as host:
        emulator.faults.lag_lists(30)
        await host.invoke_action("twilio", "sendSMS", {**TEXT, "twilioConnection": connection})
        early = (await host.invoke_action("twilio", "listMessages", {"twilioConnection": connection}))["data"]
        await emulator.clock.advance(31)
        late = (await host.invoke_action("twilio", "listMessages", {"twilioConnection": connection}))["data"]
    assert (len(early), len(late)) == (0, 1)


@pytest.mark.parametrize(("shift", "bodies"), [(0, "43210"), (1, "43322110"), (-1, "4310")])
async def test_pages_that_shift_show_in_the_list_as_they_would_with_twilio(shift: int, bodies: str) -> None:
    emulator = Emulator()
    connection = create_connection("basic", {"username": ACCOUNT_SID, "password": "token"})
    async with Host.discover(transport=emulator.transport) as host:
        for n in range(5):
            await host.invoke_action("twilio", "sendSMS", {**TEXT, "message": str(n), "twilioConnection": connection})
        emulator.faults.shift_pages(shift)
        listed = await host.invoke_action("twilio", "listMessages", {"pageSize": 2, "twilioConnection": connection})
    assert "".join(message["body"] for message in listed["data"]) == bodies


def test_a_web_page_in_place_of_a_list_is_not_taken_for_one() -> None:
    came = outcome("listMessages", {}, lambda e: e.faults.html(status=200))
    assert (type(came.result), came.requests) == (UnexpectedResponseError, 1)


def test_a_web_page_in_place_of_a_sent_message_leaves_the_outcome_unknown() -> None:
    came = outcome("sendSMS", TEXT, lambda e: e.faults.html(status=200, accepted=True))
    assert (type(came.result), came.requests, came.messages) == (OutcomeUnknownError, 1, 1)
