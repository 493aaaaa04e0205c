"""``flow run --dry-run``: the messages that a flow would send, as a plan."""

from __future__ import annotations

import secrets
import sys
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

from twilio_component.cli.flow_output import exit_code_of_outcome
from twilio_component.cli.formats import print_json, print_line
from twilio_component.cli.section_check import check_sections
from twilio_component.cli.serve_extra import database_of, import_the_extra
from twilio_component.cli.working_values import working_values

if TYPE_CHECKING:
    import argparse
    from collections import Counter
    from contextlib import AbstractContextManager

    from twilio_component.durable.operator.dry_run import DryRun
    from twilio_component.durable.store.database import Database
    from twilio_component.flows.interpreter.effects import Call, Failure
    from twilio_component.flows.model import Flow
    from twilio_component.flows.runner.invoker import Invoker
    from twilio_component.host import Host


async def dry_run(options: argparse.Namespace) -> int:
    """Print a line for each message that the flow would send, and the totals on standard error."""
    import asyncio
    import time

    from twilio_component.cli.components import discover_host
    from twilio_component.cli.payloads import payload_of
    from twilio_component.flows import Configuration, FlowRunner, check_integration, read_configuration, read_definition
    from twilio_component.flows.checking.reachability import reachable_flows
    from twilio_component.flows.findings import FlowError, unexpected_effects
    from twilio_component.flows.model import find_flow

    with import_the_extra():
        from twilio_component.durable.operator.dry_run import DryRun
        from twilio_component.durable.settings import Settings

    payload = payload_of(options.payload)
    configuration = read_configuration(options.config) if options.config else Configuration()
    definition = read_definition(options.file)
    integration = definition.integration
    emulator = None
    if options.emulator and integration is not None:
        from twilio_component.emulator import Emulator
        from twilio_component.serving.emulator_connections import twilio_connections, with_emulator

        emulator, configuration = Emulator(), with_emulator(configuration, twilio_connections(integration))
    async with discover_host(transport=emulator.transport if emulator else None) as host:
        flow = find_flow(integration, options.flow) if integration is not None else None
        reachable = reachable_flows(integration, flow) if integration is not None and flow is not None else None
        found = (
            definition.findings
            if reachable is None
            else check_integration(definition, host.components, flows=reachable)
        )
        errors = [finding for finding in found if finding.severity == "error"]
        if integration is None or flow is None or errors:
            raise FlowError(f"{options.file} cannot be run", errors)
        for warning in unexpected_effects(found):
            print(warning, file=sys.stderr)
        working_values(integration, configuration, host)  # a connection that cannot work would fail every message
        settings = check_sections(configuration, host) or Settings()
        with _database(options) as database:
            if database is not None:
                await asyncio.to_thread(database.open_existing)
            printed = _Printed(options)
            plan = DryRun(database, settings, dict(host.components), time.time())

            rehearsal = _Rehearsal(plan, printed, host)
            runner = FlowRunner(
                integration=integration,
                host=host,
                configuration=configuration,
                sleep=_no_time,
                rehearse=rehearsal.plan,
                listener=rehearsal.hear,
            )
            outcome = await runner.run(flow.name, payload)
            printed.end()
    print(_summary(plan.counts), file=sys.stderr)
    if outcome.error is not None:
        would = "partly fail" if outcome.state == "partly-failed" else "fail"
        print(f"the flow would {would} at {outcome.error['id']}: {outcome.error['message']}", file=sys.stderr)
    return exit_code_of_outcome(outcome)


class _Rehearsal:
    """Prints the plan of each message, also of one that fails before it is planned: an input of it has no value."""

    def __init__(self, plan: DryRun, printed: _Printed, host: Host) -> None:
        self._plan = plan
        self._printed = printed
        self._host = host
        self._known: set[tuple[str, str]] = set()

    async def plan(self, flow: Flow, call: Call, invoker: Invoker) -> Failure | None:
        """Print what would become of a call; how it would fail, if it would."""
        from twilio_component.durable.operator.dry_run import failure_of

        planned = await self._plan.plan(flow, call, invoker)
        self._known.add((flow.name, call.id))
        self._printed.add(planned)
        return failure_of(planned)

    def hear(self, event: dict[str, Any]) -> None:
        """Print a message that has failed without a plan."""
        is_new = "error" in event and (event["flow"], event["id"]) not in self._known
        if is_new and self._reaches_people(event["action"]):
            self._printed.add(self._plan.add_unready(event["id"], event["error"]["message"]))

    def _reaches_people(self, operation: str) -> bool:
        component, _, key = operation.partition(".")
        components = self._host.components
        action = components[component].actions.get(key) if component in components else None
        return action is not None and "contact" in action.options


class _Printed:
    """What is printed of a plan: a line at once, or in the end a sample, or all as one JSON document."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._as_json: bool = options.json
        self._sample = Sample(options.sample) if options.sample is not None else None
        self._all: list[Any] = []

    def add(self, planned: Any) -> None:
        """Print it, or keep it until the end."""
        if self._sample is not None:
            self._sample.add(planned)
        elif self._as_json:
            self._all.append(planned)
        else:
            print_line(planned)

    def end(self) -> None:
        """Print what was kept."""
        kept = self._all if self._sample is None else self._sample.in_order()
        if self._as_json:
            print_json(kept)
            return
        for planned in kept:
            print_line(planned)


class Sample:
    """So many of the things that are added, each with the same chance; ``in_order`` has them as they came."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen = 0
        self._kept: list[tuple[int, Any]] = []

    def add(self, thing: Any) -> None:
        """Keep it, perhaps in the place of another one."""
        place = len(self._kept) if self._seen < self._size else secrets.randbelow(self._seen + 1)
        if place < self._size:
            self._kept[place : place + 1] = [(self._seen, thing)]
        self._seen += 1

    def in_order(self) -> list[Any]:
        """Return what was kept, as it came."""
        return [thing for _, thing in sorted(self._kept, key=lambda pair: pair[0])]


def _database(options: argparse.Namespace) -> AbstractContextManager[Database | None]:
    if options.database is None:
        return nullcontext()
    from twilio_component.durable.store.database import Database

    return closing(Database(database_of(options)))


async def _no_time(_seconds: float) -> None:
    """Let no time pass: a step that sleeps is not waited for."""


def _summary(counts: Counter[str]) -> str:
    """Return the totals: ``3 would be sent at once, 2 held, 1 to nobody who has opted out …``."""
    words = (
        ("send", "would be sent at once"),
        ("hold", "would be held"),
        ("opted-out", "would fail, since the recipient has opted out"),
        ("drop", "would be dropped"),
        ("invalid", "would fail, since their inputs are not valid"),
        ("other", "other calls would be made"),
        ("duplicates", "are to a recipient whom the step has reached before"),
        ("segments", "segments"),
    )
    return "; ".join(f"{counts[key]:,} {text}" for key, text in words if counts[key]) or "nothing would be sent"
