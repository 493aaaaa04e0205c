"""The page of operations beside an engine of this process, and a browser that shows it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.browsers import empty_page, launched
from support.engine import serving
from support.long_lists import QUICK
from support.loop_thread import LoopThread
from support.ports import reserve_port
from support.waiting import until

from twilio_component.durable.operator.views import RunViews
from twilio_component.emulator import Emulator
from twilio_component.serving.operations.server import OperationsAddress, operations_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from support.engine import Served


class Operated:
    """An engine with flows, in a thread of its own, and its page of operations."""

    def __init__(self, folder: Path, flows: str, emulator: Emulator, **options: Any) -> None:
        self.emulator = emulator
        self.port = reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.served: Served
        self._thread = LoopThread()
        self.call(self._open(folder, flows, **options))

    def call(self, work: Coroutine[Any, Any, Any], seconds: float = 60) -> Any:
        """The result of a coroutine on the engine's event loop."""
        return self._thread.call(work, seconds)

    def run(self, run: str, flow: str = "Main") -> Any:
        return self.call(self.served.run(run, flow))

    def begin(self, run: str, flow: str = "Main") -> None:
        self.call(self.served.begin(run, flow))

    def state(self, run: str) -> str:
        shown = self.call(RunViews(self.served.engine.database).show(run))
        return str(shown["state"])

    def wait_for(self, run: str, state: str) -> None:
        until(lambda: self.state(run) == state, f"{run} is {state}")

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, **options)

    def close(self) -> None:
        self._thread.close()

    async def _open(self, folder: Path, flows: str, *, token: str = "", settings: Any = QUICK, **options: Any) -> None:
        serve = serving(folder, flows, emulator=self.emulator, settings=settings, **options)
        self.served = await self._thread.stack.enter_async_context(serve)
        address = OperationsAddress(port=self.port, token=token)
        database = self.served.engine.database
        await self._thread.stack.enter_async_context(operations_page(database, address, lambda _: None))


@pytest.fixture
def operated_of(tmp_path: Path) -> Iterator[Callable[..., Operated]]:
    """Makes an engine with its page; ended in the end."""
    made: list[Operated] = []

    def make(flows: str, **options: Any) -> Operated:
        made.append(Operated(tmp_path, flows, options.pop("emulator", None) or Emulator(), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module."""
    with launched() as opened:
        yield opened


@pytest.fixture
def page_of(browser: Browser) -> Callable[..., Any]:
    """Opens a URL in a page of its own; in the end nothing may have gone wrong in it."""

    @contextmanager
    def made(url: str, **context: Any) -> Iterator[Page]:
        with empty_page(browser, url, **({"viewport": {"width": 1360, "height": 860}} | context)) as page:
            page.goto(url)
            yield page

    return made
