"""The one convention for what commands print: text for people, ``--json`` a document, ``--jsonl`` lines.

``--json`` prints one JSON document: an array where a command has several records. ``--jsonl`` prints each record as an
object on a line of its own as soon as it is there, ``--csv`` as a row.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

JSON_HELP = "print one JSON document, on a terminal too: an array where there are several records"


def add_formats(parser: argparse.ArgumentParser, *, lines: bool = True, rows: bool = False) -> None:
    """Add ``--json`` and, if there may be several records, ``--jsonl`` (``lines``) and ``--csv`` (``rows``)."""
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help=JSON_HELP)
    if lines:
        formats.add_argument("--jsonl", action="store_true", help="print one JSON object per line")
    if rows:
        formats.add_argument("--csv", action="store_true", help="print rows of comma-separated values, a heading first")


def print_json(value: Any, stream: IO[str] | None = None) -> None:
    """Print one document, to standard output if there is no ``stream``."""
    print(json.dumps(value, ensure_ascii=False, indent=2), file=stream)


def print_line(record: Any) -> None:
    """Print a record on a line of its own, at once."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def print_records(options: argparse.Namespace, records: Iterable[Any], *, key: str | None = None) -> bool:
    """Print the records if ``options`` ask for a format; whether they did. ``key`` names the array of a document."""
    if options.jsonl:
        for record in records:
            print_line(record)
    elif options.json:
        print_json([*records] if key is None else {key: [*records]})
    return bool(options.jsonl or options.json)


async def print_stream(options: argparse.Namespace, records: AsyncIterable[Any]) -> None:
    """Print records that come little by little: an array for ``--json``, else lines."""
    if options.json:
        print_json([record async for record in records])
        return
    async for record in records:
        print_line(record)


class Rows:
    """Prints records as CSV. The columns are those given, and else those of the first record."""

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self._columns = [*columns]
        self._writer: csv.DictWriter[str] | None = None

    def print(self, record: Mapping[str, Any]) -> None:
        """Print a record as a row, below the heading if it is the first one; nested values are JSON."""
        writer = self._heading([*record])
        writer.writerow({name: _plain(record.get(name)) for name in writer.fieldnames})

    def end(self) -> None:
        """Print the heading of a table without rows."""
        self._heading([])

    def _heading(self, columns: Sequence[str]) -> csv.DictWriter[str]:
        if self._writer is None:
            self._writer = csv.DictWriter(sys.stdout, self._columns or columns, lineterminator="\n")
            self._writer.writeheader()
        return self._writer


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
