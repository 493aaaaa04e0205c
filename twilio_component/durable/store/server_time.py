"""The time of the database's server, as a part of a statement that is made anyway."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class server_time(FunctionElement[float]):  # noqa: N801 - it is used as a function
    """The time of the server in seconds since 1970; null with SQLite, which has none: see ``Database.now``."""

    name = "server_time"
    type = Float()
    inherit_cache = True


@compiles(server_time, "postgresql")
def _server_time(_element: server_time, _compiler: Any, **_options: Any) -> str:
    return "EXTRACT(epoch FROM clock_timestamp())::FLOAT"


@compiles(server_time, "sqlite")
def _no_time(_element: server_time, _compiler: Any, **_options: Any) -> str:
    return "NULL"
