"""The MCP server: tools over standard input and output, or over HTTP on the loopback interface with a token.

The SDK is imported where it is used: it takes a second, and it is an extra.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from twilio_component._version import __version__
from twilio_component.agent_tools.flow_tools import FlowFailedError, FlowTools, OutcomeOpenError, refuse_repeated_names
from twilio_component.agent_tools.read_only import connection_to_look, read_only_tools
from twilio_component.agent_tools.standard_streams import input_until_signal
from twilio_component.durable.deployment import Deployment
from twilio_component.durable.engine import Engine
from twilio_component.durable.settings import settings_from
from twilio_component.durable.startup_checks import check_receivers, warn_of_earlier_runs, warn_of_flow
from twilio_component.flows.checking.checker import check_usable
from twilio_component.flows.parsing.reader import read_text
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host import Host
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from mcp import types
    from mcp.server.lowlevel import Server
    from starlette.types import ASGIApp, Receive, Scope, Send

    from twilio_component.agent_tools.tool import Tool
    from twilio_component.host.http.injected import InjectedTransport

_CONFIRM = "confirm"
_CONFIRMATION = {
    "type": "object",
    "properties": {_CONFIRM: {"type": "boolean", "title": "Do it"}},
    "required": [_CONFIRM],
}
_LONGEST_LINE = 300
_LOGGER = logging.getLogger("twilio_component.agent_tools")
_ONLY_READING = "Flows that send or change something are not offered: the server was started without --allow-send."


@dataclass(frozen=True, kw_only=True)
class ToolServer:
    """Offers the flows in ``files`` and the read-only actions as tools.

    ``connection`` returns the connection of the read-only actions when one is needed; without it they take the one that
    the flows have, or the environment's. Flows that send are offered only with ``allow_send``. ``is_emulated`` says
    that the connections are an emulator's. ``transport`` carries the requests of components, see ``Host``.
    """

    files: Sequence[Path]
    database: str
    connection: Callable[[], Mapping[str, Any]] | None = None
    configuration: Configuration = field(default_factory=Configuration)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_send: bool = False
    is_emulated: bool = False
    transport: InjectedTransport | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Server[Any]]:
        """Open the host and the engine, and yield the server of their tools; raises ``IntegrationError``."""
        with self.configuration.placing_problems():
            async with self._open() as server:
                yield server

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Server[Any]]:
        async with Host.discover(transport=self.transport) as host:
            deployment = Deployment(host, self.configuration, self.environment, public_url="")
            texts = {str(file): read_text(file) for file in self.files}
            for file, text in texts.items():
                for warning in check_usable(file, host.components, text=text, purpose="offered as tools"):
                    _LOGGER.warning("%s", warning)
            definitions = [deployment.load(file, text) for file, text in texts.items()]
            deployment.check_configuration(definitions)
            connection = self.connection or connection_to_look(definitions, host, self.environment)
            settings = settings_from(self.configuration.durability)
            check_receivers(settings.on_failure, definitions, is_alone=self.database.startswith("sqlite"))
            async with Engine.open(
                deployment, self.database, settings, kind="mcp", is_emulated=self.is_emulated
            ) as engine:
                await warn_of_flow(settings.on_failure, definitions, engine.database, _warn)
                await warn_of_earlier_runs(deployment, definitions, engine.database, _warn)
                flow_tools = FlowTools(deployment, engine, allow_send=self.allow_send)
                tools = [*read_only_tools(host, connection)]
                for file, text in texts.items():
                    await engine.runs.define(file, text)
                    tools += flow_tools.tools(deployment.load(file, text))
                refuse_repeated_names(tools)
                yield _server(tools, "" if self.allow_send else _ONLY_READING)


async def serve_stdio(server: Server[Any], output: TextIO) -> None:
    """Serve one client over standard input and ``output`` until it goes away, or a signal ends this."""
    import anyio
    from mcp.server.stdio import stdio_server

    with input_until_signal() as lines:
        streams = stdio_server(stdin=cast("Any", lines), stdout=anyio.wrap_file(output))
        async with streams as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


class RequireToken:
    """Refuses requests whose ``Authorization`` is not ``Bearer`` and the token, with 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        given = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, self._expected):
            headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


