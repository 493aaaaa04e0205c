"""Errors that survive pickling and copying, so that a process pool or a queue hands on all that they know."""

from __future__ import annotations

from typing import Any


class PortableError(Exception):
    """The base of errors that are pickled and copied with their text and their attributes.

    By default an exception is rebuilt by calling its class with its text alone. That fails for a class whose
    constructor takes anything else, and loses attributes such as ``may_have_happened``.

    ``args`` is what the constructor takes, as JSON values: a queue that stores errors as JSON, as Celery does, calls
    the class with them.
    """

    _text: str | None = None

    def __init__(self, *args: Any, text: str | None = None) -> None:
        super().__init__(*args)
        if text is not None:
            self._text = text

    def __str__(self) -> str:
        """Return the text, which is not among ``args`` where the constructor builds it."""
        return super().__str__() if self._text is None else self._text

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to rebuild the error without calling its constructor."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[PortableError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> PortableError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error
