"""Points numbers and messaging services at the flows whose triggers name them, and restores what was there."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.errors import StateConflictError
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.registrations import RegistrationStore
from twilio_component.durable.store.runs import RunStore
from twilio_component.flows.checking.exclusive_inputs import exclusive_claims
from twilio_component.flows.findings import FlowError
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.fitting import fit_inputs
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host import Context, Host
from twilio_component.host.environment import FileEnvironment
from twilio_component.host.errors import IntegrationError
from twilio_component.host.manifest.documents import parse_document
from twilio_component.host.model import Trigger
from twilio_component.host.serialization import iso_time
from twilio_component.host.state_file import apply_changes
from twilio_component.serving.moved_registrations import find_moves, key_of

if TYPE_CHECKING:
    import httpx

    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.durable.store.registrations import Registration
    from twilio_component.flows.checking.exclusive_inputs import Claim
    from twilio_component.flows.interpreter.effects import Call
    from twilio_component.flows.model import Flow
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.moved_registrations import Key

_CONFIRMATION = "replaceWebhook"
_LOGGER = logging.getLogger("twilio_component.execution")


@dataclass(frozen=True, slots=True)
class _Trigger:
    """A flow whose trigger can be deployed, with its definition and the call of its trigger."""

    definition: LoadedDefinition
    flow: Flow
    call: Call
    trigger: Trigger

    @property
    def claims(self) -> frozenset[Claim]:
        return exclusive_claims(self.trigger.options, self.call.inputs)

    @property
    def claims_digest(self) -> str | None:
        """A digest of the component and what the trigger names; None when it names nothing."""
        text = json.dumps([self.call.component, *sorted(self.claims)], ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if self.claims else None

    def place(self, name: str) -> str:
        """The file and the line of an input."""
        document = parse_document(self.definition.text, self.definition.file)
        return f"{self.definition.file}:{document.position(self.flow.trigger.inputs[name].at).line}"


class Registrations:
    """Deploys and removes the triggers of flows. ``report`` receives what was done, and what could not be."""

    def __init__(
        self, deployment: Deployment, store: RegistrationStore, runs: RunStore, report: Callable[[str], None]
    ) -> None:
        self._deployment = deployment
        self._store = store
        self._runs = runs
        self._report = report

    async def register(self, endpoints: Iterable[Endpoint], *, replace_webhooks: bool = False) -> None:
        """Deploy the triggers of these flows, and remove those that are no longer in their files.

        Raises the error of a trigger that was never deployed before; then those that were deployed here are removed
        again. The error of one that was deployed before is only reported: serving must not depend on it.
        """
        served = [*endpoints]
        self.check(served)
        deployed = self._triggers_of(served)
        files = {one.definition.file for one in served}
        await self._follow_names(files, deployed)
        await self._remove_stale(files, deployed.keys())
        known = {(one.integration, one.flow) for one in await self._store.all()}
        for key, (endpoint, found) in deployed.items():
            try:
                await self._deploy(endpoint, found, replace_webhooks=replace_webhooks)
            except IntegrationError as error:
                self._report(f"{found.flow.name} is not registered: {error}")
                if key not in known:
                    await self._remove_each(
                        one for one in await self._store.all() if key_of(one) in deployed.keys() - known
                    )
                    raise

    def check(self, endpoints: Iterable[Endpoint]) -> None:
        """Raise ``FlowError`` for two flows that name one number or service: each start would give it to the other."""
        seen: dict[tuple[str, Claim], _Trigger] = {}
        for _, found in self._triggers_of(endpoints).values():
            for claim in sorted(found.claims):
                other = seen.setdefault((found.call.component, claim), found)
                if other is not found:
                    what, name, _ = claim
                    raise FlowError(
                        f"{found.place(name)}: the trigger of '{found.flow.name}' has the same {name} as that of "
                        f"'{other.flow.name}' ({other.place(name)}), and only one flow can have {what}"
                    )

    async def warn_of_stale(self, endpoints: Iterable[Endpoint]) -> None:
        """Report registrations of flows that the files which are served do not have any more."""
        served = [*endpoints]
        files = {one.definition.file for one in served}
        names = {(one.definition.integration.name, one.flow.name) for one in served}
        for one in await self._store.all():
            file, _ = await self._runs.definition(one.definition)
            if file in files and key_of(one) not in names:
                self._report(
                    f"warning: a number or service still points at the flow {one.flow}, which {file} has no more: add "
                    "--register, or restore it with `twilio-component unregister`"
                )

    def _triggers_of(self, endpoints: Iterable[Endpoint]) -> dict[Key, tuple[Endpoint, _Trigger]]:
        return {
            (one.definition.integration.name, one.flow.name): (one, found)
            for one in endpoints
            if (found := self._trigger_of(one.definition, one.flow)) is not None
        }

    async def _follow_names(self, files: set[str], deployed: Mapping[Key, tuple[Endpoint, _Trigger]]) -> None:
        """Let the registrations of numbers and services follow them to the flows that name them now.

        A flow that has another name has another URL, too. What it points at would be somebody else's to it, and the
        former webhook would be forgotten.
        """
        naming = {found.claims_digest: key for key, (_, found) in deployed.items()}
        while True:
            stored = {key_of(one): one for one in await self._store.all()}
            # By what was stored with them: their own definitions may not be usable any more.
            owners = {key: await self._successor(one, files, naming) for key, one in stored.items()}
            moves = [(stored[old], _as_moved(stored[old], deployed[new][1])) for old, new in find_moves(owners).items()]
            try:
                await self._store.move(moves)
            except StateConflictError as error:
                _LOGGER.info("%s; looking again", error)
                continue
            return

    async def _successor(self, one: Registration, files: set[str], naming: Mapping[str | None, Key]) -> Key | None:
        """The flow that names now what a flow of these files was registered with, if one does."""
        if one.claims is None:
            return None
        file, _ = await self._runs.definition(one.definition)
        return naming.get(one.claims) if file in files else None

    async def unregister(self, flow: str | None = None) -> None:
        """Remove every deployed trigger, or that of one flow; raises the last error of those that failed."""
        wanted = [one for one in await self._store.all() if flow in (None, one.flow)]
        if not wanted:
            self._report("nothing is registered" if flow is None else f"nothing is registered for {flow}")
        failed = await self._remove_each(wanted)
        if failed is not None:
            raise failed

    async def _remove_stale(self, files: set[str], deployed: Collection[Key]) -> None:
        for one in await self._store.all():
            file, _ = await self._runs.definition(one.definition)
            if file in files and key_of(one) not in deployed:
                await self._remove_each([one])

    async def _remove_each(self, wanted: Iterable[Registration]) -> IntegrationError | None:
        """Remove as many as possible and return the last error."""
        failed: IntegrationError | None = None
        for one in wanted:
            try:
                await self._remove(one)
            except IntegrationError as error:
                self._report(f"{one.flow} is still registered: {error}")
                failed = error
        return failed

    async def _deploy(self, endpoint: Endpoint, found: _Trigger, *, replace_webhooks: bool) -> None:
        inputs = found.call.inputs
        if replace_webhooks and _CONFIRMATION in found.trigger.inputs["properties"]:
            inputs = {**inputs, _CONFIRMATION: True}
        host, url = self._deployment.host, endpoint.url_for_twilio

        async def perform(context: Context) -> dict[str, Any]:
            return await host.deploy_trigger(found.call.component, found.trigger.key, inputs, context=context)

        result = await self._perform(found, url, perform)
        if not result:
            self._report(f"{found.flow.name}: its trigger names no number or messaging service to point at it")

    async def _remove(self, one: Registration) -> None:
        file, text = await self._runs.definition(one.definition)
        definition = self._deployment.load(file, text)
        found = self._trigger_of(definition, find_flow(definition.integration, one.flow))
        if found is None:
            raise FlowError(f"the trigger of {one.flow} is no longer installed, or has nothing to remove")
        host = self._deployment.host

        async def perform(context: Context) -> dict[str, Any]:
            return await host.delete_trigger(
                found.call.component, found.trigger.key, found.call.inputs, context=context
            )

        await self._perform(found, "", perform)

    async def _perform(self, found: _Trigger, url: str, perform: Callable[[Context], Any]) -> Any:
        """Perform it, again when another process changes the registration meanwhile; report and return the result."""
        while True:
            registration = _Registration(
                self._store, await self._store.find(found.definition.integration.name, found.flow.name), found
            )
            try:
                envelope = await perform(registration.context(url))
                await registration.keep(envelope.get("instanceState") or {})
            except StateConflictError as error:
                _LOGGER.info("%s; looking again", error)
                continue
            result = envelope["result"]
            for entry in result if isinstance(result, list) else []:
                if isinstance(entry, Mapping) and "text" in entry:
                    self._report(f"{found.flow.name}: {entry['text']}")
            return result

    def _trigger_of(self, definition: LoadedDefinition, flow: Flow) -> _Trigger | None:
        """Return the flow's trigger; None for one that does nothing on deployment."""
        now = iso_time(dt.datetime.now(dt.UTC))
        call = definition.trigger_call(flow, self._deployment.payload({}, definition, flow, "deployment", now))
        trigger = definition.invoker.operation(call)
        if not isinstance(trigger, Trigger) or trigger.deploy_function is None or trigger.delete_function is None:
            return None
        return _Trigger(definition, flow, replace(call, inputs=fit_inputs(call.inputs, trigger)), trigger)


