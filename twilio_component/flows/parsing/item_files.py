"""Files of items: CSV with a line of names, or a JSON object a line, read page by page.

A page ends between two items and says where; the next one may be read by another process, as long as the file has not
changed in between.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from twilio_component.flows.model import normalize
from twilio_component.host.errors import IntegrationError, join_names

CSV, JSON_LINES = (".csv",), (".jsonl", ".ndjson")
PAGE = 1_000
_LONGEST_LINE = 1 << 20
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_DELIMITERS = ",;\t"
_FIRST_LINE = "the first line must be the names of the columns, each once and none empty"


class ItemsError(IntegrationError):
    """Items that cannot be read; the text says in which file and line."""

    code = "items-unreadable"


def item_file(name: str, folder: Path) -> Path:
    """The file of this name in the folder, or below it; raises ``ItemsError`` for any other."""
    path = Path(name)
    if not name.strip() or path.is_absolute() or not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise ItemsError(
            f"the items' file {name!r} must be inside the folder {folder.resolve()}, and be given relative to it"
        )
    if path.suffix.lower() not in (*CSV, *JSON_LINES):
        raise ItemsError(f"{name} must be a {join_names((*CSV, *JSON_LINES), word='or')} file")
    return folder / path


def csv_delimiter(first_line: str) -> str:
    """The character that separates the columns of a CSV file: comma, semicolon or tab, by its first line."""
    return max(_DELIMITERS, key=first_line.count)


def read_page(path: Path, after: Mapping[str, Any] | None, size: int = PAGE) -> dict[str, Any]:
    """The next items: ``{"items": […], "next": where the page after begins, None at the end}``.

    An item of CSV is an object of texts by the names in the first line. Raises ``ItemsError``.
    """
    try:
        with path.open("rb") as file:
            return _page(path, file, after, size)
    except OSError as error:
        raise ItemsError(f"{path} cannot be read on this machine: {error.strerror}") from error


def check_whole(path: Path) -> None:
    """Read all of it, so that nothing is begun with a file whose end is broken; raises ``ItemsError``."""
    after = None
    while (page := read_page(path, after))["next"] is not None:
        after = page["next"]


def _page(path: Path, file: IO[bytes], after: Mapping[str, Any] | None, size: int) -> dict[str, Any]:
    status = path.stat()
    version = [status.st_size, status.st_mtime_ns]
    if after is not None and after["version"] != version:
        raise ItemsError(f"{path} has changed since its first items were taken")
    lines = _Lines(path, file)
    rows: _Csv | _JsonLines = _Csv(lines) if path.suffix.lower() in CSV else _JsonLines(lines)
    # The line of names is read each time: it belongs to every page.
    rows.prepare()
    if after is not None:
        lines.go_to(after["offset"], after["line"])
    items: list[Any] = []
    while len(items) < size:
        item = rows.next()
        if item is None:
            return {"items": items, "next": None}
        items.append(item)
    return {"items": items, "next": {"version": version, "offset": lines.offset, "line": lines.number}}


@dataclass
class _Lines:
    """Lines of a file, each with its number; knows how far it has read."""

    path: Path
    file: IO[bytes]
    offset: int = 0
    number: int = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.file.readline(_LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > _LONGEST_LINE:
            raise self.error(f"the line is longer than {_LONGEST_LINE:,} bytes")
        encoding = "utf-8-sig" if self.offset == 0 else "utf-8"
        self.offset += len(line)
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            raise self.error("the line is not UTF-8") from None

    def go_to(self, offset: int, number: int) -> None:
        self.file.seek(offset)
        self.offset, self.number = offset, number

    def error(self, message: str) -> ItemsError:
        return ItemsError(f"{self.path}:{self.number}: {message}")


class _JsonLines:
    """A JSON value a line; blank lines are skipped."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def prepare(self) -> None:
        """There is nothing before the first item."""

    def next(self) -> Any:
        """The next item, None when there is none."""
        for line in self._lines:
            if line.strip():
                try:
                    item = json.loads(line)
                except (ValueError, RecursionError):
                    raise self._lines.error("the line is not JSON") from None
                if item is None:
                    raise self._lines.error("null is not an item")
                if _HALF_PAIR.search(line) and not _is_text(item):
                    # Nothing could store it, or send it; and that must be known before anything is sent.
                    raise self._lines.error("a text contains an unpaired surrogate")
                return item
        return None


def _is_text(item: Any) -> bool:
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class _Csv:
    """Rows of texts by the names in the first line; blank lines are skipped."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._names: list[str] = []
        self._rows: Iterator[list[str]] = iter(())

    def prepare(self) -> None:
        """Read the names, and find out what separates them."""
        first = next(self._lines, None)
        if first is None:
            raise ItemsError(f"{self._lines.path} is empty: {_FIRST_LINE}")
        delimiter = csv_delimiter(first)
        self._names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not self._names or "" in self._names or len(set(map(normalize, self._names))) < len(self._names):
            raise self._lines.error(_FIRST_LINE)
        self._rows = csv.reader(self._lines, delimiter=delimiter, strict=True)

    def next(self) -> dict[str, str] | None:
        """The next row, None when there is none."""
        begin = self._lines.number + 1
        try:
            row = next(self._rows, None)
            while row == []:
                begin = self._lines.number + 1
                row = next(self._rows, None)
        except csv.Error as error:
            where = f" (it begins in line {begin})" if begin < self._lines.number else ""
            raise self._lines.error(f"the row is not CSV: {error}{where}") from None
        if row is None:
            return None
        if len(row) != len(self._names):
            raise self._lines.error(f"the row has {len(row)} fields, but there are {len(self._names)} columns")
        return dict(zip(self._names, row, strict=True))
