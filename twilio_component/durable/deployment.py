"""What is served: the definitions, the host that performs their calls, and the values they run with.

A ``Deployment`` is what one process runs; it does not roll anything out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twilio_component.durable.store.definition_digest import definition_digest
from twilio_component.flows.findings import FlowError
from twilio_component.flows.interpreter.effects import Call
from twilio_component.flows.interpreter.execution import Execution
from twilio_component.flows.interpreter.state import initial_state
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.flows.runner.configuration import Configuration, check_names, config_values
from twilio_component.flows.runner.connection_values import check_connections
from twilio_component.flows.runner.invoker import Invoker
from twilio_component.flows.runner.mocks import Mocks
from twilio_component.flows.runner.trigger_payload import ExecutionInfo, complete_payload, parses_request
from twilio_component.flows.webhook_paths import path_segment

if TYPE_CHECKING:
    from twilio_component.durable.store.flow_state import StoredState
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.flows.runner.configuration import Values
    from twilio_component.host import Host

_LOGGER = logging.getLogger("twilio_component.execution")
_MAX_LOADED = 100
CALLBACKS = "/callbacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDefinition:
    """A definition that can run: its ``text`` in the ``file``, and the ``digest`` by which runs refer to it.

    ``values`` are this process's: secrets are never stored with a run.
    """

    file: str
    text: str
    digest: str
    integration: Integration
    values: Values
    invoker: Invoker

    def trigger_call(self, flow: Flow, payload: dict[str, Any], stored_state: StoredState | None = None) -> Call:
        """The call of the flow's trigger, which is shown the stored state; raises ``FlowError`` without one."""
        effect = Execution(flow, self.values.by_name, initial_state(payload, stored_state=stored_state)).next()
        if not isinstance(effect, Call):
            raise FlowError(f"the trigger of {flow.name} cannot be invoked: its inputs have no values")
        return effect


class Deployment:
    """Loads definitions, each text once.

    ``public_url`` is the common beginning of their webhooks' URLs. With ``has_callbacks`` calls may ask for callbacks
    below it.
    """

    def __init__(
        self,
        host: Host,
        configuration: Configuration,
        environment: Mapping[str, str],
        *,
        public_url: str,
        has_callbacks: bool = False,
    ) -> None:
        self.host = host
        self.public_url = public_url.rstrip("/")
        self.has_callbacks = has_callbacks
        self._configuration = configuration
        self._environment = environment
        self._loaded: dict[str, LoadedDefinition] = {}

    def load(self, file: str, text: str) -> LoadedDefinition:
        """The definition with this text, which may be that of an earlier deployment: its runs finish with it.

        Raises ``FlowError`` for what is wrong with the text, ``InputError`` for an invalid connection.
        """
        digest = definition_digest(file, text)
        loaded = self._loaded.get(digest)
        if loaded is None:
            loaded = self._load(file, text, digest)
            if len(self._loaded) >= _MAX_LOADED:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[digest] = loaded
        return loaded

    def check_configuration(self, definitions: Sequence[LoadedDefinition]) -> None:
        """Raise ``InputError`` for what is wrong with the configuration of the definitions that are served now.

        That is a misspelt config variable, or a connection that has no value, or one that cannot work.
        """
        check_names([one.integration for one in definitions], self._configuration)
        for one in definitions:
            self.check_connections(one)

    def check_connections(self, one: LoadedDefinition) -> None:
        """Raise ``InputError`` for connections of the definition that have no value or cannot work."""
        check_connections(one.integration, one.values, self._configuration, self.host.components, self._environment)

    def payload(
        self, given: Mapping[str, Any], definition: LoadedDefinition, flow: Flow, execution_id: str, started_at: str
    ) -> dict[str, Any]:
        """The complete payload of a run's trigger."""
        base = self.webhook_base(definition.integration)
        info = ExecutionInfo(execution_id=execution_id, started_at=started_at, webhook_base=base)
        parses_body = not parses_request(flow, self.host.components)
        return complete_payload(given, definition.integration, flow, info, parses_body=parses_body)

    def judge_reply(
        self, operation: str, expects: Mapping[str, Any], data: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """What the action that asked (``component.action``) makes of a reply: ``{"answer": …}``, or None.

        It may be called in any thread. Raises what the component raises, and ``KeyError`` when it is not installed any
        more.
        """
        component, _, action = operation.partition(".")
        asks = self.host.components[component].actions[action].asks
        return asks.answer(expects, data) if asks is not None else None

    def callback_url(self, component: str, action: str, run: str, ordinal: int) -> str:
        """The URL for callbacks about a call; empty when this deployment has none."""
        if not self.has_callbacks:
            return ""
        return f"{self.public_url}{CALLBACKS}/{component}/{action}/{quote(run, safe='')}/{ordinal}"

    def webhook_base(self, integration: Integration) -> str:
        """The common beginning of the webhook URLs of an integration's flows."""
        return f"{self.public_url}/{path_segment(integration.name)}"

    def _load(self, file: str, text: str, digest: str) -> LoadedDefinition:
        integration = load_integration(file, text=text)
        values = config_values(integration, self._configuration, self.host.components, self._environment)
        invoker = Invoker(
            host=self.host,
            mocks=Mocks({}),
            configuration=self._configuration,
            values=values,
            logger=_LOGGER,
            clock=time.time,  # an execution may continue in another process
        )
        return LoadedDefinition(
            file=file,
            text=text,
            digest=digest,
            integration=integration,
            values=values,
            invoker=invoker,
        )
