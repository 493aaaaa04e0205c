"""The feed on the wire: server-sent events, in process and on a socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from support.waiting import until

from twilio_component.emulator import Emulator
from twilio_component.emulator import change_feed as feed_module
from twilio_component.emulator.control import events

if TYPE_CHECKING:
    import pytest

TO, FROM = "+15558675310", "+15017122661"
ACCOUNT_SID = "AC" + "0" * 31 + "1"
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {"To": TO, "From": FROM, "Body": "Hello"}


class Told:
    """The events of an open stream, one after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self, kind: str | None = None) -> tuple[str, Any]:
        """The id and the data of the next event (of a kind)."""
        event: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
            elif "data" in event:
                if kind in (None, event["event"]):
                    return event["id"], json.loads(event["data"])
                event = {}
        raise AssertionError("the stream has ended")


@contextmanager
def watching(url: str, **headers: str) -> Iterator[Told]:
    with httpx.stream("GET", f"{url}/_emulator/events", headers=headers, timeout=5) as response:
        yield Told(response)


def send(url: str, **form: str) -> Any:
    return httpx.post(url + PATH, data=FORM | form, auth=(ACCOUNT_SID, "token")).json()


def test_a_message_is_told_when_it_is_sent_and_each_time_its_status_changes() -> None:
    emulator = Emulator()
    with emulator.serve_in_thread() as server, watching(server.url) as told:
        assert told.response.headers["content-type"] == "text/event-stream"
        assert told.response.headers["cache-control"] == "no-store"
        _, state = told.next("reset")
        assert state["messages"] == 0
        sid = send(server.url)["sid"]
        _, item = told.next("message")
        assert (item["sid"], item["body"], item["status"]) == (sid, "Hello", "queued")
        assert item["conversation"] == f"{ACCOUNT_SID}/{FROM}/{TO}"
        server.call(emulator.clock.advance, 5)
        while item["status"] != "delivered":
            _, item = told.next("message")


def test_a_browser_that_was_away_is_told_what_it_missed() -> None:
    with Emulator().serve_in_thread() as server:
        with watching(server.url) as told:
            seen, _ = told.next("reset")
        sid = send(server.url)["sid"]
        with watching(server.url, **{"Last-Event-ID": seen}) as told:
            _, item = told.next()
            assert item["sid"] == sid


def test_webhooks_refusals_and_conditions_are_reported_too() -> None:
    emulator = Emulator()
    with emulator.serve_in_thread() as server, watching(server.url) as told:
        told.next("reset")
        httpx.post(f"{server.url}/_emulator/faults", json={"fault": "rateLimit"})
        _, state = told.next("conditions")
        assert [one["fault"] for one in state["faults"]] == ["rateLimit"]
        send(server.url)
        _, refusal = told.next("refusal")
        assert (refusal["status"], refusal["error"]["code"], refusal["body"]) == (429, 20429, "Hello")
        _, state = told.next("conditions")
        assert state["faults"] == []
        sid = send(server.url, StatusCallback="http://127.0.0.1:9/")["sid"]
        server.call(emulator.clock.advance, 1)
        assert told.next("webhook")[1] == {"sid": sid}
        httpx.delete(f"{server.url}/_emulator/messages")
        assert told.next("reset")[1]["messages"] == 0


async def test_a_burst_about_one_message_is_reported_once() -> None:
    emulator = Emulator()
    account = emulator.accounts.default_account()
    message = await emulator.receive(to=FROM, sender=TO, body="Hi", account=account)
    for _ in range(5):
        emulator.feed.update_message(message)
    answer = await events.event_stream(emulator.state, emulator.feed.position(0))
    assert answer.stream is not None
    first = await anext(answer.stream)
    await answer.stream.aclose()

    assert first.count(b"event: message") == 1


async def test_a_quiet_stream_shows_signs_of_life() -> None:
    emulator = Emulator()
    answer = await events.event_stream(emulator.state, emulator.feed.position(0), heartbeat=0.01)
    assert answer.stream is not None
    found = [await anext(answer.stream) for _ in range(2)]
    await answer.stream.aclose()

    assert found == [b": still here\n\n"] * 2


async def test_in_process_the_stream_can_be_read_too() -> None:
    emulator = Emulator()
    async with (
        httpx.AsyncClient(transport=emulator.transport, base_url="http://emulator.test") as client,
        client.stream("GET", "/_emulator/events") as response,
    ):
        text = ""
        async for piece in response.aiter_text():
            text += piece
            if "event: reset" in text:
                break

    assert text.startswith("retry: 1000\n\nid: ")
    assert emulator.feed._watchers == []


def test_a_reader_who_leaves_is_forgotten() -> None:
    emulator = Emulator()
    with emulator.serve_in_thread() as server:
        with watching(server.url) as told:
            told.next("reset")
            assert len(emulator.feed._watchers) == 1
        send(server.url)
        until(lambda: emulator.feed._watchers == [], "nobody watches")


def test_a_server_that_ends_does_not_wait_for_its_watchers() -> None:
    emulator = Emulator()
    with watching_forever(emulator) as began:
        pass
    assert time.monotonic() - began < 3
    assert emulator.feed._watchers == []


@contextmanager
def watching_forever(emulator: Emulator) -> Iterator[float]:
    with emulator.serve_in_thread() as server:
        client = httpx.Client()
        response = client.send(client.build_request("GET", f"{server.url}/_emulator/events"), stream=True)
        began = time.monotonic()
        yield began
    response.close()
    client.close()


def test_more_watchers_than_there_is_room_for_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_WATCHERS", 0)
    with Emulator().serve_in_thread() as server:
        answer = httpx.get(f"{server.url}/_emulator/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
