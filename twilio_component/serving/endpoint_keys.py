"""The keys that callers of a flow's webhook show in the header ``Api-Key``."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.environment import is_elsewhere, read_elsewhere
from twilio_component.host.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
    from twilio_component.flows.model import Flow

KEY_HEADER = "api-key"
_SHORTEST_KEY = 8


class EndpointKeys:
    """The keys of flows by their names, from the configuration's ``endpointKeys`` and from their definitions.

    A value is a list of keys, ``{environment: NAME}`` or ``{file: PATH}`` with a key a line; several keys are valid at
    the same time while one is rotated. Raises ``InputError`` for keys that cannot be used, and for a flow whose
    definition requires a key and that has none.
    """

    def __init__(self, section: Mapping[str, Any], environment: Mapping[str, str], flows: Iterable[Flow]) -> None:
        self._keys: dict[str, tuple[bytes, ...]] = {}
        by_name = {flow.name: flow for flow in flows}
        problems = [
            Problem(f"endpointKeys.{name}", f"is not a flow that is served{did_you_mean(name, by_name)}")
            for name in section
            if name not in by_name
        ]
        for name, flow in by_name.items():
            try:
                configured = _read(section[name], environment) if name in section else []
            except ValueError as error:
                problems.append(Problem(f"endpointKeys.{name}", str(error)))
                continue
            keys = [*configured, *flow.security.organization_keys]
            if flow.security.kind == "unsecured" and configured:
                problems.append(
                    Problem(
                        f"endpointKeys.{name}", "the flow has endpointSecurityType: unsecured, so no key is checked"
                    )
                )
            if flow.security.kind in ("customer_required", "organization") and not keys:
                problems.append(
                    Problem(
                        f"endpointKeys.{name}",
                        f"is needed: the flow has endpointSecurityType: {flow.security.kind}, and no key",
                    )
                )
            self._keys[name] = tuple(key.encode() for key in keys)
        if problems:
            raise InputError("The endpoints cannot be secured", problems)

    def are_needed(self, flow: Flow) -> bool:
        """Return whether callers of the flow have to show a key."""
        return flow.security.kind != "unsecured" and bool(self._keys.get(flow.name))

    def allow(self, flow: Flow, headers: Mapping[str, str | list[str]]) -> bool:
        """Return whether a request with these headers (names in lower case) may start the flow."""
        if not self.are_needed(flow):
            return True
        given = headers.get(KEY_HEADER, "")
        shown = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else b""
        # Each key is compared, whichever it is, so that the time tells nothing.
        return bool(sum(hmac.compare_digest(key, shown) for key in self._keys[flow.name]))

    def redacted_keys(self) -> dict[str, list[str]]:
        """Return the payload's ``webhookApiKeys``: keys of the configuration are secrets, so only their ends."""
        return {name: [f"***{key.decode()[-2:]}" for key in keys] for name, keys in self._keys.items() if keys}


def check_key_section(section: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for keys that are not of a form that can be used; those named elsewhere are not read."""
    problems: list[Problem] = []
    for name, value in section.items():
        if is_elsewhere(value):
            continue
        try:
            _read(value, {})
        except ValueError as error:
            problems.append(Problem(f"endpointKeys.{name}", str(error)))
    if problems:
        raise InputError("The endpoints cannot be secured", problems)


def _read(value: Any, environment: Mapping[str, str]) -> list[str]:
    if is_elsewhere(value):
        keys = re.split(r"[\s,]+", read_elsewhere(value, environment))
    elif isinstance(value, list) and all(isinstance(key, str) for key in value):
        keys = value
    else:
        raise ValueError("must be a list of keys, {environment: NAME} or {file: PATH}")
    if not keys or any(len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable() for key in keys):
        raise ValueError(f"each key must be at least {_SHORTEST_KEY} printable ASCII characters")
    return keys
