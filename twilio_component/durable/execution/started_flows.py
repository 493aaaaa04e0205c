"""The flows that an execution starts: which cannot be started, and which are replaced when their step is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.durable import ids
from twilio_component.flows.interpreter.effects import Failure
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.flows.interpreter.effects import StartFlow
    from twilio_component.flows.model import Flow, Integration

_MAX_NESTING = 10


class StartedFlows:
    """What is to be known of the flows of one execution before another one is started."""

    def __init__(self, runs: RunStore, integration: Integration) -> None:
        self._runs = runs
        self._integration = integration
        self._failed: dict[str, list[int]] = {}

    def note_failure(self, start: StartFlow, ordinal: int) -> None:
        """Note that the flow that this call started has failed: the step, or the flow, may have a retry of its own."""
        self._failed.setdefault(start.id, []).append(ordinal)

    async def choose(self, start: StartFlow, caller: str, *, is_recorded: bool) -> Flow | Failure:
        """The flow to start, or why this execution of a run, or an item's iteration, cannot start it.

        Those that failed in the same step give their places to it, so that no operator runs them again beside it; not
        so in a replay, where the result is recorded.
        """
        flows = self._integration.flows
        found = next((flow for flow in flows if flow.name == start.flow), None)
        if found is None:
            names = join_names(flow.name for flow in flows)
            return Failure(code="unknown-flow", message=f"there is no such flow ({names})", permanent=True)
        if ids.nesting(caller) >= _MAX_NESTING:
            message = f"flows start flows without end (more than {_MAX_NESTING} deep)"
            return Failure(code="endless-flows", message=message, permanent=True)
        earlier = [
            ids.child_id(one, number) for one in ids.lineage(caller) for number in self._failed.get(start.id, ())
        ]
        for flow in [] if is_recorded else earlier:
            going_on = await self._runs.replace_flow(flow)
            if going_on is not None:
                message = f"the step is not repeated: the run '{going_on}' has done something, or may still do so"
                return Failure(code="flow-failed", message=message, permanent=True, acted=True)
        return found
