"""Why a run has not ended yet, in words for an agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twilio_component.durable.store.call_states import CLAIMED, IN_DOUBT, PLANNED

_CALLS = {CLAIMED: "is under way", IN_DOUBT: "may have happened, and is being looked for"}


def why_running(run: Mapping[str, Any]) -> str:
    """Return what a run waits for, of what ``RunViews.show`` returns; empty if it waits for nothing."""
    return "; ".join(dict.fromkeys(_reasons(run)))


def _reasons(run: Mapping[str, Any]) -> Iterator[str]:
    for wait in run["waits"]:
        yield f"it {wait['text']}"
    for step in run["steps"]:
        if step["state"] in _CALLS:
            yield f"{step['step']} {_CALLS[step['state']]}"
        elif step["state"] == PLANNED and "reason" in step:
            until = f" until {step['heldUntil']}" if "heldUntil" in step else ""
            yield f"{step['step']} has sent nothing and waits{until} ({step['reason']})"
