"""A logger for tests."""

from __future__ import annotations

import logging


class _RecordingHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class RecordingLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that records instead of printing: log records in ``records``, formatted texts in ``messages``."""

    def __init__(self) -> None:
        handler = _RecordingHandler()
        self.records = handler.records
        logger = logging.Logger("recorded")  # noqa: LOG001 - not registered, so that nothing reaches the root logger
        logger.addHandler(handler)
        super().__init__(logger, {})

    @property
    def messages(self) -> list[str]:
        """The formatted texts of all records."""
        return [record.getMessage() for record in self.records]
