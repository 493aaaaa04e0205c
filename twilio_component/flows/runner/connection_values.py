"""Whether the connections that a deployment gives can work, checked before a flow starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import environment_name
from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names, json_path

if TYPE_CHECKING:
    from twilio_component.flows.model import ConfigVariable, Integration
    from twilio_component.flows.runner.configuration import Configuration, Values
    from twilio_component.host.manifest.documents import PathParts
    from twilio_component.host.model import Component, Connection, Operation

_ROOT = "configVars"
_INPUT = re.compile(r"\$\.inputs\.(\w+)")
_REQUIRED = "is required"
_Found = tuple[tuple[str, ...], str]


def check_connections(
    integration: Integration,
    values: Values,
    configuration: Configuration,
    components: Mapping[str, Component],
    environment: Mapping[str, str],
    *,
    complete: bool = True,
) -> None:
    """Raise ``InputError`` with everything that is wrong with the integration's connections.

    Unless they must be ``complete``, one that the deployment gives no value may lack fields: the steps that use it may
    be mocked, or never run.
    """
    problems: list[Problem] = []
    for name, variable in integration.config_variables.items():
        component = components.get(variable.component) if variable.is_connection else None
        value = values.by_name.get(name)
        if component is None or value is None:
            continue  # a component that is not installed is a finding of the check
        is_given = environment_name(name) in environment or name in configuration.config_vars
        found = _problems(value, component.connections)
        missing = [path[-1] for path, message in found if message == _REQUIRED and path[:1] == ("fields",)]
        for path, message in found:
            if message != _REQUIRED or path[:1] != ("fields",):
                problems.append(_locate((name, *path), message, configuration, environment))
                missing = [field for field in missing if f"did you mean '{field}'" not in message]
        if missing and (complete or is_given):
            text = _about_missing(variable, missing, component.connections[value["key"]])
            problems.append(_locate((name,), text, configuration, environment))
    if problems:
        raise InputError(f"{integration.file} cannot run with this configuration", problems)


def name_connections(error: InputError, inputs: Mapping[str, Any], operation: Operation, values: Values) -> InputError:
    """The error of a call with these inputs, its problems with a connection naming the config variable that gave it.

    A run goes on with its own definition: its variables may not be those for which the configuration was written.
    """
    properties = operation.inputs["properties"]
    problems = []
    for problem in error.problems:
        found = _INPUT.match(problem.path or "")
        name = found[1] if found is not None else ""
        if properties.get(name, {}).get("format") == "connection":
            given = [variable for variable, value in values.by_name.items() if value == inputs.get(name)]
            places = join_names([f"'{one}', from --config or {environment_name(one)}" for one in given], word="or")
            if places:
                problem = replace(problem, message=f"{problem.message} (the config variable {places})")  # noqa: PLW2901
        problems.append(problem)
    return InputError(error.summary, problems)


def check_given_connections(configuration: Configuration, components: Mapping[str, Component]) -> None:
    """Raise ``InputError`` for what is wrong with connections of a configuration whose flows are not known yet.

    A value with ``key`` and ``fields`` is a connection, of whichever installed component it fits. One whose type no
    component has is left alone, unless the type is a misspelt one.
    """
    kinds = [(key, kind) for component in components.values() for key, kind in component.connections.items()]
    problems: list[Problem] = []
    for name, value in configuration.config_vars.items():
        if not isinstance(value, Mapping) or not isinstance(value.get("key"), str) or "fields" not in value:
            continue
        fitting = [{key: kind} for key, kind in kinds if key == value["key"]]
        if not fitting and did_you_mean(value["key"], [key for key, _ in kinds]):
            fitting = [dict(kinds)]
        found = [_problems(value, candidates) for candidates in fitting]
        if found and all(found):
            nearest = min(found, key=_distance)
            problems += [_locate((name, *path), message, configuration, {}) for path, message in nearest]
    if problems:
        raise InputError("The configuration is not valid", problems)


def _problems(value: Mapping[str, Any], kinds: Mapping[str, Connection]) -> list[_Found]:
    from twilio_component.host.inputs.form import ConnectionForm

    found: list[tuple[PathParts, str]] = []
    ConnectionForm(kinds, ()).validate(value, found)
    return [(tuple(str(part) for part in path), message) for path, message in found]


def _distance(found: list[_Found]) -> tuple[int, int]:
    """How far a connection is from a type: fields that are not even misspelt ones of it count most."""
    foreign = sum("is not known" in message and "did you mean" not in message for _, message in found)
    return foreign, len(found)


def _about_missing(variable: ConfigVariable, missing: list[str], kind: Connection) -> str:
    properties = kind.inputs["properties"]
    own = [properties[field]["environment"] for field in missing if "environment" in properties[field]]
    hint = f", or the environment variable{'s' * (len(own) > 1)} {join_names(own)}" if len(own) == len(missing) else ""
    return (
        f"has no {join_names(missing)}: give the connection in --config, or as JSON in "
        f"{environment_name(variable.key)}{hint}"
    )


def _locate(
    path: tuple[str, ...], message: str, configuration: Configuration, environment: Mapping[str, str]
) -> Problem:
    """The problem with the place of the value: its line in the file, or the environment variable."""
    variable = environment_name(path[0])
    if variable in environment:
        return Problem(json_path(path[1:], variable), message)
    document = configuration.document
    given = configuration.config_vars.get(path[0])
    if document is None or given is None:
        return Problem(json_path((_ROOT, *path), "").removeprefix("."), message)
    # The fields may stand there by themselves, without "fields".
    bare = isinstance(given, Mapping) and "fields" not in given and path[1:2] == ("fields",)
    inner = path[2:] if bare else path[1:]
    place = (_ROOT, path[0], *inner)
    return document.problem(place, message, key=message.startswith("is not known"))
