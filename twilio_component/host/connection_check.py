"""Checks a connection: its fields by the manifest, then by the function that its type names for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from twilio_component.host.errors import InputError, Problem, UnknownKeyError, did_you_mean, join_names, json_path

if TYPE_CHECKING:
    from twilio_component.host.host import Host

FindingLevel = Literal["fine", "warning", "error"]


@dataclass(frozen=True, slots=True)
class ConnectionFinding:
    """One finding: ``fine``, a ``warning`` (it works within limits), or an ``error`` (it does not work).

    ``retryable`` says whether the same check may succeed later without a change, and ``asked`` whether the service has
    been asked, or the fields alone are wrong.
    """

    level: FindingLevel
    text: str
    retryable: bool = False
    asked: bool = True

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


async def check_connection(host: Host, component: str, connection: Mapping[str, Any]) -> list[ConnectionFinding]:
    """Return what is to be said of a connection of a component, such as ``{"key": "basic", "fields": {…}}``.

    The fields are checked first; then the connection type's ``check`` function asks the service, changing nothing.
    Without such a function a warning says that nothing was asked. Raises ``UnknownKeyError`` for a component that is
    not installed, ``InputError`` for one that needs no connection, and ``PluginError`` for a function that cannot be
    called.
    """
    # Here: a component that only names its check must not import the forms with it.
    from twilio_component.host.inputs.form import ConnectionForm

    found = host.components.get(component)
    if found is None:
        hint = did_you_mean(component, host.components) or f" (found: {join_names(host.components)})"
        raise UnknownKeyError(f"there is no component '{component}'{hint}")
    if not found.connections:
        raise InputError("There is nothing to check", [Problem("component", f"{component} needs no connection")])
    problems: list[Any] = []
    accepted = ConnectionForm(found.connections).validate(connection, problems)
    if problems:
        return [ConnectionFinding("error", f"{json_path(path)}: {message}", asked=False) for path, message in problems]
    check = found.connections[accepted["key"]].check_function
    if check is None:
        text = f"nothing was sent; whether the service accepts them, an action of {component} shows"
        return [ConnectionFinding("fine", "the fields are valid"), ConnectionFinding("warning", text)]
    return list(await check(host, accepted))
