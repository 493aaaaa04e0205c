"""Output for a terminal: results, tables, and status lines that are overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import IO, Any

# The properties of a message that fit on a line.
_COLUMNS = ("dateCreated", "status", "from", "to", "sid", "body")


def format_result(result: Mapping[str, Any], *, as_json: bool) -> str:
    """Return an operation's result as JSON for scripts, or else as a table of its data."""
    data = result.get("data", result.get("result", result))
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
    """Return the rows below a heading; each line is cut at the terminal's width."""
    widths = [max(len(row[index]) for row in [columns, *rows]) for index in range(len(columns))]
    room = shutil.get_terminal_size().columns
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in [columns, *rows])
    return "\n".join(line[:room].rstrip() for line in lines)


def cell(value: Any) -> str:
    """Return one value on one line, harmless to a terminal: message texts come from strangers."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else "·" for character in text)


def write_line(stream: IO[str], text: str, end: str = "\n") -> None:
    """Write a line, over the one before if that had no ``end``; it is cut at the terminal's width."""
    print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end=end, file=stream, flush=True)
