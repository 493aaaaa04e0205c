"""The harness for tests that are plain functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twilio_component.host.blocking import BlockingHost
from twilio_component.testing.harness import Harness

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from twilio_component.emulator import Emulator
    from twilio_component.flows import Outcome
    from twilio_component.host import Page
    from twilio_component.testing.logs import RecordingLogger

_T = TypeVar("_T")


class BlockingHarness:
    """``with BlockingHarness() as harness: harness.action("sendSMS", {…})``; the options are those of ``Harness``.

    It may be used inside a running event loop too, as in notebooks.
    """

    def __repr__(self) -> str:
        """The harness that this one drives."""
        return f"<{type(self).__name__}: {self._harness!r}>"

    def __init__(self, component: str = "twilio", **options: Any) -> None:
        self._harness = Harness(component, **options)
        self._host = BlockingHost(lambda: self._harness.host)

    @property
    def host(self) -> BlockingHost:
        """The host, for programs under test that take one."""
        return self._host

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the harness's loop and return its result: ``harness.run(harness.emulator.receive(…))``."""
        try:
            return self._host.run(lambda _host: coroutine)
        finally:
            coroutine.close()  # a closed host has not begun it

    @property
    def emulator(self) -> Emulator:
        """The emulator that the requests go to."""
        return self._harness.emulator

    @property
    def logger(self) -> RecordingLogger:
        """What the operations logged."""
        return self._harness.logger

    def action(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Invoke an action and return ``{"data": …}``, as ``Harness.action`` does."""
        return self.run(self._harness.action(key, params))

    def list_pages(
        self, key: str, params: Mapping[str, Any] | None = None, *, after: str | None = None
    ) -> Iterator[Page]:
        """Iterate over an action's list page by page, as ``Harness.list_pages`` does."""

        async def start() -> AsyncGenerator[Page, None]:
            return self._harness.list_pages(key, params, after=after)

        async def fetch_next() -> Page | None:
            return await anext(pages, None)

        pages = self.run(start())
        while (page := self.run(fetch_next())) is not None:
            yield page

    def trigger(
        self, key: str, payload: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Invoke a trigger and return ``{"payload": …}``, as ``Harness.trigger`` does."""
        return self.run(self._harness.trigger(key, payload, params))

    def webhook(self, parameters: Mapping[str, str | Sequence[str]] | None = None, **options: Any) -> dict[str, Any]:
        """Invoke a trigger with a signed request of Twilio's, as ``Harness.webhook`` does."""
        return self.run(self._harness.webhook(parameters, **options))

    def deploy(self, key: str, params: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Run what a trigger does on deployment, as ``Harness.deploy`` does."""
        return self.run(self._harness.deploy(key, params, **options))

    def delete(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Undo what ``deploy`` did, as ``Harness.delete`` does."""
        return self.run(self._harness.delete(key, params))

    @property
    def deployed(self) -> dict[str, dict[str, Any]]:
        """The instance states of deployed triggers, by their keys."""
        return self._harness.deployed

    def data_source(self, key: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Invoke a data source and return ``{"result": …}``, as ``Harness.data_source`` does."""
        return self.run(self._harness.data_source(key, params))

    def flow(self, path: Path | str, **options: Any) -> Outcome:
        """Run a flow to its end and return its outcome, as ``Harness.flow`` does."""
        return self.run(self._harness.flow(path, **options))

    def __enter__(self) -> Self:
        """Open the host on an event loop in a background thread."""
        self._host.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the host and the loop."""
        self._host.close()
