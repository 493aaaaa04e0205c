"""Arguments of the control API: which ones each operation has, and of what type.

A request with an argument that an operation does not have, or of another type, is refused: a test that misspells one
would otherwise pass for the wrong reason.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.model import addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.state import EmulatorState

_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Argument:
    """The type of an argument (its name for people), and whether it has to be there."""

    kind: str = "a text"
    required: bool = False
    least: float | None = None


TEXT, REQUIRED_TEXT = Argument(), Argument(required=True)
NUMBER, INTEGER, FLAG = Argument("a number"), Argument("an integer"), Argument("true or false")
SECONDS = Argument("a number", least=0)
OBJECT, LIST = Argument("an object"), Argument("a list")
COUNT = Argument("an integer", least=1)
# What a fault or a delivery rule applies to; ``times`` is null where it applies to everything that fits.
CONDITIONS = {"to": TEXT, "from": TEXT, "body": TEXT, "nth": COUNT, "times": Argument("an integer or null", least=1)}
_TYPES: dict[str, tuple[type, ...]] = {
    "a text": (str,),
    "a number": (int, float),
    "an integer": (int,),
    "an integer or null": (int, type(None)),
    "true or false": (bool,),
    "an object": (dict,),
    "a list": (list,),
}


def read_arguments(noun: str, known: Mapping[str, Argument], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request. Numbers in a query are texts, and become numbers.

    Raises ValueError for one that ``noun`` does not have, that is missing, or of another type.
    """
    unknown = given.keys() - known.keys()
    if unknown:
        raise ValueError(f"{noun} has no {', '.join(sorted(unknown))}; it has {', '.join(known) or 'no arguments'}")
    for name, argument in known.items():
        if argument.required and name not in given:
            raise ValueError(f"{name} is required, as {argument.kind}")
    return {name: _read(name, known[name], value) for name, value in given.items()}


def query_arguments(known: Mapping[str, Argument], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of a query, with numbers where the operation has numbers, and addresses with their +."""
    return {name: _value_in(name, known[name], text) if name in known else text for name, text in given.items()}


def _value_in(name: str, argument: Argument, text: str) -> Any:
    if name in ("to", "from"):
        return addresses.restore_plus(text)
    if argument.kind != "an integer":
        return text
    try:
        return int(text)
    except ValueError:
        return text


def _read(name: str, argument: Argument, value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # For Python true and false are integers too.
    is_misplaced = isinstance(value, bool) and argument.kind != "true or false"
    is_fit = isinstance(value, _TYPES[argument.kind]) and not is_misplaced
    if not is_fit or (is_number and not math.isfinite(value)) or (argument.required and value == ""):
        raise ValueError(f"{name} has to be {argument.kind}, not {_shown_value(value)}")
    if argument.least is not None and is_number and value < argument.least:
        raise ValueError(f"{name} has to be {argument.least:g} or more, not {value:g}")
    return value


def _shown_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def bytes_of(text: str) -> bytes:
    """Return the bytes of a base64 text. Raises ValueError where it is not one."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"content has to be base64: {error}") from error


def account_of(state: EmulatorState, wanted: Mapping[str, Any]) -> Account:
    """Return the account that ``accountSid`` names, or the default one. Raises ValueError for an unknown one."""
    return named_account(state, wanted, "accountSid") or state.accounts.default_account()


def named_account(state: EmulatorState, wanted: Mapping[str, Any], key: str) -> Account | None:
    """Return the account that an argument names; None without it. Raises ValueError for an unknown one."""
    if key not in wanted:
        return None
    try:
        return state.accounts.get(wanted[key])
    except KeyError:
        raise ValueError(f"{key}: there is no account {wanted[key]!r}") from None
