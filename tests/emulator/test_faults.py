"""Each fault, in process and on a socket."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.waiting import until

from twilio_component.emulator import Emulator
from twilio_component.emulator.server.server import WRONG_CERTIFICATE, ServerInThread

ACCOUNT_SID = "AC" + "0" * 31 + "1"
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {"To": "+15558675310", "From": "+15017122661", "Body": "Hello"}
IMPATIENT = httpx.Timeout(5, read=0.03)


@contextmanager
def served() -> Iterator[tuple[Emulator, ServerInThread, httpx.Client]]:
    emulator = Emulator()
    with (
        emulator.serve_in_thread(real_time=False) as server,
        httpx.Client(base_url=server.url, auth=(ACCOUNT_SID, "token")) as client,
    ):
        yield emulator, server, client


def test_too_many_requests_are_answered_with_429_so_often_as_asked(api: Any, emulator: Emulator) -> None:
    fault = emulator.faults.rate_limit(times=2, retry_after=3)
    for _ in range(2):
        answer = api.request("POST", PATH, data=FORM)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, 20429, "3")
    assert api.request("POST", PATH, data=FORM).status_code == 201
    assert (len(emulator.messages), fault.rule.hits) == (1, 2)


def test_without_retry_after_the_header_is_missing(api: Any, emulator: Emulator) -> None:
    emulator.faults.rate_limit()
    assert "retry-after" not in api.request("GET", PATH).headers


@pytest.mark.parametrize(("status", "code"), [(500, 20500), (503, 20503)])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_server_error_comes_before_or_after_the_message_was_accepted(
    api: Any, emulator: Emulator, status: int, code: int, *, accepted: bool
) -> None:
    emulator.faults.server_error(status=status, accepted=accepted)
    answer = api.request("POST", PATH, data=FORM)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(emulator.messages) == int(accepted)


def test_a_server_error_of_another_kind_is_not_on_offer(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="500 or 503"):
        emulator.faults.server_error(status=404)


def test_a_proxys_web_page_is_not_json(api: Any, emulator: Emulator) -> None:
    emulator.faults.html(status=504, accepted=True)
    answer = api.request("POST", PATH, data=FORM)
    assert (answer.status_code, answer.headers["content-type"]) == (504, "text/html; charset=utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert len(emulator.messages) == 1


def test_conditions_choose_which_requests_meet_a_fault(api: Any, emulator: Emulator) -> None:
    emulator.faults.rate_limit(times=None, operation="messages.list")
    emulator.faults.server_error(to="+15550000001")
    emulator.faults.server_error(times=None, body="unlucky")
    emulator.faults.html(nth=2, sender="ACME")
    assert api.request("GET", PATH).status_code == 429
    assert api.request("POST", PATH, data=FORM).status_code == 201
    assert api.request("POST", PATH, data={**FORM, "To": "+15550000001"}).status_code == 500
    assert api.request("POST", PATH, data={**FORM, "Body": "an unlucky text"}).status_code == 500
    statuses = [api.request("POST", PATH, data={**FORM, "From": "ACME"}).status_code for _ in range(3)]
    assert statuses == [201, 502, 201]
    assert [fault.name for fault in emulator.faults.active] == ["rate_limit", "server_error"]


def test_a_fault_is_taken_back_alone_or_with_all_others(api: Any, emulator: Emulator) -> None:
    fault = emulator.faults.rate_limit(times=None)
    emulator.faults.remove(fault)
    emulator.faults.remove(fault)
    assert api.request("GET", PATH).status_code == 200
    emulator.faults.rate_limit(times=None)
    emulator.faults.lag_lists(10)
    emulator.faults.clear()
    api.request("POST", PATH, data=FORM)
    assert len(api.listed()) == 1


def test_a_refused_connection_raises_what_httpx_raises(api: Any, emulator: Emulator) -> None:
    emulator.faults.refuse()
    with pytest.raises(httpx.ConnectError) as caught:
        api.request("POST", PATH, data=FORM)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert emulator.messages == []
    assert api.request("POST", PATH, data=FORM).status_code == 201


def test_a_certificate_for_another_host_raises_what_httpx_raises(api: Any, emulator: Emulator) -> None:
    emulator.faults.wrong_certificate()
    with pytest.raises(httpx.ConnectError, match=r"not valid for 'api\.twilio\.com'") as caught:
        api.request("POST", PATH, data=FORM)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert emulator.messages == []


@pytest.mark.parametrize("accepted", [True, False])
def test_a_dropped_connection_raises_what_httpx_raises(api: Any, emulator: Emulator, *, accepted: bool) -> None:
    emulator.faults.drop(accepted=accepted)
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        api.request("POST", PATH, data=FORM)
    assert len(emulator.messages) == int(accepted)


def test_a_body_that_is_cut_off_raises_while_it_is_read(api: Any, emulator: Emulator) -> None:
    emulator.faults.cut_off(share=0.25)
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete message body"):
        api.request("POST", PATH, data=FORM)
    assert len(emulator.messages) == 1


def test_in_process_a_slow_answer_moves_the_clock_and_nobody_waits(api: Any, emulator: Emulator) -> None:
    emulator.faults.slow(seconds=4, pieces=4)
    before, began = emulator.clock.now(), time.monotonic()
    assert api.request("POST", PATH, data=FORM, timeout=2).status_code == 201
    assert emulator.clock.now() - before >= 4
    assert time.monotonic() - began < 2


def test_in_process_a_piece_that_takes_longer_than_the_read_timeout_ends_the_request(
    api: Any, emulator: Emulator
) -> None:
    emulator.faults.slow(seconds=40, pieces=4)
    with pytest.raises(httpx.ReadTimeout):
        api.request("POST", PATH, data=FORM, timeout=5)
    assert len(emulator.messages) == 1


def test_a_list_lags_behind_by_so_many_seconds(api: Any, emulator: Emulator) -> None:
    emulator.faults.lag_lists(30)
    message = api.send()
    assert api.listed() == []
    assert api.fetch(message)["sid"] == message["sid"]
    api.advance(31)
    assert len(api.listed()) == 1


@pytest.mark.parametrize(("shift", "seen"), [(1, "54 43 32 21 10"), (-1, "54 21 ")])
def test_pages_shift_while_they_are_read(api: Any, emulator: Emulator, shift: int, seen: str) -> None:
    for n in range(6):
        api.send(Body=str(n))
    emulator.faults.shift_pages(shift)
    pages, path = [], f"{PATH}?PageSize=2"
    while path:
        page = api.request("GET", path).json()
        pages.append("".join(one["body"] for one in page["messages"]))
        path = page["next_page_uri"]
    assert " ".join(pages) == seen


def test_on_a_socket_answers_are_dropped_before_and_after_accepting() -> None:
    with served() as (emulator, _, client):
        for accepted in (False, True):
            emulator.faults.drop(accepted=accepted)
            with pytest.raises(httpx.RemoteProtocolError):
                client.post(PATH, data=FORM)
            assert len(emulator.messages) == int(accepted)


def test_on_a_socket_a_body_is_cut_off() -> None:
    with served() as (emulator, _, client):
        emulator.faults.cut_off()
        with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete message body|peer closed"):
            client.post(PATH, data=FORM)
        assert len(emulator.messages) == 1


def test_on_a_socket_bytes_come_slowly_and_a_timeout_strikes() -> None:
    with served() as (emulator, _, client):
        emulator.faults.slow(seconds=0.2, pieces=4)
        began = time.monotonic()
        answer = client.post(PATH, data=FORM)
        assert time.monotonic() - began >= 0.19
        assert answer.json()["body"] == "Hello"
        emulator.faults.slow(seconds=5)
        with pytest.raises(httpx.ReadTimeout):
            client.post(PATH, data=FORM, timeout=IMPATIENT)
        assert len(emulator.messages) == 2


def status(client: httpx.Client, url: str) -> int | None:
    try:
        return client.get(url).status_code
    except httpx.ConnectError:
        return None


@pytest.mark.parametrize("pieces", [1, 8])
def test_a_client_who_leaves_a_slow_answer_is_not_an_error(caplog: pytest.LogCaptureFixture, pieces: int) -> None:
    with served() as (emulator, _, client):
        emulator.faults.slow(seconds=0.4, pieces=pieces)
        with pytest.raises(httpx.ReadTimeout):
            client.post(PATH, data=FORM, timeout=IMPATIENT)
        time.sleep(0.4)  # on a socket the answer goes on in real time, though nobody reads it
        assert client.post(PATH, data=FORM).status_code == 201
    assert "Error handling request" not in caplog.text


def test_on_a_socket_a_slow_answer_may_be_empty() -> None:
    with served() as (emulator, server, client):
        uri = client.post(PATH, data=FORM).json()["uri"]
        server.call(emulator.clock.advance, 5)
        emulator.faults.slow(seconds=0.01)
        assert client.delete(uri).status_code == 204


def test_on_a_socket_connections_are_refused_for_a_time_and_then_accepted_again() -> None:
    with served() as (emulator, server, client):
        assert client.get(PATH).status_code == 200
        emulator.faults.refuse(seconds=0.01)
        emulator.faults.refuse(seconds=0.5)
        with pytest.raises(httpx.ConnectError, match="refused"):
            client.get(PATH)
        until(lambda: status(client, server.url + PATH) == 200, "connections are accepted again")


def test_whoever_asks_over_http_for_connections_to_be_refused_still_gets_an_answer() -> None:
    with served() as (_, _, client):
        answer = client.post("/_emulator/faults", json={"fault": "refuse", "seconds": 60})
        assert answer.status_code == 204
        with pytest.raises(httpx.ConnectError):
            client.get(PATH)


async def test_the_server_itself_can_be_told_to_refuse() -> None:
    emulator = Emulator()
    async with emulator.serve() as server, httpx.AsyncClient() as client:
        emulator.faults.refuse(seconds=60)
        with pytest.raises(httpx.ConnectError):
            await client.get(server.url)
    assert emulator.faults.refuse_connections is None


def test_on_a_socket_a_certificate_is_for_another_host_even_where_it_is_trusted() -> None:
    with served() as (emulator, server, _):
        trusting = ssl.create_default_context(cafile=str(WRONG_CERTIFICATE))
        for verify, reason in ((ssl.create_default_context(), "self.signed"), (trusting, "not valid for '127.0.0.1'")):
            with httpx.Client(verify=verify) as client, pytest.raises(httpx.ConnectError, match=reason):
                client.post(server.wrong_certificate_url + PATH, data=FORM)
        assert emulator.messages == []
