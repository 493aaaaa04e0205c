"""``twilio-component people``: show and erase what is stored about a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.commands.opt_outs import address_of
from twilio_component.cli.formats import print_json
from twilio_component.cli.serve_extra import add_database, with_database

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from twilio_component.durable.store.database import Database


def add_parser(commands: Any) -> None:
    """Add ``people`` and what it can do to the command line."""
    words = "show and erase what is stored about a person"
    parser = commands.add_parser("people", help=words, description=words[0].upper() + words[1:] + ".")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _verb(verbs, "export", "print everything that is stored about a person, as JSON", _export)
    forget = _verb(verbs, "forget", "erase everything that is stored about a person, and print a receipt", _forget)
    forget.add_argument("--keep-opt-outs", action="store_true", help="remember that the person has opted out")


def _verb(verbs: Any, name: str, words: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    parser.add_argument("person", metavar="PERSON", help="a phone number, or an address such as whatsapp:+15558675310")
    add_database(parser)
    parser.set_defaults(run=run)
    return parser


def _forms(person: str) -> tuple[str, ...]:
    """The address as it is stored, and its other form on WhatsApp, if it has one."""
    from twilio_component.twilio.whatsapp_numbers import all_forms

    address = address_of(person)
    return address, *all_forms(f"whatsapp:{address}" if address.startswith("+") else address)[1:]


def _export(options: argparse.Namespace) -> int:
    forms = _forms(options.person)

    async def export(database: Database) -> None:
        from twilio_component.durable.operator.people import People

        print_json(await People(database).export(*forms))

    return with_database(options, export)


def _forget(options: argparse.Namespace) -> int:
    forms, left = _forms(options.person), list[str]()

    async def forget(database: Database) -> None:
        from twilio_component.durable.operator.people import People

        receipt = await People(database).forget(*forms, keep_opt_outs=options.keep_opt_outs)
        left.extend(receipt["unfinishedRuns"])
        print_json(receipt)

    code = with_database(options, forget)
    return exit_codes.TRY_LATER if left else code
