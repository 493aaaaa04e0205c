"""What the commands of the extra ``serve`` have in common: whether it is installed, and where runs are by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twilio_component.host.errors import IntegrationError

DEFAULT_DATABASE = Path(".twilio-component") / "runs.sqlite"


class ExtraMissingError(IntegrationError):
    """A command of an extra that is not installed."""

    code = "extra-missing"


def default_database() -> str:
    """The URL of the SQLite file below the working directory."""
    return f"sqlite:///{DEFAULT_DATABASE.absolute()}"


@contextmanager
def needing_the_extra() -> Iterator[None]:
    """Import what the extra brings; raises ``ExtraMissingError`` with what to install. Logs go to standard error."""
    import logging

    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"'{error.name}' is not installed: pip install 'twilio-component[serve]' has what serving needs"
        ) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dbos").setLevel(logging.WARNING)
