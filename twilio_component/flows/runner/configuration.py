"""What an integration is run with: values for its config variables, and what its deployment allows.

A configuration file is YAML or JSON::

    configVars:
      Sender: "+15017122661"
      Twilio Connection: {key: apiKeySecret, fields: {accountSid: AC…, apiKey: SK…, apiSecret: …}}
    httpHosts: [api.example.com]
    itemsFolder: lists

The environment wins over the file: ``FLOW_SENDER`` is the config variable ``Sender``, and a connection is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.flows.expressions.evaluation import Scope, evaluate
from twilio_component.flows.findings import EvaluationError
from twilio_component.flows.model import environment_name
from twilio_component.host.connections import SHORTEST_SECRET, connection_from_environment, secrets_of
from twilio_component.host.errors import InputError, Problem, did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name
from twilio_component.host.manifest.documents import Document, read_document
from twilio_component.host.redaction import Redactor

if TYPE_CHECKING:
    from twilio_component.flows.model import ConfigVariable, Integration, Reference
    from twilio_component.host.model import Component

_DURABILITY = (
    "sending",
    "rateLimits",
    "order",
    "senders",
    "quietHours",
    "frequencyCaps",
    "retention",
    "lists",
    "onFailure",
    "webhooks",
    "optOuts",
    "endpointKeys",
)
_SECTIONS = ("configVars", "httpHosts", "itemsFolder", *_DURABILITY)
_KINDS: Mapping[str, tuple[type, str]] = {
    "httpHosts": (list, "a list of names"),
    "itemsFolder": (str, "a folder's path"),
}
_SECRET_NAME = re.compile(r"secret|password|passphrase|token|credential|api.?key|private.?key", re.IGNORECASE)
_STOP_AFTER = 10
# As the http component knows it: without scheme, port and path. An IPv6 address stands without its brackets.
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Values of config variables by name, and the hosts that the ``http`` component may talk to.

    Loops may read files in ``items_folder``; where it is None, in the folder of their own file.
    ``durability`` has the sections that only a durable engine reads, by their names, as they are in the file.
    ``document`` is the file itself, which errors name.
    """

    config_vars: Mapping[str, Any] = field(default_factory=dict, repr=False)
    http_hosts: tuple[str, ...] = ()
    items_folder: Path | None = None
    durability: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    document: Document | None = field(default=None, repr=False, compare=False)

    @property
    def stop_after(self) -> int:
        """After how many refusals of the sender in a row a list stops; raises ``InputError`` for no whole number."""
        count = self.durability.get("lists", {}).get("stopAfter", _STOP_AFTER)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            problem = Problem("lists.stopAfter", "must be a whole number of at least 1")
            raise InputError("The configuration is not valid", [self._place(problem)])
        return count

    @contextmanager
    def placing_problems(self) -> Iterator[None]:
        """Give the problems of an ``InputError`` about a section of this configuration their line in its file."""
        try:
            yield
        except InputError as error:
            placed = [self._place(problem) for problem in error.problems]
            if placed == [*error.problems]:
                raise
            raise InputError(error.summary, placed) from error

    def _place(self, problem: Problem) -> Problem:
        section = re.split(r"[.\[]", problem.path, maxsplit=1)[0]
        # A config variable may come from the environment; those who read it say which.
        if self.document is None or problem.file is not None or section not in (*_DURABILITY, "itemsFolder"):
            return problem
        at = problem.at or _parts(self.document.data, problem.path)
        place = self.document.position(at, key="is not " in problem.message)
        return replace(problem, path=f"$.{problem.path}", file=self.document.file, line=place.line, column=place.column)


@dataclass(frozen=True, kw_only=True)
class Values:
    """What an integration's config variables are worth in one deployment. ``secrets`` are texts never to be shown."""

    by_name: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @cached_property
    def redactor(self) -> Redactor:
        """Hides the secrets."""
        return Redactor(self.secrets)


def read_configuration(path: Path | str) -> Configuration:
    """The configuration in a file; raises ``DocumentError``, or ``InputError`` with everything that is wrong."""
    document = read_document(path)
    data = document.data if document.data is not None else {}
    problems = list(_problems(document, data))
    if problems:
        raise InputError(f"{path} is not a valid configuration", problems)
    hosts, folder = data.get("httpHosts") or [], data.get("itemsFolder")
    return Configuration(
        config_vars=data.get("configVars") or {},
        http_hosts=tuple(str(host) for host in hosts),
        items_folder=Path(path).parent / folder if folder else None,
        durability={name: data[name] for name in _DURABILITY if data.get(name)},
        document=document,
    )


def _parts(data: Any, path: str) -> tuple[str, ...]:
    """The keys that a dotted path names, as far as they exist: keys may have dots themselves."""
    found: list[str] = []
    while path and isinstance(data, Mapping):
        keys = [key for key in data if path == str(key) or path.startswith((f"{key}.", f"{key}["))]
        if not keys:
            break
        key = max(keys, key=lambda key: len(str(key)))
        found.append(key)
        data, path = data[key], path[len(str(key)) :].lstrip(".")
    return tuple(found)


