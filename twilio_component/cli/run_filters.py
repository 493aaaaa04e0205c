"""What selects runs on the command line, checked before it selects none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names

if TYPE_CHECKING:
    from twilio_component.durable.operator.views import RunViews


async def check_flow(views: RunViews, flow: str) -> None:
    """Raise ``InputError`` for the name of a flow that has no runs and is not served: it is misspelt."""
    names = await views.known_flows()
    if flow not in names:
        hint = did_you_mean(flow, names) or f" (flows: {join_names(names)})"
        raise InputError("There are no such runs", [Problem("--flow", f"no flow '{flow}' has runs or is served{hint}")])


def resource_id(text: str) -> str:
    """Return the id of what a call created; raises ``InputError`` for a malformed SID of a message or verification."""
    from twilio_component.twilio.inputs.sids import message_sid, verification_sid

    cleaners = {"SM": message_sid, "MM": message_sid, "VE": verification_sid}  # others are another component's
    try:
        clean = cleaners.get(text[:2])
        return text if clean is None else clean(text, {})
    except ValueError as error:
        raise InputError("There is no such message", [Problem("--sid", str(error))]) from error
