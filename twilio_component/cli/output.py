"""What a person reads on a terminal: results, tables, and lines that are written over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import IO, Any

# What of a message fits on a line.
_COLUMNS = ("dateCreated", "status", "from", "to", "sid", "body")


def printed(result: Mapping[str, Any], *, as_json: bool) -> str:
    """An operation's result: JSON for scripts, else a table of its data."""
    data = result.get("data", result)
    if as_json or not isinstance(data, (dict, list)) or not data:
        return json.dumps(result, ensure_ascii=False, indent=2)
    if isinstance(data, dict):
        width = max(len(str(key)) for key in data)
        return "\n".join(f"{key:<{width}}  {cell(value)}" for key, value in data.items())
    if not all(isinstance(item, dict) for item in data):
        return json.dumps(result, ensure_ascii=False, indent=2)
    columns = [name for name in _COLUMNS if name in data[0]] or [*data[0]]
    return table(columns, [[cell(item.get(name)) for name in columns] for item in data])


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a heading, the last column cut at the terminal's width."""
    widths = [max(len(row[index]) for row in [columns, *rows]) for index in range(len(columns))]
    room = shutil.get_terminal_size().columns
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in [columns, *rows])
    return "\n".join(line[:room].rstrip() for line in lines)


def cell(value: Any) -> str:
    """One value on one line, harmless to a terminal: message texts come from strangers."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else "·" for character in text)


def write_line(stream: IO[str], text: str, end: str = "\n") -> None:
    """Write a line in the place of the one before, if that had no end; what does not fit the terminal is left out."""
    # What is under way stands on a line that its end writes over.
    print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end=end, file=stream, flush=True)
