"""``twilio-component errors``: explain a Twilio error code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.host.errors import UnknownKeyError

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "errors", help="explain a Twilio error code", description="Explain Twilio's error codes."
    )
    parser.add_argument("code", nargs="?", metavar="CODE", help="e.g. 21610; without one, all of them on a line each")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the explanation of one code, or a line for each code."""
    from twilio_component.twilio.error_codes import DOCS, explain, explanations

    if options.code is None:
        for entry in explanations():
            print(f"{entry.code}  {entry.kind:<9}  {entry.meaning}")
        return exit_codes.DONE
    explanation = explain(options.code)
    if explanation is None:
        raise UnknownKeyError(f"Unknown error code {options.code}; see {DOCS.format(code=options.code)}")
    print(explanation)
    return exit_codes.DONE
