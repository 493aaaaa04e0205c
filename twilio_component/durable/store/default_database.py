"""Where runs are stored by default. Imports nothing slow: the command line's help names it."""

from __future__ import annotations

from pathlib import Path

DATABASE_VARIABLE = "TWILIO_COMPONENT_DATABASE"
DEFAULT_DATABASE = Path(".twilio-component") / "runs.sqlite"


def database_option(url: str) -> str:
    """Return ``" --database …"`` for a command that people type, empty where the command finds the database itself."""
    import shlex

    from twilio_component.durable.store.database_url import database_url, display_database
    from twilio_component.host.environment import FileEnvironment

    if url == database_url(FileEnvironment().get(DATABASE_VARIABLE) or str(DEFAULT_DATABASE)):
        return ""
    return f" --database {shlex.quote(display_database(url))}"
