"""``twilio-component mcp``: flows and read-only actions as tools of an agent."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, port_number
from twilio_component.cli.serve_extra import (
    ExtraMissingError,
    add_config,
    add_database,
    configuration_of,
    database_of,
    environment_value,
    given_database,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from twilio_component.agent_tools.server import ToolServer

TOKEN_VARIABLE = "TWILIO_COMPONENT_MCP_TOKEN"  # noqa: S105 - its name
_DEFAULT_DATABASE = Path(".twilio-component") / "mcp.sqlite"
_EPILOG = f"""\
A call that repeats a requestKey is known by the database: name another one with an absolute path, since clients start
this command in a working folder of their own. Operators give the same to runs show --database.

{CONNECTION_HELP}"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    import argparse

    parser = commands.add_parser(
        "mcp",
        help="offer flows and read-only actions as tools of an agent (MCP)",
        description="Offer the flows that declare schemas.invoke, and read-only actions, as tools of an agent: over "
        "standard input and output, or with --port over HTTP on this machine. Needs the extra mcp.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path, help="flow definitions")
    add_config(parser)
    add_database(parser, default=f"{_DEFAULT_DATABASE} in the folder of the first FILE")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--connection",
        metavar="FILE",
        help="the connection for the read-only actions, where it is not that of the flows; see below",
    )
    source.add_argument("--emulator", action="store_true", help="use the embedded emulator instead of Twilio")
    parser.add_argument(
        "--allow-send",
        action="store_true",
        help="also offer flows that send, or change something elsewhere; each call needs a requestKey",
    )
    parser.add_argument(
        "--port",
        type=port_number,
        metavar="PORT",
        help=f"serve HTTP on 127.0.0.1 instead; clients need the token in {TOKEN_VARIABLE}",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until the client goes away, or over HTTP until the process is stopped."""
    import asyncio
    import logging

    try:
        import mcp.server  # noqa: F401 - whether the extra is there

        from twilio_component.agent_tools import server  # noqa: F401 - imports what the extra installs
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"'{error.name}' is not installed: pip install 'twilio-component[mcp]' installs what this command needs"
        ) from error
    from twilio_component.cli.log_output import log_plainly

    # Standard output belongs to the protocol.
    log_plainly(logging.WARNING)
    with ExitStack() as stack:
        tools = _tool_server(options, stack)
        asyncio.run(_serve(options, tools))
    return exit_codes.DONE


async def _serve(options: argparse.Namespace, tools: ToolServer) -> None:
    from twilio_component.agent_tools.server import http_app, serve_stdio
    from twilio_component.agent_tools.standard_streams import output_of_the_protocol

    if options.port is None:
        # What components print, also while they are imported, must not get between the protocol's messages.
        with output_of_the_protocol() as output:
            async with tools.open() as server:
                await serve_stdio(server, output)
        return
    import uvicorn

    from twilio_component.host.errors import InputError, Problem
    from twilio_component.serving.ports import listen
    from twilio_component.serving.web_server import serve_until_stopped

    token = environment_value(TOKEN_VARIABLE) or ""
    if not token:
        raise InputError("The server could not start", [Problem(TOKEN_VARIABLE, "must hold the token of its clients")])
    with listen("127.0.0.1", options.port) as listening:
        async with tools.open() as server:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
            config = uvicorn.Config(http_app(server, token), log_level="warning")
            await serve_until_stopped(config, listening, lambda: print(f"tools: {url}", file=sys.stderr, flush=True))


def _default_database(files: Sequence[Path]) -> Path:
    """Return the database beside the flows: the client chooses the working folder, and a key must be known in any."""
    return (files[0].resolve().parent if files else Path()) / _DEFAULT_DATABASE


def _refuse_relative_database(options: argparse.Namespace) -> None:
    """Raise ``InputError`` for a database that would be another one in another working folder, unlike the flows."""
    from twilio_component.durable.store.database_url import database_url, is_relative
    from twilio_component.host.errors import InputError, Problem

    text = given_database(options)
    if text is None or not any(file.is_absolute() for file in options.files):
        return
    database_url(text)  # raises for what is no database at all
    if is_relative(text):
        problem = "must be an absolute path, as the flows have: in another working folder the server would send again"
        raise InputError("The server could not start", [Problem("--database", problem)])


def _tool_server(options: argparse.Namespace, stack: ExitStack) -> ToolServer:
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from twilio_component.agent_tools.server import ToolServer
    from twilio_component.host.connections import connection_from_file
    from twilio_component.host.environment import FileEnvironment

    def connection() -> Mapping[str, Any]:
        return connection_from_file(options.connection)

    if options.connection:
        connection()  # a mistake in it is told now, and not to the agent
    _refuse_relative_database(options)
    default = str(_default_database(options.files))
    if options.emulator:
        # A run that began with the emulator must not continue with Twilio.
        default = f"{stack.enter_context(TemporaryDirectory())}/mcp.sqlite"
    tools = ToolServer(
        files=options.files,
        database=database_of(options, default),
        connection=connection if options.connection else None,
        configuration=configuration_of(options),
        environment=FileEnvironment(),
        allow_send=options.allow_send,
    )
    if not options.emulator:
        return tools
    from twilio_component.emulator import Emulator
    from twilio_component.emulator.connection import emulator_connection
    from twilio_component.flows.parsing.reader import read_definition
    from twilio_component.serving.emulator_connections import twilio_connections, with_emulator, without_connections

    integrations = [found for file in tools.files if (found := read_definition(file).integration)]
    variables = [variable for integration in integrations for variable in twilio_connections(integration)]
    return replace(
        tools,
        connection=emulator_connection,
        configuration=with_emulator(tools.configuration, variables),
        environment=without_connections(tools.environment, variables),
        is_emulated=True,
        transport=Emulator().transport,
    )
