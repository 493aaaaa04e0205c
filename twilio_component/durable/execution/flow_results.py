"""What the end of a flow that a run started and waited for means for the step that started it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store import run_status
from twilio_component.flows.interpreter.effects import Failure

if TYPE_CHECKING:
    from twilio_component.durable.store.runs import RunStore

_SUCCEEDED = (run_status.SUCCEEDED, run_status.PARTLY_FAILED)
_OPEN = (
    run_status.PURGED,
    run_status.UNKNOWN,
    # It may go on, or another run in its place, and nobody will wait for that.
    run_status.PAUSED,
    run_status.LIST_STOPPED,
    run_status.RETRIED,
)
_OF_OPERATORS = (run_status.CANCELLED, run_status.RESOLVED)


async def flow_result(runs: RunStore, flow: str) -> dict[str, Any] | Failure:
    """The result of the step that started the flow with this id, which has ended or been stopped.

    One that has done something is not started anew by the step's, or the flow's, own retry; nor is one that an operator
    has cancelled, and may resume. Retries until the database is available.
    """
    outcome: Mapping[str, Any] | None = await runs.outcome(flow, wait_for_database=True)
    state = run_status.PURGED if outcome is None else outcome["state"]
    if outcome is not None and state in _SUCCEEDED:
        return {"data": {"executionId": flow, "result": outcome["result"]}}
    acts = await runs.waits.acts_of(flow)
    return Failure(
        code="flow-failed",
        message=f"the started run '{flow}' is {state}",
        outcome_unknown=state in _OPEN or (state != run_status.RESOLVED and acts.uncertain),
        acted=acts.acted or state in _OF_OPERATORS,
    )
