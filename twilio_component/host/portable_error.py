"""Errors that survive pickling and copying, so that a process pool or a queue hands on all that they know."""

from __future__ import annotations

from typing import Any


class PortableError(Exception):
    """The base of errors that are pickled and copied with their text and their attributes.

    By default an exception is rebuilt by calling its class with its text alone. That fails for a class whose
    constructor takes anything else, and loses attributes such as ``may_have_happened``.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to rebuild the error without calling its constructor."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[PortableError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> PortableError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error
