"""Describes an unexpected error: in whose code, and where. Its own text may hold a secret."""

from __future__ import annotations

import traceback
from itertools import pairwise
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CALLS_FUNCTIONS = str(_PACKAGE / "host" / "invocation.py")


def describe_unexpected(error: Exception) -> str:
    """The error's type, and the line where a component of one's own failed; else a request to report it."""
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    called = [after for before, after in pairwise(frames) if before.filename == _CALLS_FUNCTIONS]
    function = next((frame for frame in reversed(called) if frame.filename != _CALLS_FUNCTIONS), None)
    if function is None or Path(function.filename).is_relative_to(_PACKAGE):
        return f"unexpected {name}; --debug shows where. Please report it."
    package = Path(function.filename).parent
    frame = next(one for one in reversed(frames) if Path(one.filename).is_relative_to(package))
    return f"{frame.filename}:{frame.lineno}: unexpected {name} in '{frame.name}'; --debug shows the whole traceback"