def http_app(server: Server[Any], token: str) -> ASGIApp:
    """Return the application that serves clients on this machine that have the token, over HTTP at ``/mcp``."""
    return RequireToken(server.streamable_http_app(host="127.0.0.1"), token)


def _warn(text: str) -> None:
    _LOGGER.warning("%s", text.removeprefix("warning: "))


def _server(tools: Sequence[Tool], instructions: str) -> Server[Any]:
    from mcp import types
    from mcp.server.lowlevel import Server

    by_name = {tool.name: tool for tool in tools}

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_describe(tool) for tool in tools])

    async def call_tool(context: Any, params: Any) -> types.CallToolResult | types.InputRequiredResult:
        tool = by_name.get(params.name)
        if tool is None:
            return _failure(_not_done("tool-unknown", f"There is no tool '{params.name}'."))
        arguments = params.arguments or {}
        try:
            tool.validate(arguments)
            if not tool.is_read_only and not await tool.has_begun(arguments):
                refusal = await _ask_for_confirmation(context, params, tool)
                if refusal is not None:
                    return refusal
            result = await tool.call(arguments)
        except IntegrationError as error:
            failure = {"code": error.code, "message": str(error), "mayHaveHappened": error.may_have_happened}
            if isinstance(error, FlowFailedError | OutcomeOpenError) and error.repeated:
                failure["repeated"] = True
            return _failure(failure)
        structured = result if isinstance(result, dict) else {"items": result}
        return types.CallToolResult(content=[_text(result)], structured_content=structured)

    return Server(
        "twilio-component",
        version=__version__,
        instructions=instructions or None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _ask_for_confirmation(
    context: Any, params: Any, tool: Tool
) -> types.CallToolResult | types.InputRequiredResult | None:
    """Ask a person, where the client can; None when the tool may be called, else what to return instead."""
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.elicitation is None:
        return None
    question = _question(tool, params.arguments or {})
    if context.session.can_send_request:
        reply: Any = await context.session.elicit(question, _CONFIRMATION, context.request_id)
    else:
        from mcp import types

        # Newer clients answer by calling again.
        reply = (params.input_responses or {}).get(_CONFIRM)
        if reply is None:
            form = types.ElicitRequestFormParams(message=question, requested_schema=_CONFIRMATION)
            return types.InputRequiredResult(input_requests={_CONFIRM: types.ElicitRequest(params=form)})
    if reply.action == "accept" and (reply.content or {}).get(_CONFIRM) is True:
        return None
    return _failure(_not_done("not-confirmed", "Nothing was done: the user did not confirm."))


def _question(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """What a person is asked, with the arguments, since they say who gets what."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}"[:_LONGEST_LINE] for name, value in arguments.items()]
    return "\n".join([tool.confirmation, *lines])


def _not_done(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "mayHaveHappened": False}


def _describe(tool: Tool) -> types.Tool:
    from mcp import types

    hints = types.ToolAnnotations(
        read_only_hint=tool.is_read_only,
        destructive_hint=not tool.is_read_only,
        # With its key a repeated call does nothing more.
        idempotent_hint=True,
        open_world_hint=tool.open_world,
    )
    return types.Tool(
        name=tool.name, description=tool.description, input_schema=dict(tool.input_schema), annotations=hints
    )


def _failure(error: Mapping[str, Any]) -> types.CallToolResult:
    from mcp import types

    return types.CallToolResult(content=[_text(error)], structured_content=dict(error), is_error=True)


def _text(value: Any) -> types.TextContent:
    from mcp import types

    return types.TextContent(type="text", text=json.dumps(value, ensure_ascii=False))
