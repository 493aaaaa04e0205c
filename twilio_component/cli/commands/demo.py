"""The main job, shown: an SMS sent, fetched, listed and asked for raw, against the embedded emulator."""

from __future__ import annotations

import json
from typing import Any

from twilio_component.emulator import Emulator
from twilio_component.emulator.connection import emulator_connection
from twilio_component.host import Host


async def demonstrate() -> None:
    """Run the four actions and print what each was given and what it returned."""
    connection = emulator_connection()
    async with Host.discover(transport=Emulator().transport) as host:

        async def run(action: str, **inputs: Any) -> Any:
            print(f"\n▸ {action} {json.dumps(inputs, ensure_ascii=False)}")
            result = await host.invoke_action("twilio", action, {"twilioConnection": connection, **inputs})
            print(json.dumps(result, indent=2, ensure_ascii=False))
            return result["data"]

        print("The four actions of the component 'twilio', against an emulated Twilio: nothing leaves this machine.")
        sent = await run(
            "sendSMS", to="(605) 555-1212", message="Hello from twilio-component", **{"from": "+15017122661"}
        )
        await run("getSMS", sid=sent["sid"])
        await run("listMessages", limit=10)
        await run("rawRequest", method="GET", url=sent["uri"])