def _problems(document: Document, data: Any) -> list[Problem]:
    if not isinstance(data, Mapping):
        return [document.problem((), f"must be an object with {join_names(_SECTIONS)}, not {type_name(data)}")]
    if {"key", "fields"} <= data.keys() and not data.keys() & set(_SECTIONS):
        return [document.problem((), "this is a connection: give it in configVars, under the name of its variable")]
    problems = []
    for key, value in data.items():
        if key not in _SECTIONS:
            text = f"is not known{did_you_mean(key, _SECTIONS)} (known: {join_names(_SECTIONS)})"
            problems.append(document.problem((key,), text, key=True))
            continue
        kind, wanted = _KINDS.get(key, (Mapping, "an object of values by name"))
        if value is not None and not isinstance(value, kind):
            problems.append(document.problem((key,), f"must be {wanted}, not {type_name(value)}"))
        elif key == "httpHosts" and isinstance(value, list):
            problems += _host_problems(document, value)
        elif key == "itemsFolder" and isinstance(value, str) and not (Path(document.file).parent / value).is_dir():
            text = "must be a folder that exists; it is looked for beside the configuration"
            problems.append(document.problem((key,), text))
    return problems


def _host_problems(document: Document, hosts: list[Any]) -> Iterator[Problem]:
    for index, host in enumerate(hosts):
        if not (isinstance(host, str) and _HOST.fullmatch(host)):
            text = f"must be the name of a host and nothing else, such as {_host_in(host)}"
            yield document.problem(("httpHosts", index), text)


def _host_in(text: Any) -> str:
    """The host of what may be a URL, or a host with a port."""
    found = re.fullmatch(r"(?:[a-z]+://)?([\w.-]+)(?::\d+)?(?:/.*)?", str(text), re.ASCII | re.IGNORECASE)
    return found[1] if found else "api.example.com"


def config_values(
    integration: Integration,
    configuration: Configuration,
    components: Mapping[str, Component],
    environment: Mapping[str, str],
) -> Values:
    """The values of the integration's config variables, from the environment, the configuration and the file.

    A variable without a value is left out. Raises ``InputError`` for an invalid connection.
    """
    declared = integration.config_variables
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, variable in declared.items():
        value = environment.get(environment_name(name), configuration.config_vars.get(name, variable.default))
        if value is not None and not variable.is_connection:
            values[name] = value
    plain = dict(values)
    for name, variable in declared.items():
        if variable.is_connection:
            try:
                values[name] = _connection(variable, plain, configuration, components, environment)
            except (ValueError, EvaluationError) as error:
                is_in_file = environment_name(name) not in environment and name in configuration.config_vars
                problems.append(
                    _problem(configuration, name, str(error))
                    if is_in_file
                    else Problem(f"configVars.{name}", str(error))
                )
    if problems:
        raise InputError("The configuration is not valid", problems)
    return Values(by_name=values, secrets=frozenset(_secrets(values, declared, components)))


def check_names(integrations: Collection[Integration], configuration: Configuration) -> None:
    """Raise ``InputError`` for names in the configuration that are misspelt config variables of the integrations.

    This is for the author of the configuration, before anything starts. The definition of a run under way may know
    fewer variables than its successor, for which the configuration was written.
    """
    given, declared = configuration.config_vars, {name for one in integrations for name in one.config_variables}
    # A variable that has its value under its own name has not been misspelt.
    missing = {one.name: [key for key in one.config_variables if key not in given] for one in integrations}
    problems = [
        _problem(configuration, name, f"'{name}' is not a config variable of {integration}{hint}", key=True)
        for name in given
        if name not in declared
        for integration, names in missing.items()
        if (hint := did_you_mean(name, names))
    ]
    if problems:
        raise InputError("The configuration is not valid", problems)


def _problem(configuration: Configuration, name: str, message: str, *, key: bool = False) -> Problem:
    """A problem of a config variable that the configuration gives, with its line if that is a file."""
    if configuration.document is None:
        return Problem(f"configVars.{name}", message)
    return configuration.document.problem(("configVars", name), message, key=key)


def _connection(
    variable: ConfigVariable,
    plain: Mapping[str, Any],
    configuration: Configuration,
    components: Mapping[str, Component],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """A connection's fields: those that the file gives, under those that the deployment gives."""
    scope = Scope(_no_steps, lambda part: plain.get(part.name, ""))
    given_in_file = {name: evaluate(part, scope) for name, part in variable.inputs.items()}
    own = {name: value for name, value in given_in_file.items() if value not in ("", None)}
    given: Any = configuration.config_vars.get(variable.key)
    text = environment.get(environment_name(variable.key))
    if text is not None:
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{environment_name(variable.key)} must be a connection as JSON") from error
    if given is None and variable.component in components:
        try:
            given = connection_from_environment(components[variable.component], environment)
        except InputError:
            given = {}  # the environment has no connection of this component; the file's own fields may be enough
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise ValueError(f'must be a connection, {{"key": …, "fields": {{…}}}}, not {type_name(given)}')  # noqa: TRY004 - its content
    fields = (given["fields"] or {}) if "fields" in given else given
    if not isinstance(fields, Mapping):
        raise ValueError(f"'fields' must be an object of fields by name, not {type_name(fields)}")  # noqa: TRY004 - its content
    return {"key": given.get("key", variable.connection), "fields": {**own, **fields}}


def _no_steps(reference: Reference) -> Any:
    raise EvaluationError(f"a connection cannot refer to a step, as {reference} does")


def _secrets(
    values: Mapping[str, Any], declared: Mapping[str, ConfigVariable], components: Mapping[str, Component]
) -> set[str]:
    found: set[str] = set()
    for name, value in values.items():
        variable = declared[name]
        if not variable.is_connection:
            if _SECRET_NAME.search(name):
                found.add(str(value))
            continue
        component = components.get(variable.component)
        found |= secrets_of(value, component.connections if component else {})
    return {secret for secret in found if len(secret) >= SHORTEST_SECRET}
