"""Flow definitions: integrations in YAML, read, checked and run. Knows no Twilio.

``read_definition`` and ``check_file`` say what is wrong with a file, ``load_integration`` reads a good one,
``FlowRunner`` runs its flows in this process. ``Execution`` is one run of a flow as a machine for engines of their own:
it says what is to be done next, keeps its state in a JSON value, and does nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.exports import lazily

if TYPE_CHECKING:
    from twilio_component.flows.checking import check_file, check_integration
    from twilio_component.flows.configuration import Configuration, read_configuration
    from twilio_component.flows.definition import Flow, Integration
    from twilio_component.flows.effects import Call, Done, Failure, StartFlow, Wait
    from twilio_component.flows.execution import Execution
    from twilio_component.flows.findings import Finding, FlowError
    from twilio_component.flows.mocks import EXAMPLE
    from twilio_component.flows.reading import load_integration, read_definition
    from twilio_component.flows.running import FlowRunner, Kept, Outcome
    from twilio_component.flows.state import initial_state

_HOMES = {
    **dict.fromkeys(("check_file", "check_integration"), "checking"),
    **dict.fromkeys(("Configuration", "read_configuration"), "configuration"),
    **dict.fromkeys(("Flow", "Integration"), "definition"),
    **dict.fromkeys(("Call", "Done", "Failure", "StartFlow", "Wait"), "effects"),
    "Execution": "execution",
    "initial_state": "state",
    **dict.fromkeys(("Finding", "FlowError"), "findings"),
    "EXAMPLE": "mocks",
    **dict.fromkeys(("load_integration", "read_definition"), "reading"),
    **dict.fromkeys(("FlowRunner", "Kept", "Outcome"), "running"),
}

__all__ = [
    "EXAMPLE",
    "Call",
    "Configuration",
    "Done",
    "Execution",
    "Failure",
    "Finding",
    "Flow",
    "FlowError",
    "FlowRunner",
    "Integration",
    "Kept",
    "Outcome",
    "StartFlow",
    "Wait",
    "check_file",
    "check_integration",
    "initial_state",
    "load_integration",
    "read_configuration",
    "read_definition",
]

__getattr__ = lazily(__name__, _HOMES)
