"""Connections that have been idle are checked before they are used again.

Each check is a way to the server and back. One that was in use a moment ago is not checked: where it has died since
then, as one in use would have, its transaction fails, and is repeated by those who wait for the database.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_IDLE_SECONDS = 1.0
_USED_AT = "used_at"


def check_idle_connections(engine: Engine) -> None:
    """Replace the connections of this engine's pool that turn out to be dead when one of them is taken."""

    def note_use(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    def check(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(_USED_AT, float("-inf")) < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "connect", note_use)
    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", check)
