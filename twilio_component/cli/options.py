"""Options of commands that invoke something: its inputs and its connection."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    import argparse

    from twilio_component.host.model import Component

_LAST_PORT = 65535
_LOG_LEVELS = ("debug", "info", "warning", "error")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
CONNECTION_HELP = """\
The connection is a YAML or JSON file with key and fields, e.g.
  key: apiKeySecret
  fields: {accountSid: AC…, apiKey: SK…, apiSecret: …}
Without --connection it is taken from the environment: TWILIO_ACCOUNT_SID with TWILIO_API_KEY and TWILIO_API_SECRET, or
with TWILIO_AUTH_TOKEN; TWILIO_REGION and TWILIO_EDGE if needed; or all at once from PRISMATIC_CONNECTION_VALUE (JSON).
"""


def port_number(text: str) -> int:
    """Return the number of a TCP port, for ``argparse``; 0 takes a free one. Raises ``ArgumentTypeError``."""
    import argparse

    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"must be a port number from 0 to {_LAST_PORT}")
    return int(text)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options that ``inputs_of`` reads."""
    parser.add_argument("--input", action="append", default=[], metavar="KEY=VALUE", help="an input; once for each")
    parser.add_argument(
        "--inputs", metavar="FILE", help="a YAML or JSON file with inputs by key; - reads standard input"
    )


def add_logging(parser: argparse.ArgumentParser) -> None:
    """Add the options ``--log-format`` and ``--log-level``."""
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="a line of text or a JSON object for each record, on standard error; default: %(default)s",
    )
    parser.add_argument("--log-level", choices=_LOG_LEVELS, default="info", help="default: %(default)s")


def inputs_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the inputs by key; raises ``InputError`` or ``DocumentError``."""
    inputs: dict[str, Any] = {}
    if options.inputs:
        from twilio_component.host.manifest.documents import parse_document, read_document

        stdin = options.inputs == "-"
        document = (
            parse_document(sys.stdin.buffer.read(), "<standard input>") if stdin else read_document(options.inputs)
        )
        if not isinstance(document.data, dict):
            raise InputError("The inputs are not valid", [document.problem((), "must be an object of inputs by key")])
        inputs.update(document.data)
    given_keys: set[str] = set()
    for given in options.input:
        key, equals, value = given.partition("=")
        if not equals or not key:
            raise InputError("The inputs are not valid", [Problem("--input", "must be of the form key=value")])
        if key in given_keys:
            message = f"{key} is given more than once; a list is given once, as JSON: --input '{key}=[…]'"
            raise InputError("The inputs are not valid", [Problem("--input", message)])
        given_keys.add(key)
        inputs[key] = text_of_argument(value)
    return inputs


def text_of_argument(argument: str) -> str:
    """Return an argument of the command line as the UTF-8 that it was typed in, also where Python took it for ASCII.

    The C locale makes Python do so. Arguments that are paths must stay as they are.
    """
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:  # bytes that are not UTF-8 are told where the text is used
        return argument


def connection_of(options: argparse.Namespace, component: Component) -> dict[str, Any]:
    """Return the connection of ``--connection``, or of the environment; raises ``InputError`` or ``DocumentError``."""
    from twilio_component.host.connections import connection_from_environment, connection_from_file
    from twilio_component.host.environment import FileEnvironment

    if options.connection:
        return connection_from_file(options.connection)
    try:
        return connection_from_environment(component, FileEnvironment())
    except InputError as error:
        raise InputError(error.summary, [*error.problems, Problem("--connection", "can name a file instead")]) from None


def whole_count(text: str) -> int:
    """Return a count of at least 1, for ``argparse``. Raises ``ArgumentTypeError``."""
    import argparse

    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return count


def age_in_days(text: str) -> float:
    """Return an age in days, at least 0, for ``argparse``. Raises ``ArgumentTypeError``."""
    import argparse

    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of days, at least 0")
    return days


def moment(text: str) -> float:
    """Return a time in seconds since 1970, for ``argparse``: ``1h`` ago (``s``, ``m``, ``h``, ``d``), or ISO 8601.

    Raises ``InputError``.
    """
    import datetime as dt
    import re
    import time

    ago = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", text.strip())
    if ago is not None:
        return time.time() - float(ago[1]) * _SECONDS[ago[2]]
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        problem = Problem(
            "--since", "must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 30m, 1h or 2d"
        )
        raise InputError("The time is not valid", [problem]) from error
    return at.replace(tzinfo=at.tzinfo or dt.UTC).timestamp()
