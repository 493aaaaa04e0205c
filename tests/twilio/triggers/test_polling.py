"""The polling trigger, promise by promise; ``test_polling_model.py`` mixes everything that may happen."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from support.pollers import Poller

from twilio_component.twilio.errors import TwilioError
from twilio_component.twilio.triggers import poll_diff, poll_state, polling


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


def as_version_1(state: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "since": state["since"], "seen": {sid: [*known] for sid, *known in reversed(state["seen"])}}


def test_a_state_of_the_version_before_is_gone_on_from(poller: Poller) -> None:
    poller.poll()
    told = [poller.send(), poller.send()]
    poller.poll()
    poller.remembered = as_version_1(poller.remembered)
    poller.advance(60)
    new = poller.send()

    created, updated = poller.poll()

    assert (sids(created), sorted(sids(updated))) == ([new], sorted(told))
    assert poller.remembered["version"] == poll_state.VERSION
    assert not any(poller.poll())


def test_a_state_of_a_later_version_begins_anew_and_says_so(poller: Poller) -> None:
    poller.poll()
    poller.send()
    poller.remembered["version"] += 1
    assert not any(poller.poll())
    assert ["a later version wrote it" in text for text in poller.harness.logger.messages] == [True]
    sid = poller.send()
    assert sids(poller.poll()[0]) == [sid]


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_not_told_again(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_state, "MAX_REMEMBERED", 10)
    poller.poll()
    told: list[str] = []
    for number in range(30):
        poller.advance(2 if number % 3 else 0)
        poller.send()
        told += sids(poller.poll()[0])
        assert len(poller.remembered["seen"]) <= 10
    assert len(told) == len(set(told)) == 30
    assert "1 younger than lookBackMinutes are no longer watched" in poller.harness.logger.messages[0]


def test_more_of_one_second_than_can_be_remembered_are_reported_once(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_state, "MAX_REMEMBERED", 10)
    poller.inputs["limit"] = 4
    poller.poll()
    sent = [poller.send() for _ in range(25)]
    told = [sid for _ in range(8) for sid in sids(poller.poll()[0])]
    assert told == sent
    sent.append(poller.send())
    assert sids(poller.poll()[0]) == sent[-1:]


def test_changes_that_are_not_told_yet_are_not_forgotten_for_new_messages(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_state, "MAX_REMEMBERED", 10)
    poller.inputs["limit"] = 5
    poller.poll()
    first = [poller.send() for _ in range(10)]
    for _ in range(2):
        poller.poll()
    for one in poller.emulator.messages:
        one.price = "-0.00750"
    second = [poller.send() for _ in range(10)]

    told = [poller.poll() for _ in range(5)]

    assert [sid for _, updated in told for sid in sids(updated)] == first
    assert [sid for created, _ in told for sid in sids(created)] == second
    assert [len(created) for created, _ in told] == [5, 5, 0, 0, 0]


def test_a_poll_that_dies_on_the_way_leaves_everything_as_it_was(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "PAGE", 2)
    poller.poll()
    sent = [poller.send() for _ in range(5)]
    before = copy.deepcopy(poller.state)
    poller.emulator.faults.html(status=404, operation="messages.list", nth=2)
    with pytest.raises(TwilioError):
        poller.poll()
    assert poller.state == before
    assert sids(poller.poll()[0]) == sent


def test_a_poll_reads_no_further_than_it_must(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PAGE", 5)
    monkeypatch.setattr(poll_diff, "HISTORY", 4)
    poller.inputs["lookBackMinutes"] = 1
    for _ in range(20):
        poller.send()
    poller.advance(3600)
    poller.send()
    poller.poll()

    def pages() -> int:
        before = len(poller.emulator.request_log.requests)
        poller.poll()
        return len(poller.emulator.request_log.requests) - before

    assert pages() == 1
    # Of those that it knows the only one is gone for good: it goes looking for it, but not through all of history.
    account = poller.emulator.accounts.default_account()
    account.messages.remove(poller.emulator.messages[-1])
    monkeypatch.setattr(poll_state, "MAX_REMEMBERED", 12)
    poller.send()
    assert pages() == 3
    monkeypatch.undo()
    monkeypatch.setattr(polling, "PAGE", 5)
    monkeypatch.setattr(poll_diff, "HISTORY", 5)
    assert pages() == 2


def test_clocks_that_jump_hide_nothing_and_repeat_nothing(poller: Poller) -> None:
    poller.inputs["lookBackMinutes"] = 1
    poller.poll()
    told, sent = [], []
    for days in (0, 0, 10, 0, 0, -10, -10, 0, 0):
        sent.append(poller.send())
        poller.emulator.messages[-1].created += dt.timedelta(days=days).total_seconds()
        told += sids(poller.poll()[0])
    poller.advance(60)
    for _ in range(2):
        told += sids(poller.poll()[0])
    assert told == sent
    # From the one that jumped ahead on, all of them are watched.
    poller.emulator.messages[4].error_code = 30007
    assert sids(poller.poll()[1]) == [sent[4]]


def test_a_scheduled_message_is_reported_when_it_is_created_and_not_again_when_it_is_sent(poller: Poller) -> None:
    poller.inputs["lookBackMinutes"] = 1
    service = poller.emulator.add_service("S", [poller.emulator.add_number("+15017122661")])
    poller.poll()
    at = dt.datetime.fromtimestamp(poller.emulator.clock.now(), dt.UTC) + dt.timedelta(hours=2)
    scheduled = poller.send(**{"from": None, "messagingServiceSid": service.sid, "sendAt": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
    assert sids(poller.poll()[0]) == [scheduled]
    poller.advance(3600)
    later = poller.send()
    assert sids(poller.poll()[0]) == [later]
    poller.advance(4000)
    assert poller.poll()[0] == []
    newest = poller.send()
    assert sids(poller.poll()[0]) == [newest]
