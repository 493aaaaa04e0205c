"""The installed components on the command line: a host that has them, an operation by its name, its connection.

What components print, when they are imported or run, goes to standard error: standard output belongs to the results.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from twilio_component.cli.options import connection_of
from twilio_component.host.connections import secrets_of
from twilio_component.host.errors import InputError, Problem, UnknownKeyError, did_you_mean, join_names

if TYPE_CHECKING:
    import argparse

    from twilio_component.host import Host
    from twilio_component.host.model import Component, Operation

TWILIO = "twilio"
EMULATED = "--emulator: what is logged as a request to api.twilio.com goes to the embedded emulator, not to Twilio"


def print_to_standard_error() -> redirect_stdout[Any]:
    """Redirect what is printed in the block; a component that prints must not get between the results."""
    return redirect_stdout(sys.stderr)


def discover_host(**options: Any) -> Host:
    """Return a host with every installed component; ``options`` are those of ``Host.discover``."""
    from twilio_component.host.host import Host

    with print_to_standard_error():
        return Host.discover(**options)


def find_component(components: Mapping[str, Component], key: str) -> Component:
    """Return a component; raises ``UnknownKeyError`` with the nearest key."""
    if key not in components:
        hint = did_you_mean(key, components) or (
            f" (installed: {join_names(components)}); `component check FILE` says whether hosts find yours"
        )
        raise UnknownKeyError(f"there is no component '{key}'{hint}")
    return components[key]


def find_operation(components: Mapping[str, Component], name: str) -> tuple[Component, Operation]:
    """Return the operation named ``KEY`` or ``COMPONENT.KEY``, and its component; raises ``UnknownKeyError``."""
    component_key, dot, key = name.rpartition(".")
    component = find_component(components, component_key if dot else TWILIO)
    return component, operation_of(component, key)


def operation_of(component: Component, key: str) -> Operation:
    """Return an operation of a component; raises ``UnknownKeyError`` with the nearest key."""
    known = {operation.key: operation for operation in component.operations()}
    if key not in known:
        hint = did_you_mean(key, known) or f" (it has: {join_names(known)})"
        raise UnknownKeyError(f"{component.key} has no action, trigger or data source '{key}'{hint}")
    return known[key]


def complete_connection(
    inputs: dict[str, Any], component: Component, operation: Operation, options: argparse.Namespace
) -> None:
    """Add the connection that the inputs lack: the emulator's, a file's or the environment's.

    Raises ``InputError`` for a connection that is given to an operation without one, or that is needed and missing.
    """
    emulated = getattr(options, "emulator", False)
    if emulated and component.key != TWILIO:
        raise _wrong("--emulator", f"emulates Twilio, and {component.key}.{operation.key} is of another component")
    wanted = operation.connection_inputs
    missing = sorted(wanted - inputs.keys())
    if options.connection and len(missing) != 1:
        reason = "takes no connection" if not wanted else "has no single connection to fill; give each by --inputs"
        raise _wrong("--connection", f"{operation.key} {reason}")
    for name in missing:
        if emulated:
            from twilio_component.emulator.connection import emulator_connection

            inputs[name] = emulator_connection()
        elif options.connection or name in operation.inputs.get("required", ()):
            inputs[name] = connection_of(options, component)


def secrets_in(inputs: Mapping[str, Any], component: Component, operation: Operation) -> set[str]:
    """The texts in the inputs that nobody may see: those of connections, and inputs that are declared so."""
    found: set[str] = set()
    for name, schema in operation.inputs["properties"].items():
        if schema.get("format") == "connection":
            found |= secrets_of(inputs.get(name), component.connections)
        elif schema.get("writeOnly") and isinstance(inputs.get(name), str):
            found.add(inputs[name])
    return found


def _wrong(option: str, message: str) -> InputError:
    return InputError("The options do not fit the operation", [Problem(option, message)])
