"""Schedules: flows that a clock starts, once for each of its times across all processes."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from dbos import DBOS, ScheduleInput

from twilio_component.durable.store.new_runs import NewRun
from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.findings import EvaluationError, FlowError
from twilio_component.flows.model import find_flow, schedule_zone
from twilio_component.flows.parsing.cron import check_cron
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, Loaded
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.flows.model import ConfigVar, Flow, Reference

_LONGEST_POLL = 3600.0  # a run that never gets to its poll must not keep all others from theirs
_LOGGER = logging.getLogger("twilio_component.durable")

Fire = Callable[[dt.datetime, Any], Coroutine[Any, Any, None]]


class _Context(TypedDict):
    """What the clock hands on: which flow of which definition."""

    definition: str
    flow: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A definition whose schedules are to be kept, and the digest by which runs refer to it."""

    digest: str
    loaded: Loaded


class Schedules:
    """Keeps schedules. ``begin`` stores and starts a run."""

    def __init__(self, deployment: Deployment, runs: RunStore, begin: Callable[[NewRun], Awaitable[bool]]) -> None:
        self._deployment = deployment
        self._runs = runs
        self._begin = begin

    def workflow(self) -> Fire:
        """Register what the clock calls; before DBOS is launched."""

        @DBOS.workflow(name="fire_schedule")
        async def fire_schedule(scheduled_at: dt.datetime, context: Any) -> None:
            await self._fire(scheduled_at, context)

        return fire_schedule

    async def keep(self, definitions: Iterable[Scheduled], fire: Fire) -> None:
        """Keep the schedules of these definitions, and of their integrations no others.

        Raises ``FlowError`` for one that cannot be kept.
        """
        inputs: list[ScheduleInput] = []
        integrations = set()
        for definition in definitions:
            integrations.add(definition.loaded.integration.name)
            inputs += [
                _input(definition, flow, fire)
                for flow in definition.loaded.integration.flows
                if flow.trigger.schedule is not None
            ]
        names = {one["schedule_name"] for one in inputs}
        for kept in await DBOS.list_schedules_async():
            name = kept["schedule_name"]
            if name.partition("/")[0] in integrations and name not in names:
                await DBOS.delete_schedule_async(name)
        await DBOS.apply_schedules_async(inputs)

    async def _fire(self, scheduled_at: dt.datetime, context: _Context) -> None:
        definition = await self._runs.definition(context["definition"])
        loaded = self._deployment.load(*definition)
        flow = find_flow(loaded.integration, context["flow"])
        if await self._is_polling(loaded, flow):
            _LOGGER.warning("%s is still polling; this time is left out", flow.name)
            return
        moment = iso_time(scheduled_at)
        name = f"{loaded.integration.name}/{flow.name}/{moment}"
        run_id = f"schedule-{hashlib.sha256(name.encode()).hexdigest()[:40]}"
        new = NewRun(
            id=run_id,
            definition=context["definition"],
            integration=loaded.integration.name,
            flow=flow.name,
            payload=self._deployment.payload({}, loaded, flow, run_id, moment),
        )
        await self._begin(new)

    async def _is_polling(self, loaded: Loaded, flow: Flow) -> bool:
        """Whether a poll of the flow is under way: another one would tell what that one is about to tell."""
        if flow.trigger.operation == control_steps.SCHEDULE:
            return False
        since = time.time() - _LONGEST_POLL
        return await self._runs.has_unanswered_trigger(loaded.integration.name, flow.name, since)


def _input(definition: Scheduled, flow: Flow, fire: Fire) -> ScheduleInput:
    values, integration = definition.loaded.values, definition.loaded.integration
    schedule = flow.trigger.schedule
    assert schedule is not None  # noqa: S101 - the caller has looked
    try:
        cron = str(evaluate(schedule.cron, Scope(_no_step, lambda variable: _value(variable, values.by_name))))
        check_cron(cron)
    except (EvaluationError, ValueError) as error:
        raise FlowError(f"the schedule of the flow '{flow.name}' cannot be kept: {error}") from error
    return {
        "schedule_name": f"{integration.name}/{flow.name}",
        "workflow_fn": fire,
        "schedule": cron,
        "context": _Context(definition=definition.digest, flow=flow.name),
        "cron_timezone": schedule_zone(schedule, integration.config_variables) or None,
    }


def _no_step(reference: Reference) -> Any:
    raise EvaluationError(f"a schedule cannot depend on {reference}")


def _value(variable: ConfigVar, values: Any) -> Any:
    if variable.name not in values:
        raise EvaluationError(f"the config variable '{variable.name}' has no value")
    return values[variable.name]
