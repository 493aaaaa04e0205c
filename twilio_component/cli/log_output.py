"""Logs on standard error: one line for each record, as text or as JSON, for this program's loggers and the engine's.

A line repeats nothing that people wrote. Messages of exceptions that are not ours may do that, so a traceback is
printed without them.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, TextIO

from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

FIELDS = ("run", "flow", "state", "step", "code", "reason", "method", "status", "seconds", "trace")
"""The fields that records may have beside their message, in the order in which JSON shows them."""
_OTHERS = logging.WARNING
"""Other libraries, the workflow engine's included, say too much below this level, and perhaps what people wrote."""


def start_logging(options: argparse.Namespace | None = None) -> None:
    """Log to standard error as the options of ``options.add_logging`` say; by default text, from ``info`` on."""
    handler = _StandardError()
    as_json = getattr(options, "log_format", "text") == "json"
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    for logger in (root, engine):
        for former in [one for one in logger.handlers if isinstance(one.formatter, TextFormatter)]:
            logger.removeHandler(former)
    # The engine gives its logger a handler of its own, unless it has one.
    engine.handlers = [handler]
    engine.propagate = False
    engine.setLevel(_OTHERS)
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(_OTHERS)
    logging.getLogger("twilio_component").setLevel(getattr(options, "log_level", "info").upper())


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the time of a record: a test or a host may replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


class TextFormatter(logging.Formatter):
    """``2026-11-25T23:22:51.152Z WARNING run web-1 of Reply failed …``; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return "\n".join([f"{_time(record)} {record.levelname} {_message(record)}", *_traceback(_error_of(record))])


class PlainFormatter(logging.Formatter):
    """``ERROR:twilio_component.execution:…``, as Python's own, but for the texts of other people's exceptions.

    ``hint`` follows a traceback that lacks them. With ``redact``, which hides the secrets in a text, they are shown.
    """

    def __init__(self, hint: str = "") -> None:
        super().__init__(logging.BASIC_FORMAT)
        self._hint = [hint] if hint else []
        self.redact: Callable[[str], str] | None = None

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the traceback."""
        if self.redact is not None:
            return self.redact(super().formatException(ei))
        return "\n".join([*_traceback(ei[1]), *self._hint])


def log_plainly(level: int, *, hint: str = "") -> PlainFormatter:
    """Log to standard error from ``level`` on, for a command that shows what a flow does as it goes."""
    handler, formatter = _StandardError(), PlainFormatter(hint)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])
    return formatter


class JsonFormatter(TextFormatter):
    """A JSON object on one line: ``time``, ``level``, ``logger``, ``message``, and the record's own ``FIELDS``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line.update({name: value for name in FIELDS if (value := getattr(record, name, None)) not in (None, "")})
        if trace := _traceback(_error_of(record)):
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    """The message on one line: an id or a name may come from outside, and must not look like a line of ours."""
    text = " ".join(record.getMessage().splitlines())
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "·" for character in text)


def _error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _traceback(error: BaseException | None) -> list[str]:
    lines: list[str] = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__)).splitlines()
        said = f": {error}" if isinstance(error, IntegrationError) else ""
        lines = [*frames, f"{type(error).__module__}.{type(error).__qualname__}{said}", *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines
