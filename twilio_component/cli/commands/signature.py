"""``twilio-component signature explain``: a request from a log, and why its signature is or is not accepted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twilio_component.cli import exit_codes
from twilio_component.host.errors import InputError, Problem
from twilio_component.twilio.signatures.shared_keys import parse

_EPILOG = """\
The Auth Token comes from TWILIO_AUTH_TOKEN and webhook shared keys from TWILIO_SHARED_KEYS (id=secret, one per line),
or both from the connection file; every user of the machine could read a secret on the command line.

example:
  twilio-component signature explain --url 'https://example.com/sms?flow=1' --headers headers.txt --body body.bin

headers.txt has one header a line (Name: value); the body is the raw one, byte for byte.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    group = commands.add_parser("signature", help="explain why a webhook's signature is accepted or refused")
    parser = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "explain",
        help="check a request pasted from a log",
        description="Check a webhook request pasted from a log, and say why it is accepted or refused.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", required=True, help="the URL as Twilio has it, query string included")
    parser.add_argument("--method", default="POST", help="default: %(default)s")
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="one header; repeatable")
    parser.add_argument("--headers", metavar="FILE", help="a file with the headers, one per line")
    parser.add_argument(
        "--body", metavar="FILE", help="a file with the raw body; - reads standard input; default: an empty body"
    )
    parser.add_argument("--connection", metavar="FILE", help="a connection that has the Auth Token or sharedKeys")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the verdict; the exit code is 0 for a request that is accepted."""
    from twilio_component.twilio.signatures.verification import WebhookRefusedError, verify

    try:
        verify(options.url, _headers(options), _body(options.body), method=options.method, **_keys(options))
    except WebhookRefusedError as error:
        sys.stderr.write(f"{error.explanation}\n")
        return exit_codes.FAILED
    sys.stdout.write("Accepted: Twilio signed this request with one of the keys.\n")
    return exit_codes.DONE


def _headers(options: argparse.Namespace) -> list[tuple[str, str]]:
    lines = [*options.header, *(_read(options.headers).decode("latin-1").splitlines() if options.headers else [])]
    return [*_parse_headers(lines)]


def _parse_headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            yield name.strip(), value.strip()
        elif line.strip():
            raise InputError("The headers are not valid", [Problem("", "a header must be of the form Name: value")])


def _body(file: str | None) -> bytes:
    if file is None:
        return b""
    return sys.stdin.buffer.read() if file == "-" else _read(file)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError("A file cannot be read", [Problem("", error.strerror or str(error), file)]) from error


def _keys(options: argparse.Namespace) -> dict[str, Any]:
    """The Auth Tokens and the shared keys, as ``verify`` takes them."""
    if options.connection:
        from twilio_component.host.connections import connection_from_file

        fields = connection_from_file(options.connection)["fields"]
        tokens, shared = [fields.get("authToken"), fields.get("password")], fields.get("sharedKeys")
    else:
        from twilio_component.host.environment import FileEnvironment

        environment = FileEnvironment()
        tokens, shared = [environment.get("TWILIO_AUTH_TOKEN")], environment.get("TWILIO_SHARED_KEYS")
    if not any(tokens) and not shared:
        what = "set TWILIO_AUTH_TOKEN or TWILIO_SHARED_KEYS, or give --connection with a file that has authToken, "
        raise InputError("There is no key to check with", [Problem("", f"{what}password or sharedKeys")])
    try:
        return {"auth_tokens": [str(token) for token in tokens if token], "shared_keys": parse(str(shared or ""))}
    except ValueError as error:
        raise InputError("The shared keys are not valid", [Problem("sharedKeys", str(error))]) from error
