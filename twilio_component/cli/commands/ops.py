"""``twilio-component ops``: the page of operations for a database that other processes work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import add_logging, port_number
from twilio_component.cli.serve_extra import (
    OPERATIONS_TOKEN,
    add_database,
    database_of,
    environment_value,
    import_the_extra,
    report,
)

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "ops",
        help="serve the operations page of a database",
        description="Serve the operations page of a database: its runs, why they failed, and what can be done.",
        epilog=f"Beyond this machine the page needs a token: set {OPERATIONS_TOKEN}, or {OPERATIONS_TOKEN}_FILE to the "
        "path of a file with the token.",
    )
    add_database(parser)
    parser.add_argument("--port", type=port_number, default=8020, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    add_logging(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page until SIGINT or SIGTERM."""
    import asyncio

    with import_the_extra(options):
        from twilio_component.serving.operations.server import OperationsAddress, serve_operations

        database = database_of(options)
    token = environment_value(OPERATIONS_TOKEN) or ""
    address = OperationsAddress(host=options.host, port=options.port, token=token)
    asyncio.run(serve_operations(database, address, report))
    return exit_codes.DONE
