"""Describes an unexpected error: in whose code, and where. Its own text may hold a secret."""

from __future__ import annotations

import traceback
from itertools import pairwise
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CALLS_FUNCTIONS = str(_PACKAGE / "host" / "invocation.py")


def describe_unexpected(error: Exception, *, has_debug: bool) -> str:
    """The error's type, and the line where a component of one's own failed; else a request to report it.

    ``has_debug`` says that the command has the option ``--debug``, which shows more.
    """
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    called = [after for before, after in pairwise(frames) if before.filename == _CALLS_FUNCTIONS]
    function = next((frame for frame in reversed(called) if frame.filename != _CALLS_FUNCTIONS), None)
    if function is None or Path(function.filename).is_relative_to(_PACKAGE):
        if has_debug:
            return f"unexpected {name}; --debug shows where. Please report it."
        own = next((frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(_PACKAGE)), None)
        place = f" at {Path(own.filename).relative_to(_PACKAGE.parent)}:{own.lineno}" if own is not None else ""
        return f"unexpected {name}{place}. Please report it."
    package = Path(function.filename).parent
    frame = next(one for one in reversed(frames) if Path(one.filename).is_relative_to(package))
    more = "; --debug shows the whole traceback" if has_debug else ""
    return f"{frame.filename}:{frame.lineno}: unexpected {name} in '{frame.name}'{more}"
