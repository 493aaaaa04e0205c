"""Why a database cannot be used, in words for an operator and without a word of the driver's: it quotes statements."""

from __future__ import annotations

_BY_SQLITE = {
    "SQLITE_FULL": "its disk is full",
    "SQLITE_READONLY": "it can only be read",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_IOERR": "its file cannot be read or written",
    "SQLITE_BUSY": "another process has locked it",
    "SQLITE_LOCKED": "another transaction has locked it",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_NOTADB": "its file is damaged",
}
_BY_STATE = {
    "25006": "it can only be read",
    "25P03": "this process did nothing for too long in a transaction",
    "28000": "it refuses the user",
    "28P01": "it refuses the password",
    "3D000": "it does not exist",
    "40001": "two transactions were in conflict",
    "40P01": "two transactions waited for each other",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it has no connection left",
    "55P03": "another transaction has locked what is needed",
    "57014": "it took too long",
    "57P01": "it shuts down",
    "57P02": "it shuts down",
    "57P03": "it starts or shuts down",
}
_UNREACHABLE = "it cannot be reached, or the connection is lost"


def unavailability(error: BaseException) -> str:
    """Return the reason for which the database could not be used, as an error of SQLAlchemy's tells it."""
    original = getattr(error, "orig", None) or error
    sqlite: str | None = getattr(original, "sqlite_errorname", None)
    if sqlite is not None:
        short = "_".join(sqlite.split("_")[:2])  # SQLITE_IOERR_WRITE and others of its kind
        return _BY_SQLITE.get(short, sqlite)
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return _BY_STATE.get(state, f"SQLSTATE {state}")
    name = type(original).__name__
    return _UNREACHABLE if name in ("OperationalError", "InterfaceError") else name
