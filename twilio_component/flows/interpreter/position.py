"""Where an execution is in its flow: the lists of steps around the current step, outermost first.

Every list of steps of a flow (its own, a loop's, a branch's) is a block with a number. A frame is a block that the
execution has entered and not left; frames are plain values, so that an execution can be stored as JSON at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.references import INDEX, follow
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.model import all_steps, branch_steps

if TYPE_CHECKING:
    from twilio_component.flows.model import Branch, Flow, Reference, Step


@dataclass(slots=True, kw_only=True)
class Frame:
    """A block that the execution has entered: its number, and the position of the next step in it."""

    block: int
    position: int = 0

    def as_json(self) -> dict[str, Any]:
        """The frame as ``frame_from_json`` reads it. Items and results are shared, not copied."""
        names, values_of = _FIELDS[type(self)]
        return dict(zip(names, values_of(self), strict=True))


@dataclass(slots=True, kw_only=True)
class LoopFrame(Frame):
    """The block of a loop that is under way.

    ``loop`` is the step's key, ``iteration`` counts from 0 and ends before ``count``. ``items`` are those from
    ``first_index`` on, None for a counted loop. ``results`` has the result of each iteration that has ended. A loop
    that ``is_paged`` takes its items page by page and keeps no results: ``needs_page`` says that the next page is
    needed now, ``cursor`` what it comes after (None when there is none). An execution that is one iteration of a
    concurrent loop ends with this frame: ``single_iteration``.
    """

    loop: str
    items: list[Any] | None
    count: int
    first_index: int = 0
    iteration: int = 0
    results: list[Any] = field(default_factory=list)
    is_paged: bool = False
    needs_page: bool = False
    cursor: Any = None
    single_iteration: bool = False

    @property
    def item(self) -> Any:
        """The item of the current iteration; of a counted loop its number."""
        return self.iteration if self.items is None else self.items[self.iteration - self.first_index]

    def capture(self) -> LoopFrame:
        """The frame as iterations of an inner loop see it: with the current item and no other, and no results."""
        items = None if self.items is None else [self.item]
        return LoopFrame(
            block=self.block,
            position=self.position,
            loop=self.loop,
            items=items,
            count=self.count,
            first_index=self.iteration,
            iteration=self.iteration,
            single_iteration=self.single_iteration,
        )


_FIELDS: dict[type, tuple[tuple[str, ...], Callable[[Frame], tuple[Any, ...]]]] = {
    kind: (tuple(kind.__dataclass_fields__), attrgetter(*kind.__dataclass_fields__)) for kind in (Frame, LoopFrame)
}


def frame_from_json(data: Mapping[str, Any]) -> Frame:
    """The frame that ``as_json`` has written."""
    return LoopFrame(**data) if "loop" in data else Frame(**data)


class Layout:
    """The blocks of a flow by their numbers. ``optional`` are the keys of the steps inside branches.

    ``blocks`` has the steps of each, ``inside`` the keys of all steps in it; ``loops`` are the loops by key.
    """

    def __init__(self, flow_steps: tuple[Step, ...]) -> None:
        self.loops = {step.key: step for step in all_steps(flow_steps) if step.steps is not None}
        self.optional = frozenset(step.key for step in branch_steps(flow_steps))
        self.blocks: list[tuple[Step, ...]] = [flow_steps]
        self._numbers: dict[int, int] = {}
        for step in all_steps(flow_steps):
            if step.steps is not None:
                self._add_block(step, step.steps)
            for branch in step.branches or ():
                self._add_block(branch, branch.steps)
        self.inside = [[step.key for step in all_steps(block)] for block in self.blocks]

    def _add_block(self, holder: Step | Branch, steps: tuple[Step, ...]) -> None:
        self._numbers[id(holder)] = len(self.blocks)
        self.blocks.append(steps)

    def block_of(self, holder: Step | Branch) -> int:
        """The number of the block inside a loop or a branch."""
        return self._numbers[id(holder)]

    def loop_block(self, key: str) -> int:
        """The number of the block inside the loop with that key."""
        return self.block_of(self.loops[key])


def layout_of(flow: Flow) -> Layout:
    """The layout of a flow's steps, made once: a list has very many executions, some of copies ``without_retry``."""
    layout = _LAYOUTS.get(id(flow.steps))
    if layout is None:
        if len(_LAYOUTS) >= _MOST_LAYOUTS:
            _LAYOUTS.clear()
        layout = _LAYOUTS[id(flow.steps)] = Layout(flow.steps)
    return layout


_MOST_LAYOUTS = 100
_LAYOUTS: dict[int, Layout] = {}
"""By the identity of the steps, which each layout keeps: no others can have it meanwhile."""


class Position:
    """The frames of an execution, and how to move among the steps of its flow."""

    def __init__(self, layout: Layout) -> None:
        self.frames: list[Frame] = [Frame(block=0)]
        self._layout = layout

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.frames

    @property
    def paging_loop(self) -> LoopFrame | None:
        """The innermost frame, if it is a loop that needs its next page now."""
        frame = self.frames[-1] if self.frames else None
        return frame if isinstance(frame, LoopFrame) and frame.needs_page else None

    @property
    def is_at_block_end(self) -> bool:
        """Whether the last step of the innermost block has been done, and no page is needed to continue."""
        frame = self.frames[-1]
        return self.paging_loop is None and frame.position == len(self._layout.blocks[frame.block])

    @property
    def step(self) -> Step:
        """The current step; while a loop needs a page, that loop."""
        paging, frame = self.paging_loop, self.frames[-1]
        if paging is not None:
            return self._layout.loops[paging.loop]
        return self._layout.blocks[frame.block][frame.position]

    def step_id(self, step: Step) -> str:
        """The id of a step here: its key, after the loops around it, each with its iteration."""
        around = self.frames[: -1 if self.paging_loop is not None else None]
        loops = [f"{frame.loop}[{frame.iteration}]." for frame in around if isinstance(frame, LoopFrame)]
        return "".join((*loops, step.key))

    def block_of(self, holder: Step | Branch) -> int:
        """The number of the block inside a loop or a branch."""
        return self._layout.block_of(holder)

    def keys_in(self, frame: Frame) -> Sequence[str]:
        """The keys of all steps inside a frame's block."""
        return self._layout.inside[frame.block]

    def advance(self) -> None:
        """Continue to the next step of the innermost block."""
        self.frames[-1].position += 1

    def enter_branch(self, step: Step, name: str) -> bool:
        """Enter the branch of that name; whether the step has one."""
        for branch in step.branches or ():
            if branch.name == name:
                self.frames.append(Frame(block=self.block_of(branch)))
                return True
        return False

    def leave_to_loop(self, step: Step) -> LoopFrame:
        """Leave everything inside the innermost loop, for ``breakLoop``; raises ``EvaluationError`` outside one."""
        for index in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[index]
            if isinstance(frame, LoopFrame):
                if frame.single_iteration:
                    break
                del self.frames[index + 1 :]
                return frame
        raise EvaluationError(f"{step.name} is not in a loop that it could leave")

    def loop_value(self, reference: Reference) -> Any:
        """The value of a reference to ``currentItem`` or ``index``; raises ``EvaluationError`` where there is none."""
        for frame in reversed(self.frames):
            if isinstance(frame, LoopFrame) and frame.loop == reference.step:
                return follow(reference, frame.iteration if reference.part == INDEX else frame.item)
        raise EvaluationError(f"{reference} has no value: it is not inside a loop '{reference.step}'")
