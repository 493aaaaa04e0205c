"""Connections from environment variables and files.

The fields of a connection type name the environment variable that may fill them (``environment: TWILIO_ACCOUNT_SID``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import InputError, Problem, join_names
from twilio_component.host.manifest.documents import read_document

if TYPE_CHECKING:
    from twilio_component.host.model import Component, Connection

SHORTEST_SECRET = 6
"""Shorter texts occur in what anybody may see, and are not hidden."""
VALUE_VARIABLE = "PRISMATIC_CONNECTION_VALUE"


def connection_from_environment(component: Component, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the connection that ``environment`` holds: ``{"key": …, "fields": {…}}``.

    ``PRISMATIC_CONNECTION_VALUE``, a connection as JSON, wins; otherwise it is the first connection type whose required
    fields are all set. Raises ``InputError``, which names the missing variables.
    """
    if value := environment.get(VALUE_VARIABLE):
        return _parse(value)
    for kind in component.connections.values():
        fields = _fields(kind, environment)
        if fields.keys() >= set(kind.inputs.get("required", ())):
            return {"key": kind.key, "fields": fields}
    problems = [
        Problem("", f"for a connection of type {kind.key}: {join_names(_missing(kind, environment))} not set")
        for kind in component.connections.values()
    ]
    raise InputError(f"The environment has no complete {component.key} connection", problems)


def connection_from_file(path: Path | str) -> dict[str, Any]:
    """Return the connection in a YAML or JSON file that holds ``key`` and ``fields``, or the fields alone.

    Raises ``DocumentError`` or ``InputError``. The fields are validated when the connection is used.
    """
    document = read_document(path)
    if not isinstance(document.data, dict):
        problem = document.problem((), 'must be a connection: {"key": …, "fields": {…}}')
        raise InputError("The connection file is not valid", [problem])
    if "configVars" in document.data and "fields" not in document.data:
        text = "this is a configuration, which serve and flow run take with --config; a connection has key and fields"
        raise InputError("The connection file is not valid", [document.problem((), text)])
    return document.data if "fields" in document.data else {"fields": document.data}


def secrets_of(connection: Any, kinds: Mapping[str, Connection]) -> set[str]:
    """The texts in a connection that nobody may see; of one whose type is not known, any field may be a secret.

    A field that holds several secrets, each with its name, is hidden as a whole and each of them by itself.
    """
    fields = connection.get("fields") if isinstance(connection, Mapping) else None
    if not isinstance(connection, Mapping) or not isinstance(fields, Mapping):
        return set()
    kind = kinds.get(str(connection.get("key")))
    hidden = [str(value) for name, value in fields.items() if kind is None or name in kind.secrets]
    found = {*hidden, *(word.partition("=")[2] for text in hidden for word in text.split())}
    return {secret for secret in found if len(secret) >= SHORTEST_SECRET}


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = Problem("", f"{VALUE_VARIABLE} is not JSON (character {getattr(error, 'pos', 0)})")
        raise InputError("The environment's connection is not valid", [problem]) from error
    if not isinstance(value, dict):
        problem = Problem("", f'{VALUE_VARIABLE} must be a connection as JSON: {{"key": …, "fields": {{…}}}}')
        raise InputError("The environment's connection is not valid", [problem])
    return value


def _variables(kind: Connection) -> dict[str, str]:
    properties = kind.inputs["properties"]
    return {name: schema["environment"] for name, schema in properties.items() if "environment" in schema}


def _fields(kind: Connection, environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[key] for name, key in _variables(kind).items() if environment.get(key)}


def _missing(kind: Connection, environment: Mapping[str, str]) -> list[str]:
    variables = _variables(kind)
    required = kind.inputs.get("required", ())
    return [variables.get(name, name) for name in required if not environment.get(variables.get(name, ""))]
