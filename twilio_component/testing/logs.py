"""A logger for tests."""

from __future__ import annotations

import logging


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class RecordingLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that keeps its records, in ``records`` and as texts in ``messages``, and prints nothing."""

    def __init__(self) -> None:
        keeper = _Keeper()
        self.records = keeper.records
        logger = logging.Logger("recorded")  # noqa: LOG001 - its own, so that nothing reaches the root
        logger.addHandler(keeper)
        super().__init__(logger, {})

    @property
    def messages(self) -> list[str]:
        """What was logged, formatted."""
        return [record.getMessage() for record in self.records]
