"""What the commands of the extra ``serve`` share: their options, the check that it is installed, and its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.cli import exit_codes
from twilio_component.cli.options import port_number
from twilio_component.durable.store.default_database import DATABASE_VARIABLE, DEFAULT_DATABASE
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from twilio_component.durable.store.database import Database
    from twilio_component.flows.runner.configuration import Configuration
    from twilio_component.serving.health_server import HealthServer

OPERATIONS_TOKEN = "TWILIO_COMPONENT_OPERATIONS_TOKEN"  # noqa: S105 - the name of a variable

_DATABASE_HELP = (
    "where runs are stored: the path of a SQLite file, or postgresql://…; default: the environment variable "
    f"{DATABASE_VARIABLE}, or the file that {DATABASE_VARIABLE}_FILE names, or "
)
DATABASE_HELP = f"{_DATABASE_HELP}{DEFAULT_DATABASE}"


class ExtraMissingError(IntegrationError):
    """A command needs an extra that is not installed."""

    code = "extra-missing"


def database_of(options: argparse.Namespace, default: str = "") -> str:
    """Return the URL of the database: of ``--database``, of the environment, or the default file.

    Raises ``InputError`` for one that cannot be used.
    """
    from twilio_component.durable.store.database_url import database_url

    text = given_database(options)
    return database_url(text if text is not None else default or str(DEFAULT_DATABASE))


def given_database(options: argparse.Namespace) -> str | None:
    """Return what ``--database`` or the environment names; raises ``InputError`` for a file that cannot be read."""
    return options.database if options.database is not None else environment_value(DATABASE_VARIABLE)


def environment_value(name: str) -> str | None:
    """Return the value of an environment variable, or the content of the file that the variable ``…_FILE`` names.

    Raises ``InputError`` for a file that cannot be read.
    """
    from twilio_component.host.environment import FileEnvironment

    return FileEnvironment().get(name)


def add_database(parser: argparse.ArgumentParser, *, default: str | Path = DEFAULT_DATABASE) -> None:
    """Add the option ``--database``."""
    parser.add_argument("--database", metavar="URL", help=f"{_DATABASE_HELP}{default}")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--config``."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="values of config variables, and settings")


def add_public_url(parser: argparse._ActionsContainer) -> None:
    """Add the option ``--public-url``."""
    parser.add_argument(
        "--public-url",
        default="",
        metavar="URL",
        help="where Twilio reaches the flows, e.g. https://flows.example.com or https://example.com/flows; signatures "
        "are checked against it",
    )


def add_health(parser: argparse.ArgumentParser) -> None:
    """Add the options ``--health-port`` and ``--health-host``."""
    parser.add_argument(
        "--health-port",
        type=port_number,
        metavar="PORT",
        help="serve /healthz, /readyz and, with the extra metrics, /metrics on a port of their own",
    )
    parser.add_argument("--health-host", default="127.0.0.1", metavar="HOST", help="default: %(default)s")


def health_of(options: argparse.Namespace) -> HealthServer:
    """Return the server of health and metrics."""
    from twilio_component.serving.health_server import HealthServer

    return HealthServer(host=options.health_host, port=options.health_port)


def configuration_of(options: argparse.Namespace) -> Configuration:
    """Return the configuration of ``--config``; raises ``DocumentError`` or ``InputError``."""
    from twilio_component.flows.runner.configuration import Configuration, read_configuration

    return read_configuration(options.config) if options.config else Configuration()


def report(text: str) -> None:
    """Print a line immediately: a supervisor reads it while we serve."""
    print(text, flush=True)


@contextmanager
def import_the_extra(options: argparse.Namespace | None = None) -> Iterator[None]:
    """Import the extra's modules; raises ``ExtraMissingError`` with what to install.

    Logs go to standard error, in the form that ``options`` ask for (see ``log_output``).
    """
    from twilio_component.cli.log_output import start_logging

    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"'{error.name}' is not installed: pip install 'twilio-component[serve]' installs what serving needs"
        ) from error
    start_logging(options)


async def _open(database: Database) -> None:
    """Open a database that exists; where that fails it is named, since an operator may have meant another one."""
    import asyncio

    from twilio_component.durable.errors import StoreUnavailableError
    from twilio_component.durable.store.database_url import display_database

    try:
        await asyncio.to_thread(database.open_existing)
    except StoreUnavailableError as error:
        raise type(error)(f"{error}: {display_database(database.url)}") from error


def with_database(options: argparse.Namespace, work: Callable[[Database], Awaitable[None]]) -> int:
    """Open the existing database of ``--database``, do the work and close it; the exit code of success.

    ``options.id`` may be the beginning of a run's id, and is the whole one when the work is done.
    """
    import asyncio

    with import_the_extra():
        from twilio_component.durable.store.database import Database

    async def open_and_work() -> None:
        database = Database(database_of(options))
        try:
            await _open(database)
            if getattr(options, "id", None) is not None:
                from twilio_component.durable.operator.run_ids import find_run_id

                options.id = await find_run_id(database, options.id)
            await work(database)
        finally:
            database.close()

    asyncio.run(open_and_work())
    return exit_codes.DONE
