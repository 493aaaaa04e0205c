"""The polling trigger against a model: Twilio's list does what it likes, polls are cut and die, states grow old.

The model knows what was sent, what became of it, and what the trigger has told. It never looks at what the trigger
remembers, or how it tells two fates apart.
"""

from __future__ import annotations

import copy
import datetime as dt
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.pollers import Poller

from twilio_component.twilio.errors import TwilioError
from twilio_component.twilio.triggers import poll_diff, polling

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Message

CONTENT = ("status", "errorCode", "errorMessage", "price", "priceUnit")
_DAY = 24 * 3600


@dataclass
class Sent:
    """What the model knows of a message.

    ``owed`` says that a change of it must be told some day, ``is_late`` that a poll may have missed it for longer than
    the window reaches back.
    """

    message: Message
    is_new: bool
    is_gone: bool = False
    told: tuple[Any, ...] | None = None
    owed: bool = False
    is_late: bool = False

    @property
    def content(self) -> tuple[Any, ...]:
        shown = self.message.representation()
        names = ("status", "error_code", "error_message", "price", "price_unit")
        return tuple(shown[name] for name in names)


@dataclass
class Model:
    """Everything that was sent, in the list's order; what a poll may tell, and what must have been told."""

    look_back: float
    sent: dict[str, Sent] = field(default_factory=dict)
    newest: float = 0.0

    def check(self, created: list[dict[str, Any]], updated: list[dict[str, Any]], limit: int) -> None:
        assert len(created) <= limit
        assert len(updated) <= limit
        for told in (created, updated):
            places = [[*self.sent].index(one["sid"]) for one in told]
            if any(self.sent[one["sid"]].message.send_at for one in told):
                # Two of one second may stand the other way round, when they were scheduled for other times.
                places = [int(self.sent[one["sid"]].message.created) for one in told]
            assert places == sorted(places), "the oldest come first"
        for one in created:
            known = self.sent[one["sid"]]
            assert known.told is None, "a creation is told once"
            self._tell(known, one)
        for one in updated:
            known = self.sent[one["sid"]]
            assert known.told is not None, "a creation is told before its changes"
            assert known.told != _content(one), "nothing is told twice in a row with the same content"
            self._tell(known, one)

    def _tell(self, known: Sent, one: dict[str, Any]) -> None:
        assert not known.is_gone
        assert _content(one) == known.content, "what is told is what is true"
        known.told, known.owed = _content(one), False
        self.newest = max(self.newest, known.message.created)

    @property
    def begin(self) -> float:
        return int(self.newest) - self.look_back

    def watched(self) -> list[Sent]:
        """Those whose changes must be told: told themselves, and within the window."""
        told = [one for one in self.sent.values() if one.told is not None]
        return [one for one in told if int(one.message.created) >= self.begin]


