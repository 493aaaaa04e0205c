"""What the page has run again: one run, items of its list with other inputs perhaps, or many runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.operator.item_inputs import check_item_inputs
from twilio_component.durable.operator.item_selection import ItemSelection
from twilio_component.durable.operator.retry_plan import Retry
from twilio_component.durable.operator.views import RunFilter
from twilio_component.durable.store.run_status import FAILED, PARTLY_FAILED, UNKNOWN
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from twilio_component.durable.operator.operations import Operations
    from twilio_component.durable.operator.retry import Retried
    from twilio_component.durable.store.database import Database
    from twilio_component.host import Host

MOST_AT_ONCE = 200
"""How many runs one request begins again; the page asks again for the rest."""
_IN_BULK = (FAILED, PARTLY_FAILED)  # what is unknown, somebody has to look at, run by run


class Retries:
    """Has runs run again. What it raises is ``IntegrationError``, or ``ValueError`` for an invalid request."""

    def __init__(self, database: Database, operations: Operations) -> None:
        self._database = database
        self._operations = operations
        self._host: Host | None = None

    async def retry(self, run: str, body: Mapping[str, Any], *, resend: bool) -> Retried:
        """Have one run, or the chosen items of its lists, run again."""
        how = replace(_how(body), resend=resend)
        if how.items is not None and how.items.inputs:
            if self._host is None:
                from twilio_component.host import Host  # takes long, and few need it

                self._host = Host.discover()
            await check_item_inputs(self._database, self._host, run, how.items, label="")
        return await self._operations.retry_as(run, how)

    async def count(self, wanted: Mapping[str, Any]) -> dict[str, int]:
        """How many runs of a filter can be run again; only ``most`` of them in one go."""
        return {"count": len(await self._find(wanted)), "most": MOST_AT_ONCE}

    async def retry_many(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Have the newest runs of a filter run again.

        ``{"begun", "refused"}``: the number of runs that have begun, and ``{"id", "problem"}`` of each that cannot.
        """
        how, begun, refused = _how(body), 0, []
        for run in (await self._find(body))[:MOST_AT_ONCE]:
            try:
                await self._operations.retry_as(run, how)
                begun += 1
            except IntegrationError as error:
                refused.append({"id": run, "problem": str(error)})
        return {"begun": begun, "refused": refused}

    async def _find(self, wanted: Mapping[str, Any]) -> list[str]:
        state, flow, since = wanted.get("state"), wanted.get("flow", ""), wanted.get("since")
        if state not in _IN_BULK or not isinstance(flow, str):
            raise ValueError(f"state has to be one of {', '.join(_IN_BULK)}, and flow a text")
        return await self._operations.find_retryable(RunFilter(state=state, flow=flow or None, since=since))


def _how(body: Mapping[str, Any]) -> Retry:
    """How a run is to be run again: with which definition, and which items of its lists."""
    definition = body.get("definition", "began")
    if definition not in ("began", "current"):
        raise ValueError("definition has to be began or current")
    wanted = body.get("items")
    if wanted is None:
        return Retry(definition=definition)
    if not isinstance(wanted, dict) or wanted.get("state") not in (FAILED, UNKNOWN):
        raise ValueError("items have to be an object with the state failed or unknown")
    code, number, inputs = wanted.get("code"), wanted.get("number"), wanted.get("inputs", {})
    if not (code is None or isinstance(code, str)) or not (number is None or type(number) is int):
        raise ValueError("items have a code, as a text, and a number, as a whole number")
    if not isinstance(inputs, dict) or not all(isinstance(one, str) for one in inputs.values()):
        raise ValueError("inputs have to be an object of texts by their names")
    if inputs and number is None:
        raise ValueError("inputs are those of one item, so they need its number")
    selection = ItemSelection(state=wanted["state"], code=code, number=number, inputs=inputs)
    return Retry(definition=definition, items=selection)
