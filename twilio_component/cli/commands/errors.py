"""``twilio-component errors``: explain a Twilio error code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.host.errors import UnknownKeyError, join_names

if TYPE_CHECKING:
    import argparse


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "errors", help="explain a Twilio error code", description="Explain Twilio's error codes, or find them by words."
    )
    parser.add_argument(
        "words", nargs="*", metavar="CODE|WORD", help="e.g. 21610, or: whatsapp template; without any, all codes"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the explanation of one code, or a line for each code that has all of the words."""
    from twilio_component.twilio.error_codes import DOCS, FAMILIES, by_family, explain, search

    words: list[str] = options.words
    if len(words) == 1 and words[0].isdigit():
        explanation = explain(words[0])
        if explanation is None:
            raise UnknownKeyError(f"Unknown error code {words[0]}; see {DOCS.format(code=words[0])}")
        print(explanation)
        return exit_codes.DONE
    found = search(words)
    if not found:
        raise UnknownKeyError(f"No error code has {join_names(words)}; `errors` lists all of them")
    for family, entries in by_family(found).items():
        print(f"{FAMILIES[family]} ({len(entries)})")
        for entry in entries:
            print(f"  {entry.code}  {entry.kind:<9}  {entry.meaning}")
    return exit_codes.DONE
