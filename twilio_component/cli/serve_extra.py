"""What the commands of the extra ``serve`` share: their options, the check that it is installed, and its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    import argparse

    from twilio_component.flows.runner.configuration import Configuration

DEFAULT_DATABASE = Path(".twilio-component") / "runs.sqlite"


class ExtraMissingError(IntegrationError):
    """A command needs an extra that is not installed."""

    code = "extra-missing"


def default_database() -> str:
    """Return the URL of the SQLite file below the working directory."""
    return f"sqlite:///{DEFAULT_DATABASE.absolute()}"


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--database``."""
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"where runs are stored; default: the file {DEFAULT_DATABASE} below the working directory",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--config``."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="values of config variables, and settings")


def add_public_url(parser: argparse._ActionsContainer) -> None:
    """Add the option ``--public-url``."""
    parser.add_argument(
        "--public-url",
        default="",
        metavar="URL",
        help="where Twilio reaches the flows, e.g. https://flows.example.com; signatures are checked against it",
    )


def configuration_of(options: argparse.Namespace) -> Configuration:
    """Return the configuration of ``--config``; raises ``DocumentError`` or ``InputError``."""
    from twilio_component.flows.runner.configuration import Configuration, read_configuration

    return read_configuration(options.config) if options.config else Configuration()


def report(text: str) -> None:
    """Print a line immediately: a supervisor reads it while we serve."""
    print(text, flush=True)


@contextmanager
def import_the_extra() -> Iterator[None]:
    """Import the extra's modules; raises ``ExtraMissingError`` with what to install. Logs go to standard error."""
    import logging

    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"'{error.name}' is not installed: pip install 'twilio-component[serve]' installs what serving needs"
        ) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dbos").setLevel(logging.WARNING)
