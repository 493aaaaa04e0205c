"""``twilio-component trigger deploy`` and ``trigger delete``: tell a number where its webhooks go, and tell it back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, add_inputs, connection_of, inputs_of

if TYPE_CHECKING:
    import argparse

_FLOW = "the flow"
_EPILOG = f"""\
example:
  twilio-component trigger deploy inboundMessage --url https://example.com/sms --state registration.json \\
    --input phoneNumber=+15017122661
  twilio-component trigger delete inboundMessage --state registration.json

{CONNECTION_HELP}"""


def add_parser(commands: Any, formatter: Any) -> None:
    """Add the commands to the command line."""
    group = commands.add_parser("trigger", help="set the webhook of a number or messaging service, and set it back")
    deeds = group.add_subparsers(required=True, metavar="COMMAND")
    deploy = deeds.add_parser(
        "deploy",
        help="what a trigger does when its flow is deployed",
        description="Do what a trigger does when its flow is deployed. Repeating it does no harm.",
        epilog=_EPILOG,
        formatter_class=formatter,
    )
    deploy.add_argument("--url", required=True, help="where Twilio reaches the flow")
    deploy.set_defaults(run=_deploy)
    delete = deeds.add_parser(
        "delete",
        help="undo it",
        description="Undo what deploying the trigger did. What somebody has changed since is left as it is.",
        epilog=_EPILOG,
        formatter_class=formatter,
    )
    delete.set_defaults(run=_delete, url="")
    for parser in (deploy, delete):
        parser.add_argument("trigger", metavar="TRIGGER", help="the trigger's key, e.g. inboundMessage")
        parser.add_argument(
            "--state", required=True, metavar="FILE", type=Path, help="where to keep what is to be undone"
        )
        parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
        add_inputs(parser)


def _deploy(options: argparse.Namespace) -> int:
    return _done(options, "deploy_trigger")


def _delete(options: argparse.Namespace) -> int:
    return _done(options, "delete_trigger")


def _done(options: argparse.Namespace, deed: str) -> int:
    import asyncio

    for entry in asyncio.run(_result(options, deed)):
        sys.stdout.write(f"{entry['said']}\n")
    return exit_codes.DONE


async def _result(options: argparse.Namespace, deed: str) -> list[dict[str, str]]:
    from twilio_component.host import Context, Host
    from twilio_component.host.state_file import StateFile

    file = StateFile(options.state)
    context = Context(
        instance_state=file.state,
        keep_instance_state=file.keep,
        flow={"name": _FLOW},
        webhook_urls={_FLOW: options.url},
    )
    inputs = inputs_of(options)
    async with Host.discover() as host:
        inputs.setdefault("twilioConnection", connection_of(options, host.components["twilio"]))
        envelope = await getattr(host, deed)("twilio", options.trigger, inputs, context=context)
    await file.keep(envelope.get("instanceState") or {})
    result: list[dict[str, str]] = envelope["result"]
    return result