def _as_moved(one: Registration, found: _Trigger) -> Registration:
    """The registration as that of another flow."""
    definition = found.definition
    return replace(one, integration=definition.integration.name, flow=found.flow.name, definition=definition.digest)


class _Registration:
    """A stored registration, as this process knows and changes it."""

    def __init__(self, store: RegistrationStore, stored: Registration, found: _Trigger) -> None:
        self._store = store
        self._stored = stored
        self._found = found

    async def keep(self, changes: Mapping[str, Any]) -> None:
        state = apply_changes(self._stored.state, changes)
        found = self._found
        known = replace(self._stored, definition=found.definition.digest, claims=found.claims_digest)
        if state != known.state or known != self._stored:
            self._stored = await self._store.save(known, state)

    def context(self, url: str) -> Context:
        flow, definition = self._found.flow, self._found.definition
        return Context(
            logger=_LOGGER,
            instance_state=self._stored.state,
            keep_instance_state=self.keep,
            config_vars=definition.values.by_name,
            step_id=self._found.call.id,
            webhook_urls={flow.name: url} if url else {},
            invoke_url=url,
            instance={"name": definition.integration.name},
            integration={"name": definition.integration.name},
            flow={"name": flow.name},
        )


async def unregister(
    database_url: str,
    *,
    flow: str | None = None,
    configuration: Configuration | None = None,
    environment: Mapping[str, str] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Restore the webhooks that the database knows to be registered: all of them, or those of one ``flow``.

    ``environment`` holds the connections' values and defaults to the process's own. Raises ``IntegrationError`` for a
    webhook that could not be restored; calling it again does no harm.
    """
    database = Database(database_url)
    try:
        database.open_existing()
        async with Host.discover(transport=transport) as host:
            values = FileEnvironment() if environment is None else environment
            deployment = Deployment(host, configuration or Configuration(), values, public_url="")
            store, runs = RegistrationStore(database), RunStore(database)
            await Registrations(deployment, store, runs, report).unregister(flow)
    finally:
        database.close()
