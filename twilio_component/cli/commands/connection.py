"""``twilio-component connection check``: whether a connection works, and if not, why."""

from __future__ import annotations

import argparse
from typing import Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, connection_of
from twilio_component.host.errors import InputError, Problem


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    group = commands.add_parser("connection", help="check whether a connection works")
    parser = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check",
        help="check a connection without changing anything",
        description="Check a connection: its fields, and what its component can ask the service about it; for Twilio "
        "the credentials, permissions, account, and the network path.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
    parser.add_argument(
        "--component", default="twilio", metavar="KEY", help="the component whose connection it is; default: twilio"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit code is 0 for a connection that works."""
    import asyncio

    return asyncio.run(_check(options))


async def _check(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import discover_host, find_component, print_to_standard_error
    from twilio_component.host.connection_check import check_connection

    async with discover_host() as host:
        component = find_component(host.components, options.component)
        if not component.connections:
            raise InputError(
                "There is nothing to check", [Problem("--component", f"{component.key} needs no connection")]
            )
        connection = connection_of(options, component)
        with print_to_standard_error():
            findings = await check_connection(host, component.key, connection)
    for finding in findings:
        print(finding)
    errors = [finding for finding in findings if finding.level == "error"]
    if not errors:
        return exit_codes.DONE
    if not any(error.asked for error in errors):
        return exit_codes.BAD_INPUT
    return exit_codes.TRY_LATER if all(error.retryable for error in errors) else exit_codes.FAILED
