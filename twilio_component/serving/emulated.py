"""Serves flows together with an emulator that takes Twilio's place, in one process, with an inbox in the browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twilio_component.emulator import Emulator
from twilio_component.emulator.model.addresses import is_number
from twilio_component.flows.model import ConfigVar, all_steps, inner_inputs
from twilio_component.flows.parsing.reader import read_definition
from twilio_component.host.errors import InputError
from twilio_component.serving.emulator_connections import twilio_connections, with_emulator, without_connections
from twilio_component.serving.ports import port_problem

if TYPE_CHECKING:
    from twilio_component.emulator.server.server import Server as EmulatorServer
    from twilio_component.flows.model import Integration
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.server import Server

# Triggers of messages that somebody writes.
_INBOUND = ("twilio.webhook", "twilio.inboundMessage")
_FIRST_NUMBER = 15017122661
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - only read, to name an address that works


@dataclass(frozen=True, kw_only=True)
class EmulatedServer:
    """Serves flows against an emulator on its own ``port``; real credentials stay unused."""

    server: Server
    port: int = 8010

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises ``IntegrationError``."""
        host = _EVERY_INTERFACE.get(self.server.host, self.server.host)
        emulator = Emulator(webhook_hosts=[host])
        async with AsyncExitStack() as stack:
            try:
                twilio = await stack.enter_async_context(emulator.serve(port=self.port))
            except OSError as error:
                problem = port_problem("--emulator-port", self.port, error)
                raise InputError("The emulator could not start", [problem]) from error
            await self._with_emulator(emulator, twilio, f"http://{host}:{self.server.port}").run()

    def _with_emulator(self, emulator: Emulator, twilio: EmulatorServer, public_url: str) -> Server:
        """Return a server of the same flows that uses the emulator; status callbacks reach it too."""

        def on_ready(endpoints: Mapping[str, Endpoint]) -> None:
            for number, endpoint in _assign_numbers(endpoints):
                emulator.add_number(number, sms_url=endpoint.url_for_twilio)
                self.server.report(f"number of {endpoint.flow.name}: {number}")
            self.server.report(f"inbox: {twilio.url}/")

        # A file that cannot be read is reported by the server.
        integrations = [found for file in self.server.files if (found := read_definition(file).integration)]
        variables = [variable for integration in integrations for variable in twilio_connections(integration)]
        return replace(
            self.server,
            configuration=with_emulator(self.server.configuration, variables, twilio.url),
            environment=without_connections(self.server.environment, variables),
            is_emulated=True,
            public_url=public_url,
            on_ready=on_ready,
        )


def _assign_numbers(endpoints: Mapping[str, Endpoint]) -> Iterator[tuple[str, Endpoint]]:
    """Yield a number for each flow that waits for messages: those that its integration sends from, or a free one.

    Where no step says from which config variable it sends, every one that is a number counts.
    """
    taken: set[str] = set()
    spare = (f"+{number}" for number in itertools.count(_FIRST_NUMBER))
    for endpoint in endpoints.values():
        if endpoint.flow.trigger.operation not in _INBOUND:
            continue
        values = endpoint.definition.values.by_name
        names = _senders(endpoint.definition.integration) or set(values)
        found = (values.get(name) for name in names)
        own = {value for value in found if isinstance(value, str) and is_number(value)} - taken
        for number in sorted(own) or [next(number for number in spare if number not in taken)]:
            taken.add(number)
            yield number, endpoint


def _senders(integration: Integration) -> set[str]:
    """The names of the config variables from which steps of an integration send."""
    senders = (step.inputs.get("from") for flow in integration.flows for step in all_steps(flow.steps))
    parts = (part for sender in senders if sender is not None for part in inner_inputs(sender))
    return {part.name for part in parts if isinstance(part, ConfigVar)}
