"""The polling trigger: every creation once, every change at least once, whatever happens between and during polls."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from twilio_component.emulator import Emulator
from twilio_component.host import Context
from twilio_component.testing import Harness, emulator_connection
from twilio_component.triggers import polling

NUMBERS = {"to": "+15558675310", "from": "+15017122661"}


class Poller:
    """A flow that polls: keeps the state as a host does, as JSON, and everything that it was told."""

    def __init__(self, **inputs: Any) -> None:
        self.emulator = Emulator()
        self.inputs = {"twilioConnection": emulator_connection(), **inputs}
        self.state: dict[str, Any] = {}
        self.runner = asyncio.Runner()
        self.harness = Harness(emulator=self.emulator)
        self.runner.run(self.harness.__aenter__())
        self.result: dict[str, Any] = {}

    def close(self) -> None:
        self.runner.run(self.harness.__aexit__(None, None, None))
        self.runner.close()

    def send(self, body: str = "x") -> str:
        sid: str = self.runner.run(self.harness.action("sendSMS", {**NUMBERS, "message": body}))["data"]["sid"]
        return sid

    def advance(self, seconds: float) -> None:
        self.runner.run(self.emulator.clock.advance(seconds))

    def poll(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        context = Context(instance_state=self.state)
        invoked = self.harness.host.invoke_trigger("twilio", "pollChangesTrigger", {}, self.inputs, context=context)
        self.result = self.runner.run(invoked)
        self.state = json.loads(json.dumps({**self.state, **self.result["instanceState"]}))
        data = self.result["payload"]["body"]["data"]
        return data["created"], data["updated"]


@pytest.fixture
def poller() -> Any:
    poller = Poller()
    yield poller
    poller.close()


def sids(messages: list[dict[str, Any]]) -> list[str]:
    return [one["sid"] for one in messages]


def test_the_first_poll_tells_nothing_and_the_next_what_came_after(poller: Poller) -> None:
    poller.send()
    assert not any(poller.poll())
    assert poller.result["polledNoChanges"]

    new = [poller.send(), poller.send()]
    created, updated = poller.poll()
    assert (sorted(sids(created)), updated) == (sorted(new), [])
    assert not poller.result["polledNoChanges"]
    assert not any(poller.poll())


def test_an_account_without_messages_tells_its_first_one(poller: Poller) -> None:
    poller.poll()
    sid = poller.send()
    assert sids(poller.poll()[0]) == [sid]


def test_a_change_of_status_is_an_update_once(poller: Poller) -> None:
    poller.poll()
    sid = poller.send()
    poller.poll()
    poller.advance(60)
    created, updated = poller.poll()
    assert (created, sids(updated)) == ([], [sid])
    assert updated[0]["status"] == "delivered"
    assert not any(poller.poll())


def test_what_is_not_to_be_shown_is_not_told_later_either(poller: Poller) -> None:
    poller.inputs["showNewRecords"] = False
    poller.poll()
    poller.send()
    assert not any(poller.poll())
    poller.inputs |= {"showNewRecords": True, "showUpdatedRecords": False}
    poller.advance(60)
    assert not any(poller.poll())
    poller.inputs["showUpdatedRecords"] = True
    assert not any(poller.poll())


def test_more_than_one_poll_takes_come_oldest_first_over_several(poller: Poller) -> None:
    poller.inputs["limit"] = 3
    poller.poll()
    sent = []
    for _ in range(8):
        poller.advance(1)
        sent.append(poller.send())
    told = [sids(poller.poll()[0]) for _ in range(4)]
    assert told == [sent[:3], sent[3:6], sent[6:], []]


def test_changes_that_a_poll_has_no_room_for_come_later_although_the_window_would_have_moved_on(
    poller: Poller,
) -> None:
    poller.inputs |= {"limit": 1, "lookBackMinutes": 1}
    poller.poll()
    sent = [poller.send(), poller.send()]
    for _ in range(3):
        poller.poll()
    poller.advance(90)
    for one in poller.emulator.messages:
        one.error_code = 30003
    newest = poller.send()

    told = [poller.poll() for _ in range(5)]

    assert [sid for created, _ in told for sid in sids(created)] == [newest]
    assert sorted(sid for _, updated in told for sid in sids(updated)) == sorted(sent)


def test_filters_are_twilios(poller: Poller) -> None:
    poller.inputs["to"] = "+15558675311"
    poller.poll()
    poller.send()
    assert not any(poller.poll())


def test_a_state_of_another_version_begins_anew(poller: Poller) -> None:
    poller.poll()
    poller.send()
    poller.state["pollChangesTrigger"]["version"] = 0
    assert not any(poller.poll())
    sid = poller.send()
    assert sids(poller.poll()[0]) == [sid]


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_not_told_again(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MOST_REMEMBERED", 10)
    poller.poll()
    told: list[str] = []
    for _ in range(30):
        poller.advance(2)
        poller.send()
        told += sids(poller.poll()[0])
        assert len(poller.state["pollChangesTrigger"]["seen"]) <= 10
    assert len(told) == len(set(told)) == 30


class Polling(RuleBasedStateMachine):
    """Twilio's list does what it likes; the trigger's promises hold all the same."""

    messages = Bundle("messages")

    @initialize(limit=st.integers(1, 5), look_back=st.sampled_from([1, 60]), seed=st.integers(0, 2**16))
    def begin(self, limit: int, look_back: int, seed: int) -> None:
        self.look_back = look_back
        # Pages of three, so that there are some to shift.
        self.page, polling.PAGE = polling.PAGE, 3
        self.poller = Poller(limit=limit, lookBackMinutes=look_back)
        self.random = random.Random(seed)  # noqa: S311 - to choose, not to keep secret
        self.poller.poll()
        self.sent: set[str] = set()
        self.gone: set[str] = set()
        self.created: list[str] = []
        self.told: dict[str, str] = {}

    @rule(target=messages)
    def send(self) -> str:
        sid = self.poller.send()
        self.sent.add(sid)
        return sid

    @rule(seconds=st.integers(0, 20))
    def let_time_pass(self, seconds: int) -> None:
        self.poller.advance(seconds)

    @rule(sid=messages)
    def change(self, sid: str) -> None:
        for one in self.poller.emulator.messages:
            if one.sid == sid:
                one.error_code = self.random.choice([None, 30003, 30005, 30007])

    @rule(sid=messages)
    def delete(self, sid: str) -> None:
        account = self.poller.emulator.accounts.the_only()
        found = account.messages.get(sid)
        if found is not None:
            account.messages.remove(found)
            self.gone.add(sid)

    @rule(seconds=st.integers(1, 30))
    def let_the_list_lag(self, seconds: int) -> None:
        self.poller.emulator.faults.lag_lists(seconds)

    @rule(records=st.sampled_from([-2, -1, 0, 1, 2]))
    def let_pages_shift(self, records: int) -> None:
        # A page that loses records, poll after poll, is survived as long as the window reaches back to them.
        self.poller.emulator.faults.shift_pages(records if self.look_back > 1 else abs(records))

    @precondition(lambda self: hasattr(self, "poller"))
    @rule()
    def poll(self) -> None:
        self.note(*self.poller.poll())

    def note(self, created: list[dict[str, Any]], updated: list[dict[str, Any]]) -> None:
        for one in created:
            assert one["sid"] not in self.created, "a creation was told twice"
            self.created.append(one["sid"])
            self.told[one["sid"]] = polling._fate(one)
        for one in updated:
            assert one["sid"] in self.created, "a change was told before the creation"
            assert self.told[one["sid"]] != polling._fate(one), "the same was told twice in a row"
            self.told[one["sid"]] = polling._fate(one)

    @invariant()
    def what_is_remembered_is_plain_and_bounded(self) -> None:
        if hasattr(self, "poller"):
            assert len(self.poller.state["pollChangesTrigger"]["seen"]) <= len(self.sent) + 1

    def teardown(self) -> None:
        if not hasattr(self, "poller"):
            return
        polling.PAGE = self.page
        # In the end the list is honest again, and everything has been told.
        self.poller.emulator.faults.clear()
        self.poller.emulator.faults.shift_pages(0)
        self.poller.emulator.faults.lag_lists(0)
        self.poller.advance(60)
        for _ in range(2 * len(self.sent) + 2):
            self.note(*self.poller.poll())
        missing = self.sent - self.gone - set(self.created)
        assert missing == set(), "a creation was never told"
        for one in self.poller.emulator.messages:
            if one.sid in self.told and one.sid in self.poller.state["pollChangesTrigger"]["seen"]:
                current = self.poller.runner.run(self.poller.harness.action("getSMS", {"sid": one.sid}))["data"]
                assert self.told[one.sid] == polling._fate(current), "a change was never told"
        self.poller.close()


Polling.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestEverything = Polling.TestCase
