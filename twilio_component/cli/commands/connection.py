"""``twilio-component connection check``: whether a connection works, and if not, why."""

from __future__ import annotations

import argparse
from typing import Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, connection_of


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
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit code is 0 for a connection that works."""
    import asyncio

    return asyncio.run(_check(options))


async def _check(options: argparse.Namespace) -> int:
    from twilio_component.host import Host
    from twilio_component.twilio.connection_check import check_connection

    async with Host.discover() as host:
        findings = await check_connection(host, connection_of(options, host.components["twilio"]))
    for finding in findings:
        print(finding)
    errors = [finding for finding in findings if finding.level == "error"]
    if not errors:
        return exit_codes.DONE
    return exit_codes.TRY_LATER if all(error.retryable for error in errors) else exit_codes.FAILED
