"""Where runs are stored by default. Imports nothing slow: the command line's help names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DATABASE_VARIABLE = "TWILIO_COMPONENT_DATABASE"
DEFAULT_DATABASE = Path(".twilio-component") / "runs.sqlite"
_COMMAND = re.compile(r"`(runs [^`]+)`")


def complete_commands(text: str, url: str, runs: Sequence[str] = ()) -> str:
    """Return the text with each command of ``runs`` that is quoted in it as people type it: with the database.

    Where there is one run, its id is in place of ``RUN``.
    """
    run = runs[0] if len(runs) == 1 else "RUN"

    def complete(found: re.Match[str]) -> str:
        return f"`twilio-component {found[1].replace('RUN', run)}{database_option(url)}`"

    return _COMMAND.sub(complete, text)


def database_option(url: str) -> str:
    """Return ``" --database …"`` for a command that people type, empty where the command finds the database itself."""
    import shlex

    from twilio_component.durable.store.database_url import database_url, display_database
    from twilio_component.host.environment import FileEnvironment

    if url == database_url(FileEnvironment().get(DATABASE_VARIABLE) or str(DEFAULT_DATABASE)):
        return ""
    return f" --database {shlex.quote(display_database(url))}"
