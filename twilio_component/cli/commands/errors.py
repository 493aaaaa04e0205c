"""``twilio-component errors``: explain a Twilio error code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import add_formats, print_records
from twilio_component.host.errors import UnknownKeyError, did_you_mean, join_names

if TYPE_CHECKING:
    import argparse

    from twilio_component.twilio.error_codes import Explanation


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "errors", help="explain a Twilio error code", description="Explain Twilio's error codes, or find them by words."
    )
    parser.add_argument(
        "words", nargs="*", metavar="CODE|WORD", help="e.g. 21610, or: whatsapp template; without any, all codes"
    )
    add_formats(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the explanation of each code, or a line for each code that has all of the words."""
    from twilio_component.twilio.error_codes import DOCS, FAMILIES, by_family, explain, search, vocabulary

    words: list[str] = options.words
    if words and all(word.isdigit() for word in words):
        explained = {word: explain(word) for word in words}
        entries = [entry for entry in explained.values() if entry is not None]
        if not print_records(options, map(_record, entries)) and entries:
            print("\n\n".join(map(str, entries)))
        unknown = [f"Unknown error code {word}; see {DOCS.format(code=word)}" for word in words if not explained[word]]
        if unknown:
            raise UnknownKeyError("\n".join(unknown))
        return exit_codes.DONE
    found = search(words)
    if not found:
        missing = [word for word in words if not search([word])]
        hints = "".join(did_you_mean(word.casefold(), vocabulary()) for word in missing)
        raise UnknownKeyError(
            f"No error code has {join_names(missing or words)}{hints or '.'} `errors` lists all of them"
        )
    if print_records(options, map(_record, found)):
        return exit_codes.DONE
    for family, entries in by_family(found).items():
        print(f"{FAMILIES[family]} ({len(entries)})")
        for entry in entries:
            print(f"  {entry.code}  {entry.kind:<9}  {entry.meaning}")
    return exit_codes.DONE


def _record(entry: Explanation) -> dict[str, Any]:
    from dataclasses import asdict

    from twilio_component.twilio.error_codes import DOCS

    return {**asdict(entry), "link": DOCS.format(code=entry.code)}
