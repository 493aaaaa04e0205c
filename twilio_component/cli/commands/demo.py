"""``twilio-component demo``: send, fetch and list a message, then make a raw request, against the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import print_json

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    words = "send, fetch and list a message, then make a raw request, against the embedded emulator"
    commands.add_parser("demo", help=words, description=f"{words.capitalize()}.").set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Invoke four of the actions and print their inputs and results."""
    import asyncio

    asyncio.run(_demonstrate())
    return exit_codes.DONE


async def _demonstrate() -> None:
    from twilio_component.emulator import Emulator
    from twilio_component.emulator.connection import emulator_connection
    from twilio_component.host import Host

    connection = emulator_connection()
    async with Host.discover(transport=Emulator().transport) as host:

        async def invoke(action: str, **inputs: Any) -> Any:
            print(f"\n▸ {action} {json.dumps(inputs, ensure_ascii=False)}")
            result = await host.invoke_action("twilio", action, {"twilioConnection": connection, **inputs})
            print_json(result)
            return result["data"]

        print("Four of the actions of the component 'twilio', against the emulator: nothing leaves this machine.")
        sent = await invoke(
            "sendSMS", to="(605) 555-1212", message="Hello from twilio-component", **{"from": "+15017122661"}
        )
        await invoke("getSMS", sid=sent["sid"])
        await invoke("listMessages", limit=10)
        await invoke("rawRequest", method="GET", url=sent["uri"])
