"""Flow definitions: integrations in YAML, read, checked and run. Knows no Twilio.

``read_definition`` and ``check_file`` say what is wrong with a file, ``load_integration`` reads a good one,
``FlowRunner`` runs its flows in this process. ``Execution`` is one run of a flow as a machine for engines of their own:
it says what to do next, keeps its state in a JSON value, and does nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.flows.checking.checker import check_file, check_integration
    from twilio_component.flows.findings import EvaluationError, Finding, FlowError
    from twilio_component.flows.interpreter.effects import (
        Call,
        Done,
        Effect,
        Failure,
        FanOut,
        ItemSource,
        StartFlow,
        TakePage,
        Wait,
    )
    from twilio_component.flows.interpreter.execution import Execution
    from twilio_component.flows.interpreter.state import initial_state
    from twilio_component.flows.model import Flow, Integration
    from twilio_component.flows.parsing.reader import load_integration, read_definition
    from twilio_component.flows.runner.configuration import Configuration, read_configuration
    from twilio_component.flows.runner.mocks import EXAMPLE
    from twilio_component.flows.runner.runner import FlowRunner, Outcome, StoredState

_HOMES = {
    **dict.fromkeys(("check_file", "check_integration"), "checking.checker"),
    **dict.fromkeys(("Configuration", "read_configuration"), "runner.configuration"),
    **dict.fromkeys(("Flow", "Integration"), "model"),
    **dict.fromkeys(
        ("Call", "Done", "Effect", "Failure", "FanOut", "ItemSource", "StartFlow", "TakePage", "Wait"),
        "interpreter.effects",
    ),
    "Execution": "interpreter.execution",
    "initial_state": "interpreter.state",
    **dict.fromkeys(("EvaluationError", "Finding", "FlowError"), "findings"),
    "EXAMPLE": "runner.mocks",
    **dict.fromkeys(("load_integration", "read_definition"), "parsing.reader"),
    **dict.fromkeys(("FlowRunner", "StoredState", "Outcome"), "runner.runner"),
}

__all__ = [
    "EXAMPLE",
    "Call",
    "Configuration",
    "Done",
    "Effect",
    "EvaluationError",
    "Execution",
    "Failure",
    "FanOut",
    "Finding",
    "Flow",
    "FlowError",
    "FlowRunner",
    "Integration",
    "ItemSource",
    "Outcome",
    "StartFlow",
    "StoredState",
    "TakePage",
    "Wait",
    "check_file",
    "check_integration",
    "initial_state",
    "load_integration",
    "read_configuration",
    "read_definition",
]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
