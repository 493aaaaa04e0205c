"""The bundled test harness.

``Harness`` and ``BlockingHarness`` run a component's operations against an emulator in this process; ``invoke``,
``invoke_trigger`` and ``invoke_data_source`` run one operation without a component; ``create_connection``,
``default_trigger_payload``, ``signed_payload`` and ``RecordingLogger`` create their arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.emulator.connection import emulator_connection
    from twilio_component.testing.blocking import BlockingHarness
    from twilio_component.testing.connections import (
        connection_from_variable,
        create_connection,
        default_trigger_payload,
    )
    from twilio_component.testing.harness import Harness
    from twilio_component.testing.logs import RecordingLogger
    from twilio_component.testing.one_shot import invoke, invoke_data_source, invoke_trigger
    from twilio_component.testing.signed_webhooks import signed_payload

_HOMES = {
    "emulator_connection": "twilio_component.emulator.connection",
    "BlockingHarness": "blocking",
    "Harness": "harness",
    "RecordingLogger": "logs",
    "signed_payload": "signed_webhooks",
    **dict.fromkeys(("invoke", "invoke_data_source", "invoke_trigger"), "one_shot"),
    **dict.fromkeys(
        (
            "connection_from_variable",
            "create_connection",
            "default_trigger_payload",
        ),
        "connections",
    ),
}

__all__ = [
    "BlockingHarness",
    "Harness",
    "RecordingLogger",
    "connection_from_variable",
    "create_connection",
    "default_trigger_payload",
    "emulator_connection",
    "invoke",
    "invoke_data_source",
    "invoke_trigger",
    "signed_payload",
]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
