"""``twilio-component trigger register | unregister``: point a number at a webhook, and restore the old one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, add_inputs, connection_of, inputs_of

if TYPE_CHECKING:
    from twilio_component.host import Host

_FLOW = "the flow"
_EPILOG = f"""\
example:
  twilio-component trigger register inboundMessage --url https://example.com/sms --state registration.json \\
    --input phoneNumber=+15017122661
  twilio-component trigger unregister inboundMessage --state registration.json

{CONNECTION_HELP}"""


def add_parser(commands: Any) -> None:
    """Add the commands to the command line."""
    group = commands.add_parser(
        "trigger", help="point a number or messaging service at your webhook, and restore the old one"
    )
    actions = group.add_subparsers(required=True, metavar="COMMAND")
    register = actions.add_parser(
        "register",
        help="point the number or service that the trigger names at --url",
        description="Point the number or messaging service that the trigger names at --url. Repeating it is harmless.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    register.add_argument("--url", required=True, help="where Twilio reaches the flow")
    register.set_defaults(run=_register)
    unregister = actions.add_parser(
        "unregister",
        help="restore the webhook that was there before",
        description="Restore the webhook that was there before; one that has been changed since is left alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    unregister.set_defaults(run=_unregister, url="")
    for parser in (register, unregister):
        parser.add_argument("trigger", metavar="TRIGGER", help="the trigger's key, e.g. inboundMessage")
        parser.add_argument(
            "--state", required=True, metavar="FILE", type=Path, help="the file that records what to restore"
        )
        parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
        add_inputs(parser)


def _register(options: argparse.Namespace) -> int:
    return _run(options, lambda host: host.deploy_trigger)


def _unregister(options: argparse.Namespace) -> int:
    return _run(options, lambda host: host.delete_trigger)


def _run(options: argparse.Namespace, method: Callable[[Host], Callable[..., Awaitable[dict[str, Any]]]]) -> int:
    from twilio_component.cli.interruptible import run_interruptibly

    for entry in run_interruptibly(_report(options, method)):
        sys.stdout.write(f"{entry['text']}\n")
    return exit_codes.DONE


async def _report(
    options: argparse.Namespace, method: Callable[[Host], Callable[..., Awaitable[dict[str, Any]]]]
) -> list[dict[str, str]]:
    from twilio_component.cli.components import discover_host, print_to_standard_error
    from twilio_component.host import Context
    from twilio_component.host.state_file import StateFile

    file = StateFile(options.state)
    context = Context(
        instance_state=file.state,
        keep_instance_state=file.keep,
        flow={"name": _FLOW},
        webhook_urls={_FLOW: options.url},
    )
    inputs = inputs_of(options)
    async with discover_host() as host:
        inputs.setdefault("twilioConnection", connection_of(options, host.components["twilio"]))
        with print_to_standard_error():
            envelope = await method(host)("twilio", options.trigger, inputs, context=context)
    await file.keep(envelope.get("instanceState") or {})
    report: list[dict[str, str]] = envelope["result"]
    return report
