"""The URL of a database: the forms that people write, and how it is shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from twilio_component.host.errors import InputError, Problem

_ALLOWED = "must be the path of a SQLite file, such as runs.sqlite, or a URL: sqlite:////path/runs.sqlite, "
_EXAMPLE = "postgresql://user:password@host:5432/database"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")


def database_url(text: str) -> str:
    """Return the URL of the database that ``text`` names: a path, ``sqlite:…``, ``postgres://…`` or ``postgresql://…``.

    Raises ``InputError`` for anything else; its message never repeats the text, which may have a password.
    """
    text = text.strip()
    if not text:
        raise _invalid("it is empty")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return f"sqlite:///{Path(text).absolute()}"
    try:
        url = make_url(text)
        port = url.port  # a port that is not a number is found here
    except (ArgumentError, ValueError):
        raise _invalid("its port must be a number, and special characters of its password percent-encoded") from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise _invalid("a database in memory would be lost with the process")
        return url.set(database=str(Path(url.database).absolute())).render_as_string(hide_password=False)
    if url.drivername not in _POSTGRES:
        raise _invalid(f"the scheme '{url.drivername}' is not supported")
    if port is not None and not 0 < port < 65536:  # noqa: PLR2004 - the ports of TCP
        raise _invalid("its port must be a number from 1 to 65535")
    if url.host is not None and "@" in url.host:
        raise _invalid("an @ in its password must be written as %40")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def is_relative(text: str) -> bool:
    """Return whether ``text``, which ``database_url`` takes, names a SQLite file by a path from the working folder."""
    text = text.strip()
    if _SCHEME.match(text) is None:
        return not Path(text).is_absolute()
    url = make_url(text)
    return url.drivername == "sqlite" and not Path(url.database or "").is_absolute()


def display_url(url: str | URL) -> str:
    """Return the URL for an operator to read, without the password."""
    return make_url(url).render_as_string(hide_password=True)


def display_database(url: str) -> str:
    """Return a SQLite database as the path that it was given as, any other as ``display_url`` does."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.database
    return display_url(parsed)


def _invalid(reason: str) -> InputError:
    return InputError("The database is not valid", [Problem("--database", f"{_ALLOWED}{_EXAMPLE}; {reason}")])
