"""The loops of an execution: how they begin, go from one iteration to the next, and end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.expressions.references import as_text
from twilio_component.flows.interpreter.decisions import loop_items
from twilio_component.flows.interpreter.effects import Call, Effect, Failure, FanOut, ItemSource, TakePage
from twilio_component.flows.interpreter.ends import ITEMS_FAILED, failed_items
from twilio_component.flows.interpreter.iterations import add_counts, captured_state
from twilio_component.flows.interpreter.position import LoopFrame, Position
from twilio_component.flows.interpreter.state import note

if TYPE_CHECKING:
    from twilio_component.flows.model import Step


class Loops:
    """Moves an execution through its loops. ``state`` is that of the execution, ``position`` where it is."""

    def __init__(self, position: Position, scope: Scope) -> None:
        self.state: dict[str, Any] = {}
        self._position = position
        self._scope = scope

    def pass_step(self, step: Step, result: Any) -> None:
        """Record a step's result and continue to the step after it."""
        self.state["results"][step.key] = result
        self.state.update(last=step.key, attempt=1, since=None)
        self.state["steps"] += 1
        self._position.advance()

    def begin(self, step: Step) -> None:
        """Begin a loop that runs one iteration after the other; one without items is over at once."""
        is_paged = step.source is not None
        count, items = (0, []) if is_paged else loop_items(step, self._scope)
        self.pass_step(step, {"count": 0} if is_paged else [])
        if count or is_paged:
            block = self._position.block_of(step)
            frame = LoopFrame(
                block=block, loop=step.key, items=items, count=count, is_paged=is_paged, needs_page=is_paged
            )
            self._position.frames.append(frame)
            self.state["last"] = ""

    def fan_out(self, step: Step) -> FanOut:
        """The effect that runs all iterations of a concurrent loop."""
        if step.source is not None:
            source = self._source(step)
        else:
            count, items = loop_items(step, self._scope)
            source = ItemSource(items=list(range(count)) if items is None else items)
        return FanOut(
            id=self._position.step_id(step),
            name=step.name,
            operation=step.operation,
            loop=step.key,
            concurrency=step.concurrency or 1,
            source=source,
            captured=captured_state(self.state, self._position.frames, step),
            attempt=self.state["attempt"],
            flow_attempt=self.state["flow_attempt"],
        )

    def count(self, step: Step, tally: Mapping[str, Any]) -> None:
        """Accept the counts of a concurrent loop as its result."""
        self.state["iterations"] = add_counts(self.state["iterations"], tally)
        if tally["unknown"]:
            # The flow continues, and an operator has to know.
            self.state["unrepeatable"] = True
            message = f"the outcome of {tally['unknown']:,} of {tally['count']:,} iterations is unknown"
            failure = Failure(code="outcome-unknown", message=message, outcome_unknown=True)
            note(self.state, step.name, self._position.step_id(step), failure, "counted")
        if tally["failed"]:
            failure = Failure(code=ITEMS_FAILED, message=failed_items(tally))
            note(self.state, step.name, self._position.step_id(step), failure, "counted")
        self.pass_step(step, tally)

    def take_page(self, step: Step, frame: LoopFrame) -> Effect:
        """The effect that takes the loop's next page."""
        return TakePage(
            id=f"{self._position.step_id(step)}.page[{frame.iteration}]",
            name=step.name,
            source=self._source(step),
            after=frame.cursor,
            attempt=self.state["attempt"],
            flow_attempt=self.state["flow_attempt"],
        )

    def turn_page(self, frame: LoopFrame, page: Mapping[str, Any]) -> None:
        """Continue with the items of a page: ``{"items": […], "next": …}``."""
        items = page["items"]
        frame.items, frame.first_index, frame.cursor = items, frame.iteration, page["next"]
        frame.count = frame.first_index + len(items)
        self.state["attempt"] = 1
        frame.needs_page = not items and frame.cursor is not None
        if not items and frame.cursor is None:
            self.end_loop()

    def close_block(self) -> None:
        """Continue after the last step of a block: with the loop's next iteration, or with what follows the block."""
        frame = self._position.frames[-1]
        if not isinstance(frame, LoopFrame):
            self._position.frames.pop()
            return
        self.end_iteration(frame)
        if frame.iteration < frame.count:
            return
        if frame.cursor is not None:
            frame.needs_page = True
        else:
            self.end_loop()

    def end_iteration(self, frame: LoopFrame) -> None:
        """Record the result of an iteration, and stand before the first step of the next one."""
        results, last = self.state["results"], self.state["last"]
        if not frame.is_paged:  # a loop that may continue for ever keeps no list
            frame.results.append(results.get(last) if last else None)
        # A result of one iteration must not pass for one of the next, where another branch may be taken.
        for key in self._position.keys_in(frame):
            results.pop(key, None)
        frame.position = 0
        frame.iteration += 1
        self.state["last"] = ""
        self.state["steps"] += 1

    def end_loop(self) -> None:
        """Leave the innermost frame, a loop's, with its result."""
        frame = self._position.frames.pop()
        assert isinstance(frame, LoopFrame)  # noqa: S101 - the callers have looked
        self.state["results"][frame.loop] = {"count": frame.iteration} if frame.is_paged else frame.results
        self.state["last"] = frame.loop
        if frame.single_iteration:
            self._position.frames.clear()

    def _source(self, step: Step) -> ItemSource:
        assert step.source is not None  # noqa: S101 - the callers have looked
        if step.source.file is not None:
            return ItemSource(file=as_text(evaluate(step.source.file, self._scope)))
        listing = step.source.listing
        assert listing is not None  # noqa: S101 - it is one or the other
        call = Call(
            id=self._position.step_id(step),
            name=step.name,
            component=listing.component,
            action=listing.action,
            inputs={name: evaluate(value, self._scope) for name, value in listing.inputs.items()},
            attempt=self.state["attempt"],
            flow_attempt=self.state["flow_attempt"],
            stored_state=self.state["stored_state"],
        )
        return ItemSource(listing=call)
