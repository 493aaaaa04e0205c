"""``twilio-component connection check``: whether a connection works, and if not, why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, connection_of
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    from twilio_component.host.model import Component


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    group = commands.add_parser("connection", help="whether a connection works, and if not, why")
    parser = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check",
        help="ask Twilio, changing nothing",
        description="Check a connection: its fields, credentials, permissions, account, and the network path to "
        "Twilio.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
    parser.add_argument("--component", default="twilio", metavar="KEY", help="whose connection it is; default: twilio")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit code is 0 for a connection that works."""
    import asyncio

    return asyncio.run(_check(options))


def _check_fields(component: Component, connection: dict[str, Any]) -> int:
    """Check the fields of a connection of a component that the command knows nothing else about."""
    from twilio_component.host.errors import json_path
    from twilio_component.host.inputs.form import ConnectionForm

    problems: list[Any] = []
    ConnectionForm(component.connections).validate(connection, problems)
    for path, message in problems:
        print(f"error: {json_path(path)}: {message}")
    if problems:
        return exit_codes.FAILED
    print("fine: the fields are valid")
    print(f"warning: nothing was sent; whether the service accepts them, an action of {component.key} shows")
    return exit_codes.DONE


async def _check(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import find_component
    from twilio_component.host import Host
    from twilio_component.twilio.connection_check import check_connection

    async with Host.discover() as host:
        component = find_component(host.components, options.component)
        if not component.connections:
            raise InputError(
                "There is nothing to check", [Problem("--component", f"{component.key} needs no connection")]
            )
        connection = connection_of(options, component)
        if component.key != "twilio":
            return _check_fields(component, connection)
        findings = await check_connection(host, connection)
    for finding in findings:
        print(finding)
    errors = [finding for finding in findings if finding.level == "error"]
    if not errors:
        return exit_codes.DONE
    return exit_codes.TRY_LATER if all(error.retryable for error in errors) else exit_codes.FAILED
