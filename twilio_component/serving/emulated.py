"""A phone beside the flows: an emulator in the same process, which is Twilio to them, with its inbox in the browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twilio_component.emulator import Emulator
from twilio_component.emulator.connection import emulator_connection
from twilio_component.emulator.model.addresses import is_number
from twilio_component.flows.model import environment_name
from twilio_component.flows.parsing.reader import read_definition
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    from twilio_component.emulator.server.server import Server
    from twilio_component.flows.model import ConfigVariable
    from twilio_component.serving.endpoints import Endpoint
    from twilio_component.serving.server import Serving

# Triggers that wait for somebody to write.
_INBOUND = ("twilio.webhook", "twilio.inboundMessage")
_FIRST_NUMBER = 15017122661
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - the words for it, translated


@dataclass(frozen=True, kw_only=True)
class Phone:
    """Serves flows to an emulator. ``port`` is the emulator's; whatever real credentials there are stay unused."""

    serving: Serving
    port: int = 8010

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises ``IntegrationError``."""
        host = _EVERY_INTERFACE.get(self.serving.host, self.serving.host)
        emulator = Emulator(webhook_hosts=[host])
        async with AsyncExitStack() as stack:
            try:
                server = await stack.enter_async_context(emulator.serve(port=self.port))
            except OSError as error:
                problem = Problem("--emulator-port", f"{self.port} cannot be listened on: {error.strerror}")
                raise InputError("The emulator cannot begin", [problem]) from error
            await self._pointed_at(emulator, server, f"http://{host}:{self.serving.port}").run()

    def _pointed_at(self, emulator: Emulator, server: Server, public_url: str) -> Serving:
        """The same flows with the emulator for Twilio. Status callbacks can reach them, too."""

        def opened(endpoints: Mapping[str, Endpoint]) -> None:
            for number, endpoint in _numbers(endpoints):
                emulator.add_number(number, sms_url=endpoint.url_for_twilio)
                self.serving.say(f"number of {endpoint.flow.name}: {number}")
            self.serving.say(f"inbox: {server.url}/")

        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        ours: dict[str, Any] = {variable.key: connection for variable in self._connections()}
        theirs = {environment_name(name) for name in ours}
        configuration = self.serving.configuration
        return replace(
            self.serving,
            configuration=replace(configuration, config_vars={**configuration.config_vars, **ours}),
            environment={name: value for name, value in self.serving.environment.items() if name not in theirs},
            public_url=public_url,
            opened=opened,
        )

    def _connections(self) -> Iterator[ConfigVariable]:
        for file in self.serving.files:
            integration = read_definition(file).integration
            # What cannot be read is complained about by who serves it.
            for variable in integration.config_variables.values() if integration else ():
                if variable.is_connection and variable.component == "twilio":
                    yield variable


def _numbers(endpoints: Mapping[str, Endpoint]) -> Iterator[tuple[str, Endpoint]]:
    """A number for each flow that waits for messages: those of its config variables, or one that nobody has."""
    taken: set[str] = set()
    spare = (f"+{number}" for number in itertools.count(_FIRST_NUMBER))
    for endpoint in endpoints.values():
        if endpoint.flow.trigger.operation not in _INBOUND:
            continue
        values = endpoint.served.loaded.values.by_name.values()
        own = {value for value in values if isinstance(value, str) and is_number(value)} - taken
        for number in sorted(own) or [next(number for number in spare if number not in taken)]:
            taken.add(number)
            yield number, endpoint
