"""Lines on a terminal, of which the last one may be written over."""

from __future__ import annotations

import shutil
from typing import IO


def write_line(stream: IO[str], text: str, end: str = "\n") -> None:
    """Write a line in the place of the one before, if that had no end; what does not fit the terminal is left out."""
    # What is under way stands on a line that its end writes over.
    print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end=end, file=stream, flush=True)
