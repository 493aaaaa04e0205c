"""What every test relies on."""

from __future__ import annotations

import gc
import itertools
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from support.forked_programs import end_forking

if TYPE_CHECKING:
    from support.postgres import Postgres

_NUMBERS = itertools.count(1)

with suppress(ModuleNotFoundError):  # the tests of the wheel do without it
    from hypothesis import HealthCheck, settings

    # How fast examples are made and run is the machine's business, which others use too.
    settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("shared machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no worker is left with one of them when the others have nothing more."""
    items.sort(key=lambda item: item.get_closest_marker("campaign") is None)


def pytest_collection_finish() -> None:
    """Keep what collecting made out of garbage collection: each full one would walk thousands of tests, for 0.4 s.

    What tests make is looked at as rarely as in a process that serves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, *gc.get_threshold()[1:])


@pytest.fixture(autouse=True, scope="session")
def _no_proxy() -> Iterator[None]:
    """The machine's own proxies and certificates are not part of a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        yield


@pytest.fixture(autouse=True)
def _no_signal_handler_is_left_behind() -> Iterator[None]:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # The background of a shell ignores it; then asyncio would not restore what it found.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    after = {number: signal.getsignal(number) for number in before}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


@pytest.fixture(autouse=True)
def _log_levels_are_as_they_were() -> Iterator[None]:
    """A command sets the levels for its process, which here is that of all tests."""
    loggers = [logging.getLogger(name) for name in (None, "twilio_component")]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        logger.setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _authorities_are_read_once() -> Iterator[None]:
    """Each client of httpx reads all authorities anew, for 30 ms, also one that asks every 20 ms without TLS."""
    if find_spec("certifi") is None:  # the tests of the wheel do without it
        yield
        return
    import certifi

    create, file = ssl.create_default_context, certifi.where()
    read_once = cache(partial(create, cafile=file))

    def create_context(*arguments: Any, **options: Any) -> ssl.SSLContext:
        return read_once() if not arguments and options == {"cafile": file} else create(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", create_context)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_process_forks_more_processes_in_the_end() -> Iterator[None]:
    yield
    end_forking()


@pytest.fixture(autouse=True, scope="session")
def _plugins_are_looked_for_once() -> Iterator[None]:
    """Each host reads what every installed distribution offers, which takes as long as all else that it does."""
    from twilio_component.host import host
    from twilio_component.host.discovery import installed_plugins

    look = cache(lambda _path: installed_plugins())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "installed_plugins", lambda: [*look(tuple(sys.path))])
        yield


@pytest.fixture(autouse=True, scope="session")
def _statements_are_compiled_once() -> Iterator[None]:
    if find_spec("sqlalchemy") is None:  # the tests of the wheel do without it
        yield
        return
    from support.compiled_statements import compiled_once

    with compiled_once():
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines: asyncio's, as the project's own."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server, shared by the tests that do not stop it."""
    from support.postgres import Postgres  # most tests need no database

    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def empty_database(postgres: Postgres) -> Callable[[], str]:
    """Makes an empty database; its URL."""
    return lambda: postgres.new_database(f"test_{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def _prepared(postgres: Postgres) -> str:
    """The name of a database with all tables: a copy takes a twentieth of the time that it takes to make them."""
    from support.prepared_database import make_tables

    make_tables(postgres.new_database("prepared"))
    postgres.keep_as_template("prepared")
    return "prepared"


@pytest.fixture(scope="session")
def new_database(postgres: Postgres, _prepared: str) -> Callable[[], str]:
    """Makes a database as `serve` leaves it that has served nothing; its URL."""
    return lambda: postgres.new_database(f"test_{next(_NUMBERS)}", _prepared)


@pytest.fixture(autouse=True)
def _engine_logs_as_before() -> Iterator[None]:
    """A command sets the engine's logger up for the standard error of its test, which is closed in the next."""
    engine = logging.getLogger("dbos")
    before = engine.handlers[:]
    yield
    engine.handlers = before
