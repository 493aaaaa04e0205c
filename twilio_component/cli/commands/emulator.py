"""``twilio-component emulator``: serve Twilio's API on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import port_number
from twilio_component.host.errors import InputError
from twilio_component.serving.ports import port_problem

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("emulator", help="serve Twilio's API on this machine", description="Emulate Twilio.")
    parser.add_argument("--port", type=port_number, default=8010, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="extra Host header to accept (localhost and IP addresses are always accepted); repeatable",
    )
    parser.add_argument(
        "--webhook-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another machine that webhooks may be sent to; repeatable",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve a fresh emulator until SIGINT or SIGTERM. Raises ``InputError`` for a port that is taken."""
    from twilio_component.emulator.server.server import run as serve

    names = {"allowed_hosts": options.allow_host, "webhook_hosts": options.webhook_host}
    try:
        serve(host=options.host, port=options.port, **names)
    except OSError as error:
        raise InputError("The emulator could not start", [port_problem("--port", options.port, error)]) from error
    return exit_codes.DONE
