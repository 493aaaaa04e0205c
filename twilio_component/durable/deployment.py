"""What is served: definitions, the host that carries out their calls, and the values they are run with."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twilio_component.flows.findings import FlowError
from twilio_component.flows.interpreter.effects import Call
from twilio_component.flows.interpreter.execution import Execution
from twilio_component.flows.interpreter.state import initial_state
from twilio_component.flows.model import camel_case
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.flows.runner.configuration import Configuration, config_values
from twilio_component.flows.runner.invoker import Invoker
from twilio_component.flows.runner.mocks import Mocks
from twilio_component.flows.runner.trigger_payload import ExecutionInfo, complete_payload, parses_request
from twilio_component.host.redaction import Redactor

if TYPE_CHECKING:
    from twilio_component.durable.store.flow_state import StoredState
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.flows.runner.configuration import Values
    from twilio_component.host import Host

_LOGGER = logging.getLogger("twilio_component.execution")
_MOST_KEPT = 100
CALLBACKS = "/callbacks"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A definition that can be run. ``values`` are this process's: secrets are never stored with a run."""

    integration: Integration
    values: Values
    invoker: Invoker
    redactor: Redactor

    def trigger_call(self, flow: Flow, payload: dict[str, Any], states: StoredState | None = None) -> Call:
        """The call that asks the flow's trigger, which is shown the states; raises ``FlowError`` without one."""
        effect = Execution(flow, self.values.by_name, initial_state(payload, stored_state=states)).next()
        if not isinstance(effect, Call):
            raise FlowError(f"the trigger of {flow.name} cannot be asked: its inputs have no values")
        return effect


class Deployment:
    """Loads definitions, each text once.

    ``public_url`` is where the webhooks of all of them begin. With ``has_callbacks`` calls may ask for callbacks there.
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
        self._has_callbacks = has_callbacks
        self._configuration = configuration
        self._environment = environment
        self._loaded: dict[tuple[str, str], Loaded] = {}

    def load(self, file: str, text: str) -> Loaded:
        """The definition with this text; raises ``FlowError`` for its shape, ``InputError`` for its configuration."""
        loaded = self._loaded.get((file, text))
        if loaded is None:
            integration = load_integration(file, text=text)
            values = config_values(integration, self._configuration, self.host.components, self._environment)
            invoker = Invoker(
                host=self.host,
                mocks=Mocks({}),
                configuration=self._configuration,
                values=values,
                logger=_LOGGER,
                clock=time.time,  # an execution goes on in other processes
            )
            loaded = Loaded(integration, values, invoker, Redactor(values.secrets))
            if len(self._loaded) >= _MOST_KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[file, text] = loaded
        return loaded

    def payload(
        self, given: Mapping[str, Any], loaded: Loaded, flow: Flow, execution_id: str, started_at: str
    ) -> dict[str, Any]:
        """The complete payload of a run's trigger."""
        base = self.webhook_base(loaded.integration)
        info = ExecutionInfo(execution_id=execution_id, started_at=started_at, webhook_base=base)
        parses_body = not parses_request(flow, self.host.components)
        return complete_payload(given, loaded.integration, flow, info, parses_body=parses_body)

    def callback_url(self, component: str, action: str, run: str, ordinal: int) -> str:
        """Where a callback about a call is to go; nothing when there is no such place."""
        if not self._has_callbacks:
            return ""
        return f"{self.public_url}{CALLBACKS}/{component}/{action}/{quote(run, safe='')}/{ordinal}"

    def webhook_base(self, integration: Integration) -> str:
        """Where the webhooks of an integration's flows begin."""
        return f"{self.public_url}/{camel_case(integration.name)}"
