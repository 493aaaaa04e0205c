"""A tool, whatever serves it: its name, what it takes, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twilio_component.host.errors import InputError, Problem, json_path
from twilio_component.host.inputs.messages import error_messages


async def _never(_: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of an agent. ``call`` gets valid arguments and returns plain JSON; it raises ``IntegrationError``.

    ``confirmation`` is what a person is asked before the tool does something that cannot be undone; empty for a tool
    that changes nothing. ``has_begun`` says of arguments whether a call with them did something already, so that this
    one will do nothing more.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Awaitable[Any]]
    confirmation: str = ""
    open_world: bool = True
    has_begun: Callable[[Mapping[str, Any]], Awaitable[bool]] = _never

    @property
    def is_read_only(self) -> bool:
        """Whether the tool changes nothing."""
        return not self.confirmation

    def validate(self, arguments: Mapping[str, Any]) -> None:
        """Raise ``InputError`` that lists everything that is wrong with the arguments."""
        from jsonschema import Draft202012Validator  # it costs 100 ms to import

        errors = error_messages(Draft202012Validator(self.input_schema).iter_errors(arguments))
        if errors:
            problems = [Problem(json_path(path), message) for path, message in errors]
            raise InputError("The arguments are not valid", problems)
