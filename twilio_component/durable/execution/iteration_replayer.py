"""Drives one iteration of a concurrent loop to completion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.errors import ResultOvertaken, RunStopped
from twilio_component.durable.execution.replayer import Replayer
from twilio_component.durable.store.item_ends import LastCall
from twilio_component.durable.store.journal import JournalEntry
from twilio_component.flows.interpreter.effects import Call, Done
from twilio_component.flows.interpreter.ends import SUCCEEDED, end_of

if TYPE_CHECKING:
    from twilio_component.durable.fanout.store import Item, LoopKey
    from twilio_component.flows.interpreter.effects import FanOut, StartFlow, TakePage, Wait
    from twilio_component.flows.model import Flow

_FAILED_EARLY = object()


class IterationReplayer(Replayer):
    """One iteration of a loop, which is not a workflow of its own. The event ``stopping`` tells it to stop.

    The result of a send is reported to the execution before it is stored: if nothing comes after it, the end of the
    iteration is stored with it. Nothing is done with such a result before it is stored.
    """

    def __init__(
        self, key: LoopKey, item: Item, stopping: asyncio.Event, *arguments: Any, keeps_results: bool, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.item = item.id
        self.is_end_stored = False
        self.has_called = False
        self._last_call = LastCall((key.run, key.ordinal), item.id, keeps_results)
        self._replaced = item.inputs
        self._stopping = stopping
        self._reported_early: object = None

    def _end_with(self, call: Call, entry: JournalEntry) -> LastCall | None:
        if self._reported_early is not None:  # of an earlier attempt; the iteration will be replayed
            return None
        self._reported_early = _FAILED_EARLY
        try:
            super()._report(call, entry.value)
            effect = self._execution.next()
        except Exception:  # noqa: BLE001 - the replay raises it again
            return None
        self._reported_early = entry.value
        self.is_end_stored = isinstance(effect, Done) and end_of(effect)[0] == SUCCEEDED and not self.state_changes()
        return self._last_call if self.is_end_stored else None

    def _report(self, effect: Call | StartFlow | TakePage | FanOut, result: Mapping[str, Any]) -> None:
        early, self._reported_early = self._reported_early, None
        if early is None:
            super()._report(effect, result)
        elif early is not result:
            raise ResultOvertaken

    async def _next_ordinal(self) -> int:
        self._calls += 1
        return self._calls - 1

    async def _wait(self, wait: Wait) -> None:
        ordinal = await self._next_ordinal()
        entry = self._journal.pop(ordinal, None)
        if entry is None:
            until = time.time() + wait.seconds if wait.until is None else wait.until
            entry = JournalEntry(step_id=wait.id, value={"until": until})
            await self._services.runs.record(self.caller, ordinal, entry)
        try:
            async with asyncio.timeout(max(0.0, entry.value["until"] - time.time())):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise RunStopped

    async def _must_await_again(self, _child: Flow, _ordinal: int) -> bool:
        return False

    @property
    def _is_past_last_call(self) -> bool:
        return False

    async def _call(self, call: Call, ordinal: int) -> None:
        self.has_called = True
        if self._replaced is not None and self._replaced["step"] == call.id:
            call = replace(call, inputs={**call.inputs, **self._replaced["inputs"]})
        await super()._call(call, ordinal)

    def _raise_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise RunStopped