def _content(one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(one[name] for name in CONTENT)


class Polling(RuleBasedStateMachine):
    """Twilio's list does what it likes; the trigger's promises hold all the same."""

    messages = Bundle("messages")

    @initialize(
        limit=st.integers(1, 5),
        look_back=st.sampled_from([1, 60]),
        before=st.integers(0, 3),
        jumps=st.booleans(),
        seed=st.integers(0, 2**16),
    )
    def begin(self, *, limit: int, look_back: int, before: int, jumps: bool, seed: int) -> None:
        # Pages of three, so that there are some to shift, and little patience with history.
        self.patched = pytest.MonkeyPatch()
        self.patched.setattr(polling, "PAGE", 3)
        self.patched.setattr(poll_diff, "HISTORY", 3)
        # When clocks jump only the order of the list is left, so it must hide nothing, and nothing may be deleted, nor
        # scheduled: a scheduled message moves up when it is sent.
        self.jumps = jumps
        self.limit = limit
        self.random = random.Random(seed)  # noqa: S311 - to choose, not to keep secret
        self.poller = Poller(limit=limit, lookBackMinutes=look_back)
        number = self.poller.emulator.add_number("+15017122661")
        self.service = self.poller.emulator.add_service("Test", [number]).sid
        self.model = Model(look_back * 60)
        for _ in range(before):
            self._note(self.poller.send(), is_new=False)
            self.poller.advance(1)
        self.poller.poll()
        for one in self.model.sent.values():
            # Changes of those at the end of the list may be told.
            one.told = one.content
        self.model.newest = max((one.message.created for one in self.model.sent.values()), default=0.0)

    def _note(self, sid: str, *, is_new: bool = True) -> str:
        message = self.poller.emulator.accounts.default_account().messages.get(sid)
        assert message is not None
        self.model.sent[sid] = Sent(message, is_new)
        return sid

    @rule(target=messages)
    def send(self) -> str:
        return self._note(self.poller.send())

    @precondition(lambda self: not self.jumps)
    @rule(target=messages, minutes=st.sampled_from([16, 90]))
    def schedule(self, minutes: int) -> str:
        at = dt.datetime.fromtimestamp(self.poller.emulator.clock.now(), dt.UTC) + dt.timedelta(minutes=minutes)
        service = {"from": None, "messagingServiceSid": self.service, "sendAt": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        return self._note(self.poller.send(**service))

    @precondition(lambda self: self.jumps)
    @rule(target=messages, days=st.sampled_from([-10, -1, 1, 10]))
    def send_while_the_clock_is_wrong(self, days: int) -> str:
        sid = self._note(self.poller.send())
        self.model.sent[sid].message.created += days * _DAY
        return sid

    @rule(seconds=st.one_of(st.integers(0, 20), st.sampled_from([70, 1000, 4000])))
    def let_time_pass(self, seconds: int) -> None:
        self.poller.advance(seconds)

    @rule(sid=messages)
    def change(self, sid: str) -> None:
        self.model.sent[sid].message.error_code = self.random.choice([None, 30003, 30005, 30007])

    @rule(sid=messages)
    def charge(self, sid: str) -> None:
        self.model.sent[sid].message.price = self.random.choice([None, "-0.00750", "-0.00790"])

    @precondition(lambda self: not self.jumps)
    @rule(sid=messages)
    def delete(self, sid: str) -> None:
        known = self.model.sent[sid]
        if not known.is_gone:
            self.poller.emulator.accounts.default_account().messages.remove(known.message)
            known.is_gone = True

    @precondition(lambda self: not self.jumps)
    @rule(seconds=st.integers(0, 30))
    def let_the_list_lag(self, seconds: int) -> None:
        self.poller.emulator.faults.lag_lists(seconds)

    @rule(records=st.integers(0, 2))
    def let_pages_shift(self, records: int) -> None:
        self.poller.emulator.faults.shift_pages(records)

    @precondition(lambda self: not self.jumps)
    @rule(records=st.sampled_from([1, 2]))
    def let_pages_lose_records(self, records: int) -> None:
        self.poller.emulator.faults.shift_pages(-records)

    @precondition(lambda self: not self.jumps and self.poller.remembered["version"] > 1)
    @rule()
    def update_the_program(self) -> None:
        state = self.poller.remembered
        seen = {sid: [*known] for sid, *known in sorted(state["seen"])}
        self.poller.remembered = {"version": 1, "since": state["since"], "seen": seen}

    @rule(page=st.integers(1, 3))
    def poll_and_die(self, page: int) -> None:
        faults, before = self.poller.emulator.faults, copy.deepcopy(self.poller.state)
        fault = faults.html(status=404, operation="messages.list", nth=page)
        owed = self._owed()
        try:
            told = self.poller.poll()
        except TwilioError:
            assert self.poller.state == before
        else:
            self._hear(owed, told)
        faults.remove(fault)

    @rule()
    def poll(self) -> None:
        self._hear(self._owed(), self.poller.poll())

    def _owed(self) -> list[Sent]:
        """Whose changes this poll can see, so that they must be told by it or by a later one."""
        faults, now = self.poller.emulator.faults, self.poller.emulator.clock.now()
        if faults.page_shift < 0:
            return []
        watched = [one for one in self.model.watched() if not one.is_gone and one.told != one.content]
        return [one for one in watched if not faults.list_lag or one.message.created <= now - faults.list_lag]

    def _hear(self, owed: list[Sent], told: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
        for one in owed:
            one.owed = True
        self.model.check(*told, self.limit)
        if self.poller.emulator.faults.page_shift < 0:
            for one in self.model.sent.values():
                one.is_late = one.is_late or int(one.message.created) < self.model.begin

    @invariant()
    def nothing_grows(self) -> None:
        if hasattr(self, "poller"):
            assert len(self.poller.remembered["seen"]) <= len(self.model.sent)

    def teardown(self) -> None:
        if not hasattr(self, "poller"):
            return
        try:
            self._settle()
        finally:
            self.patched.undo()
            self.poller.close()

    def _settle(self) -> None:
        """In the end the list is honest again, and everything has been told."""
        self.poller.emulator.faults.clear()
        if not self.jumps:
            self.poller.advance(31)
        for _ in range(2 * len(self.model.sent) + 2):
            self.poll()
        for one in self.model.sent.values():
            if one.is_new and not one.is_gone and not one.is_late:
                assert one.told is not None, "a creation is never lost"
            if one.owed and not one.is_gone and not one.is_late:
                assert one.told == one.content, "a change is never lost"
        assert not any(self.poller.poll())


Polling.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEverything = Polling.TestCase


def test_a_message_that_is_listed_late_is_forgotten_with_those_above_it() -> None:
    state = Polling()
    state.begin(limit=3, jumps=False, before=0, seed=9332, look_back=1)
    state.send()
    scheduled = state.schedule(minutes=90)
    sent = state.send()
    state.schedule(minutes=16)
    state.let_pages_lose_records(records=1)
    state.poll_and_die(page=2)
    state.let_time_pass(seconds=70)
    state.charge(sid=scheduled)
    state.send()
    for page in (2, 3, 1, 2):
        state.poll_and_die(page=page)
    state.change(sid=sent)
    state.poll_and_die(page=1)
    state.send()
    state.let_pages_lose_records(records=2)
    state.schedule(minutes=90)
    state.teardown()
