"""``twilio-component opt-outs``: who wants no more messages, and from whom."""

from __future__ import annotations

import csv
import itertools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import add_formats, print_json, print_stream
from twilio_component.cli.serve_extra import add_database, with_database
from twilio_component.host.contacts import EVERYBODY
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from twilio_component.durable.sending.opt_outs import OptOut, OptOutRegister
    from twilio_component.durable.store.database import Database

_COLUMNS = ("person", "scope", "source", "since")
_MOST_PROBLEMS = 20
_LIKE_A_SID = re.compile(r"(?:AC|MG)(?=.*[0-9])[0-9A-Za-z]+")  # ACE may be the name of a sender
_FROM_HELP = "a number, a messaging service (MG…), an account (AC…), or * for everybody; default: *"


def add_parser(commands: Any) -> None:
    """Add ``opt-outs`` and its commands to the command line."""
    words = "list and change who has opted out of messages, and from whom"
    parser = commands.add_parser("opt-outs", help=words, description=words[0].upper() + words[1:] + ".")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = _person_verb(verbs, "add", "record an opt-out", _add)
    add.add_argument("--from", dest="sender", metavar="SENDER", default=EVERYBODY, help=_FROM_HELP)
    remove = _person_verb(verbs, "remove", "remove the opt-outs of a person, so that messages are sent again", _remove)
    remove.add_argument("--from", dest="sender", metavar="SENDER", help="only from this sender; default: from all")
    check = _person_verb(
        verbs, "check", "show what a person has opted out of; exit code 1 if there is an opt-out", _check
    )
    check.add_argument("--from", dest="sender", metavar="SENDER", help="only from this sender; default: from all")
    listing = _verb(verbs, "list", "list all opt-outs", _list)
    add_formats(listing)
    listing.add_argument("--from", dest="sender", metavar="SENDER", help="only from this sender")
    _verb(verbs, "export", "print all opt-outs as CSV, which import reads", _export)
    reading = _verb(
        verbs, "import", "record the opt-outs in a CSV file; its columns are person and optionally scope", _import
    )
    reading.add_argument("file", metavar="FILE", help="the file; - reads standard input")
    reading.add_argument("--from", dest="sender", metavar="SENDER", default=EVERYBODY, help=_FROM_HELP)


def address_of(text: str) -> str:
    """Return a person's address as messages name it; raises ``InputError``."""
    from twilio_component.twilio.inputs.addresses import clean_recipient
    from twilio_component.twilio.opt_outs import shared_address

    try:
        return shared_address(clean_recipient(text, {}))
    except ValueError as error:
        raise InputError("The person is not valid", [Problem("PERSON", str(error))]) from error


def _scope(text: str) -> str:
    from twilio_component.twilio.inputs.addresses import clean_sender
    from twilio_component.twilio.inputs.sids import account_sid, messaging_service_sid
    from twilio_component.twilio.opt_outs import shared_address

    if text == EVERYBODY:
        return text
    try:
        if _LIKE_A_SID.fullmatch(text):
            return (account_sid if text.startswith("AC") else messaging_service_sid)(text, {})
        return shared_address(clean_sender(text, {}))
    except ValueError as error:
        raise InputError("The sender is not valid", [Problem("--from", f"{error}; or MG…, AC… or *")]) from error


