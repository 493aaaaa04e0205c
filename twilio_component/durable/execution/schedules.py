"""Schedules: flows that start at set times, once for each time in all processes together."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from dbos import DBOS, ScheduleInput, WorkflowSchedule

from twilio_component.durable import ids
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.execution.queue_slots import queue_slot
from twilio_component.durable.recovery.heartbeat import LIVING_SECONDS
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.workflow_rows import VERSION
from twilio_component.flows import control_steps
from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.findings import EvaluationError, FlowError
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.cron import check_cron, comes_again, schedule_zone
from twilio_component.host.errors import IntegrationError
from twilio_component.host.serialization import iso_time

if TYPE_CHECKING:
    from twilio_component.durable.active_work import ActiveWork
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.durable.recovery.heartbeat import Heartbeat
    from twilio_component.durable.store.runs import RunStore
    from twilio_component.flows.model import ConfigVar, Flow, Reference

_LONGEST_POLL = 3600.0  # a run that never gets to its poll must not keep all others from theirs
_LONGEST_RESTART = dt.timedelta(minutes=1)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # between two attempts to store a run
_LOGGER = logging.getLogger("twilio_component.durable")


class _Context(TypedDict):
    """What DBOS stores with a schedule: the digest of a definition, the names of flow and integration, and the times.

    ``zone`` is the time zone of ``cron``, empty for UTC. These have been its times ``since`` then.
    """

    definition: str
    integration: str
    flow: str
    cron: str
    zone: str
    since: str


class Schedules:
    """Keeps schedules; ``begin`` stores and starts a run.

    Creating it registers the workflow that DBOS fires, so it comes before DBOS is launched. A process that ``is_alone``
    shares its database with no other; else the ``heartbeat`` tells which schedules the others keep. With ``makes_up`` a
    restart loses no time; it needs runs that are kept for longer than it takes, since a run tells which times have been
    used.
    """

    def __init__(
        self,
        deployment: Deployment,
        runs: RunStore,
        work: ActiveWork,
        begin: Callable[[NewRun], Awaitable[bool]],
        *,
        is_alone: bool,
        makes_up: bool = True,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._deployment = deployment
        self._work = work
        self._runs = runs
        self._begin = begin
        self._is_alone = is_alone
        self._makes_up = makes_up
        self._heartbeat = None if is_alone else heartbeat
        self._served: Sequence[LoadedDefinition] = ()
        self.kept: Mapping[str, str] = {}
        self._workflow = self._register()

    def _register(self) -> Callable[[dt.datetime, Any], Coroutine[Any, Any, None]]:
        @DBOS.workflow(name="fire_schedule")
        async def fire_schedule(scheduled_at: dt.datetime, context: Any) -> None:
            with self._work.executing(DBOS.workflow_id or ""):
                try:
                    await self._fire(scheduled_at, context)
                except IntegrationError as error:
                    # The definition or this process's configuration: it is no better when it is tried again.
                    _LOGGER.error(  # noqa: TRY400 - the text says it all
                        "%s of %s did not start at %s, a time of its schedule: %s",
                        context["flow"],
                        context["integration"],
                        iso_time(scheduled_at),
                        error,
                    )

        return fire_schedule

    async def keep(self, definitions: Iterable[LoadedDefinition]) -> None:
        """Keep exactly the schedules of these definitions, for their integrations and their files.

        Those that another process keeps, or may serve, stay as they are. Raises ``FlowError`` for an invalid schedule,
        and for one of the same flow that a living process keeps from another file.
        """
        self._served = [*definitions]
        inputs = [
            self._schedule(definition, flow)
            for definition in self._served
            for flow in definition.integration.flows
            if flow.trigger.schedule is not None
        ]
        kept = {one["schedule_name"]: one for one in inputs}
        self.kept = {name: one["context"]["definition"] for name, one in kept.items()}
        if self._heartbeat is not None:
            await self._heartbeat.beat()  # before another process that starts asks for them
            await self._refuse_other_files(await self._heartbeat.schedules_of_others())
        stored = await self.remove_stale()
        continued = [name for name in kept if name in stored and _has_same_times(kept[name], stored[name])]
        for name in continued:
            kept[name]["context"]["since"] = stored[name]["context"]["since"]
        await DBOS.apply_schedules_async(inputs)
        for name in continued if self._makes_up else ():
            await _make_up(name, stored[name])

    async def _refuse_other_files(self, others: Mapping[str, Collection[str]]) -> None:
        """Raise ``FlowError`` when another process keeps one of the schedules from another file, with another text.

        There is one schedule of a flow, so each start would take it away from the other file. A file that has changed
        takes the place of the one before, as in a deployment to one process after the other.
        """
        files = {one.digest: (one.file, one.text) for one in self._served}
        for name, digest in self.kept.items():
            file, text = files[digest]
            for other in sorted({*others.get(name, ())} - {digest}):
                other_file, other_text = await self._runs.definition(other)
                if other_file != file and other_text != text:
                    raise FlowError(
                        f"{file}: the schedule {name} is kept by another process, which serves {other_file}: give the "
                        f"integration or the flow of one of these files another name. If that process has just been "
                        f"killed, try again in {LIVING_SECONDS:g} s"
                    )

    async def keep_removing(self) -> None:
        """Remove the schedules that nobody keeps any more, until cancelled."""
        if self._is_alone:
            return
        await asyncio.sleep(LIVING_SECONDS)  # ``keep`` has just looked, and will look when it is called
        trouble = "it could not be found out which schedules nobody keeps any more; trying again"
        await run_periodically(self.remove_stale, LIVING_SECONDS, trouble)

    async def remove_stale(self) -> dict[str, WorkflowSchedule]:
        """Remove the schedules of what is served here that neither this nor another process keeps; all before that."""
        stored = {one["schedule_name"]: one for one in await DBOS.list_schedules_async()}
        stale = [name for name in stored.keys() - self.kept.keys() if await self._is_stale(stored[name]["context"])]
        others = await self._heartbeat.schedules_of_others() if self._heartbeat is not None and stale else ()
        for name in sorted(stale):
            context: _Context = stored[name]["context"]
            if name in others:
                message = "%s of %s still starts by its schedule: another process serves it"
            else:
                await DBOS.delete_schedule_async(name)
                message = "%s of %s starts by its schedule no more: it is not served any more"
            _LOGGER.warning(message, context["flow"], context["integration"])
        return stored

    async def _is_stale(self, context: _Context) -> bool:
        """Whether a stored schedule, which this process does not keep, is of what it serves."""
        if self._is_alone or context["integration"] in {one.integration.name for one in self._served}:
            return True
        # An integration that has another name now: under both, its flows would start twice.
        file, _ = await self._runs.definition(context["definition"])
        return file in {one.file for one in self._served}

    def _schedule(self, definition: LoadedDefinition, flow: Flow) -> ScheduleInput:
        values, integration = definition.values, definition.integration
        schedule = flow.trigger.schedule
        assert schedule is not None  # noqa: S101 - the caller has checked it
        try:
            cron = str(evaluate(schedule.cron, Scope(_refuse_step, lambda variable: _value(variable, values.by_name))))
            check_cron(cron)
        except (EvaluationError, ValueError) as error:
            raise FlowError(f"the schedule of the flow '{flow.name}' is not valid: {error}") from error
        zone = schedule_zone(schedule, integration.config_variables)
        return {
            "schedule_name": ids.flow_id(integration.name, flow.name),
            "workflow_fn": self._workflow,
            "schedule": cron,
            "context": _Context(
                definition=definition.digest,
                integration=integration.name,
                flow=flow.name,
                cron=cron,
                zone=zone,
                since=iso_time(dt.datetime.now(dt.UTC)),
            ),
            "cron_timezone": zone or None,
        }

    async def _fire(self, scheduled_at: dt.datetime, context: _Context) -> None:
        if comes_again(context["cron"], scheduled_at, context["zone"]):
            _LOGGER.info("%s started before the clock was set back; the same time starts it once", context["flow"])
            return
        definition = await self._runs.definition(context["definition"])
        loaded = self._deployment.load(*definition)
        flow = find_flow(loaded.integration, context["flow"])
        if await self._is_polling(loaded, flow):
            _LOGGER.warning("%s is still polling; this time is skipped", flow.name)
            return
        moment = iso_time(scheduled_at)
        name = f"{ids.flow_id(loaded.integration.name, flow.name)}/{moment}"
        run_id = f"schedule-{hashlib.sha256(name.encode()).hexdigest()[:40]}"
        new = NewRun(
            id=run_id,
            definition=context["definition"],
            integration=loaded.integration.name,
            flow=flow.name,
            payload=self._deployment.payload({}, loaded, flow, run_id, moment),
            slot=queue_slot(loaded, flow, scheduled=True),
        )
        if not await self._begin_until_available(new) and new.slot is not None:
            _LOGGER.info("%s is still running; this time is skipped", flow.name)

    async def _begin_until_available(self, new: NewRun) -> bool:
        """Store the run; whether it is new. Nobody fires this time again: a database that is away is waited for."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._begin(new)
            except StoreUnavailableError as error:
                _LOGGER.warning(
                    "%s could not start by its schedule (%s); trying again in %.1f s", new.flow, error, pause
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _is_polling(self, loaded: LoadedDefinition, flow: Flow) -> bool:
        """Whether a poll of the flow is under way: another one would report the same again."""
        if flow.trigger.operation == control_steps.SCHEDULE:
            return False
        since = time.time() - _LONGEST_POLL
        return await self._runs.has_unanswered_trigger(loaded.integration.name, flow.name, since)


def _has_same_times(kept: ScheduleInput, before: WorkflowSchedule) -> bool:
    return (before["schedule"], before.get("cron_timezone")) == (kept["schedule"], kept["cron_timezone"])


async def _make_up(name: str, before: WorkflowSchedule) -> None:
    """Fire the times of a schedule that a restart has missed, unless they have been fired.

    The engine fires up to ten seconds late, so that several processes do not fire at once, and not in a process that
    has been told to stop meanwhile.
    """
    now = dt.datetime.now(dt.UTC)
    last = before.get("last_fired_at") or before["context"]["since"]
    since = max(dt.datetime.fromisoformat(last), now - _LONGEST_RESTART)
    await asyncio.to_thread(DBOS.backfill_schedule, name, since, now)


def fire_for_own_version(rows: Any) -> None:
    """Let the schedules that fire here be for processes of this version; ``rows`` is the engine's system database.

    The engine would have them executed by the newest version that the database has ever seen: after a step back nobody
    would. Processes of a newer release take those of this one, too.
    """
    newest = rows.get_latest_application_version  # not public: the engine asks this when a schedule fires

    def own(**options: Any) -> Any:
        return {**newest(**options), "version_name": VERSION}

    rows.get_latest_application_version = own


def _refuse_step(reference: Reference) -> Any:
    raise EvaluationError(f"a schedule cannot depend on {reference}")


def _value(variable: ConfigVar, values: Any) -> Any:
    if variable.name not in values:
        raise EvaluationError(f"the config variable '{variable.name}' has no value")
    return values[variable.name]
