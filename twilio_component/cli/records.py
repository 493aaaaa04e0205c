"""What an operation lists as lines of JSON or as CSV, page by page, with the progress where a person looks."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from twilio_component.cli.formats import Rows, print_line
from twilio_component.cli.output import write_line
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    import argparse

    from twilio_component.host.model import Operation
    from twilio_component.host.results import Page


async def print_pages(options: argparse.Namespace, operation: Operation, pages: AsyncGenerator[Page, None]) -> None:
    """Print every record of all pages as soon as its page is there."""
    output = _Output(options, operation)
    async with aclosing(pages):
        async for page in pages:
            output.print(page.items)
    output.end()


def print_result(options: argparse.Namespace, operation: Operation, result: Mapping[str, Any]) -> None:
    """Print each record of a result; a result that is not a list is one record."""
    data = result.get("data", result.get("result"))
    output = _Output(options, operation)
    output.print(data if isinstance(data, list) else [data])
    output.end()


class _Output:
    """Prints records, and on a terminal beside them how many they are."""

    def __init__(self, options: argparse.Namespace, operation: Operation) -> None:
        self._rows = Rows(_columns(operation)) if options.csv else None
        # The records themselves may be on the terminal too: then they are progress enough.
        self._shows_progress = sys.stderr.isatty() and not sys.stdout.isatty()
        self._count = 0

    def print(self, records: list[Any]) -> None:
        for record in records:
            if self._rows is None:
                print_line(record)
            elif isinstance(record, Mapping):
                self._rows.print(record)
            else:
                raise InputError("There is no table", [Problem("--csv", "the records are not objects; use --jsonl")])
        self._count += len(records)
        if self._shows_progress:
            write_line(sys.stderr, f"{self._count:,} records", end="")

    def end(self) -> None:
        if self._rows is not None:
            self._rows.end()
        if self._shows_progress:
            write_line(sys.stderr, f"{self._count:,} records")


def _columns(operation: Operation) -> list[str]:
    """The names of the properties that the schema of the result has, so that a list without records has a heading."""
    schema = operation.output_schema or {}
    item = schema.get("items", schema)
    return [*item.get("properties", {})] if isinstance(item, Mapping) else []
