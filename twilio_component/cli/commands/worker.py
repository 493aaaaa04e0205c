"""``twilio-component worker``: run a worker against a shared Postgres database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import add_logging
from twilio_component.cli.serve_extra import (
    add_config,
    add_health,
    add_public_url,
    configuration_of,
    database_of,
    health_of,
    import_the_extra,
    report,
)
from twilio_component.durable.store.default_database import DATABASE_VARIABLE

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "worker",
        help="run a worker against a shared Postgres database",
        description="Execute runs that serving processes have stored. Flow files travel with the runs.",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="postgresql://…, the database of the serving process; default: the environment variable "
        f"{DATABASE_VARIABLE}, or the file that {DATABASE_VARIABLE}_FILE names",
    )
    add_config(parser)
    add_public_url(parser)
    add_health(parser)
    add_logging(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM."""
    import asyncio

    from twilio_component.serving.garbage_collection import collect_rarely

    collect_rarely()
    with import_the_extra(options):
        from twilio_component.serving.worker import Worker
    worker = Worker(
        database=database_of(options),
        configuration=configuration_of(options),
        public_url=options.public_url,
        report=report,
        health=health_of(options),
    )
    asyncio.run(worker.run())
    return exit_codes.DONE
