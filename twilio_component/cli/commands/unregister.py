"""``twilio-component unregister``: restore the webhooks that ``serve --register`` has set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.serve_extra import (
    add_config,
    add_database,
    configuration_of,
    database_of,
    import_the_extra,
    report,
)

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "unregister",
        help="restore the webhooks that `serve --register` has set",
        description="Restore the webhooks that `serve --register` has set; those that have been changed since are left "
        "alone.",
    )
    add_config(parser)
    add_database(parser)
    parser.add_argument("--flow", metavar="NAME", help="only those of this flow")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Restore the webhooks and print what was done."""
    from twilio_component.cli.interruptible import run_interruptibly

    with import_the_extra():
        from twilio_component.serving.webhook_registration import unregister
    removal = unregister(
        database_of(options),
        flow=options.flow,
        configuration=configuration_of(options),
        report=report,
    )
    run_interruptibly(removal)
    return exit_codes.DONE