def _verb(verbs: Any, name: str, words: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    add_database(parser)
    parser.set_defaults(run=run)
    return parser


def _person_verb(
    verbs: Any, name: str, words: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, words, run)
    parser.add_argument("person", metavar="PERSON", help="a phone number, or an address such as whatsapp:+15558675310")
    return parser


def _add(options: argparse.Namespace) -> int:
    entry = (_scope(options.sender), address_of(options.person))

    async def add(register: OptOutRegister) -> None:
        from twilio_component.durable.sending.opt_outs import OPERATOR

        print_json({"added": await register.add([entry], OPERATOR)})

    return _with_register(options, add)


def _remove(options: argparse.Namespace) -> int:
    person, scope = address_of(options.person), options.sender and _scope(options.sender)

    async def remove(register: OptOutRegister) -> None:
        print_json({"removed": await register.remove(person, scope)})

    return _with_register(options, remove)


def _check(options: argparse.Namespace) -> int:
    person, scope = address_of(options.person), options.sender and _scope(options.sender)
    found: list[OptOut] = []

    async def check(register: OptOutRegister) -> None:
        found.extend(one for one in await register.of(person) if scope in (None, one.scope) or one.scope == EVERYBODY)
        print_json([_row(one) for one in found])

    code = _with_register(options, check)
    return exit_codes.FAILED if found else code


def _list(options: argparse.Namespace) -> int:
    scope = options.sender and _scope(options.sender)

    async def list_all(register: OptOutRegister) -> None:
        await print_stream(options, _rows(register, scope))

    return _with_register(options, list_all)


def _export(options: argparse.Namespace) -> int:
    async def export(register: OptOutRegister) -> None:
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        async for entry in _all(register, None):
            writer.writerow(_row(entry))

    return _with_register(options, export)


def _import(options: argparse.Namespace) -> int:
    scope = _scope(options.sender)
    try:
        if options.file == "-":
            entries = _entries(sys.stdin, scope)
        else:
            with Path(options.file).open(encoding="utf-8-sig", newline="") as file:
                entries = _entries(file, scope)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "must be a CSV file in UTF-8"
        raise InputError("The file cannot be read", [Problem("", str(reason), options.file)]) from error

    async def add(register: OptOutRegister) -> None:
        from twilio_component.durable.sending.opt_outs import IMPORT

        added = 0
        for start in range(0, len(entries), 1_000):
            added += await register.add(entries[start : start + 1_000], IMPORT)
        print_json({"read": len(entries), "added": added})

    return _with_register(options, add)


def _entries(lines: Any, scope: str) -> list[tuple[str, str]]:
    """The entries ``(scope, person)`` of a CSV file; raises ``InputError`` with the lines that are wrong."""
    from twilio_component.flows.parsing.item_files import csv_delimiter

    first = next(iter(lines), "")
    rows = csv.DictReader(itertools.chain([first], lines), delimiter=csv_delimiter(first))
    if rows.fieldnames is None or "person" not in rows.fieldnames:
        problem = Problem("line 1", "must name the columns: person and optionally scope")
        raise InputError("The file is not valid", [problem])
    entries: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for row in rows:
        try:
            entries.append((_scope(row.get("scope") or scope), address_of(row["person"] or "")))
        except InputError as error:
            problems += [Problem(f"line {rows.line_num}", problem.message) for problem in error.problems]
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = problems[:_MOST_PROBLEMS] + ([Problem("more lines", f"{more:,} are wrong too")] if more > 0 else [])
        raise InputError("Nothing was imported", shown)
    return entries


async def _rows(register: OptOutRegister, scope: str | None) -> AsyncIterator[Mapping[str, Any]]:
    async for entry in _all(register, scope):
        yield _row(entry)


async def _all(register: OptOutRegister, scope: str | None) -> AsyncIterator[OptOut]:
    after: OptOut | None = None
    while page := await register.page(after, scope):
        for entry in page:
            yield entry
        after = page[-1]


def _with_register(options: argparse.Namespace, work: Callable[[OptOutRegister], Awaitable[None]]) -> int:
    async def open_register(database: Database) -> None:
        from twilio_component.durable.sending.opt_outs import OptOutRegister

        await work(OptOutRegister(database))

    return with_database(options, open_register)


def _row(entry: OptOut) -> Mapping[str, Any]:
    from twilio_component.durable.operator.times import format_time

    return {"person": entry.person, "scope": entry.scope, "source": entry.source, "since": format_time(entry.since)}
