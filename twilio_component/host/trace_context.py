"""The trace that the current work belongs to, as W3C Trace Context writes it: handed on to requests of ``http`` steps.

It is a text in a context variable, so that components can hand it on without a library for traces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "traceparent"
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_CURRENT: ContextVar[str] = ContextVar("traceparent", default="")


def current_trace() -> str:
    """Return the ``traceparent`` of the current work, or an empty text."""
    return _CURRENT.get()


@contextmanager
def continue_trace(traceparent: object) -> Iterator[str]:
    """Let the block belong to this trace; whatever is no ``traceparent`` is none."""
    valid = traceparent if isinstance(traceparent, str) and _FORM.fullmatch(traceparent) else ""
    token = _CURRENT.set(valid)
    try:
        yield valid
    finally:
        _CURRENT.reset(token)
