"""What the page reads and does: a path and its arguments in, a value for JSON out."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.durable.operator import actions
from twilio_component.durable.operator.flow_pictures import flow_picture
from twilio_component.durable.operator.item_pages import ItemPages
from twilio_component.durable.operator.processes import ProcessViews
from twilio_component.durable.operator.retry import Retried
from twilio_component.durable.operator.run_pages import COUNTED, PageOfRuns, RunPages
from twilio_component.durable.store.run_status import PARTLY_FAILED, STATES, SUCCEEDED
from twilio_component.flows.findings import FlowError
from twilio_component.twilio.error_codes import explain

if TYPE_CHECKING:
    from twilio_component.durable.operator.operations import Operations
    from twilio_component.durable.store.reader import Reader
    from twilio_component.serving.operations.retries import Retries

_Arguments = Mapping[str, str]
_LEAST_SECONDS = 1.0  # between two counts of the same loops, however many people look at them
_MOST_CACHED = 200
_OVER = (SUCCEEDED, PARTLY_FAILED)
_MOST_DIGITS = 9
_FORMATTING = re.compile(r"[\s().\-/]")  # as people write numbers


class Api:
    """Reads with a ``reader``, acts with ``operations``. ``database`` is the URL as people may see it."""

    def __init__(
        self, reader: Reader, operations: Operations, retries: Retries, *, database: str, version: str
    ) -> None:
        self._runs = RunPages(reader)
        self._items = ItemPages(reader)
        self._processes = ProcessViews(reader)
        self._operations = operations
        self._retries = retries
        self._database = database
        self._version = version
        self._loops: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._readers: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "runs": self._list_runs,
            "counts": self._count_runs,
            "flows": self._list_flows,
            "run": self._show_run,
            "result": self._show_result,
            "picture": self._show_picture,
            "items": self._list_items,
            "workers": self._list_workers,
            "senders": self._list_senders,
            "schedules": self._list_schedules,
            "webhooks": self._list_webhooks,
            "retryable": self._count_retryable,
        }

    def about(self) -> dict[str, str]:
        """What is looked at: the database and the version of this program."""
        return {"database": self._database, "version": self._version}

    async def read(self, path: str, arguments: _Arguments) -> Any:
        """The value at a path.

        Raises ``LookupError`` for an unknown path, ``UnknownRunError``, ``ValueError`` for an argument that cannot be
        used, and ``StoreUnavailableError``.
        """
        if path not in self._readers:
            raise LookupError(f"there is no /api/{path}; there are {', '.join(self._readers)}")
        return await self._readers[path](arguments)

    async def act(self, path: str, body: Mapping[str, Any]) -> Any:
        """Do something; its result.

        Raises as ``read`` does, and ``RunStateError`` where the run's state does not allow it.
        """
        if path == "throttles":
            await self._operations.lift(_text(body, "sender"))
            return {}
        if path == "retries":
            return await self._retries.retry_many({**body, "since": _moment(body, "since")})
        if path != "actions":
            raise LookupError(
                f"there is nothing to be done at /api/{path}; there is /api/actions, /api/retries and /api/throttles"
            )
        run, action = _text(body, "run"), _text(body, "action")
        operations, retry = self._operations, self._retries.retry
        verbs: Mapping[str, Callable[[], Awaitable[Any]]] = {
            actions.PAUSE: lambda: operations.pause(run),
            actions.RESUME: lambda: operations.resume(run),
            actions.CANCEL: lambda: operations.cancel(run),
            actions.RELEASE: lambda: operations.release(run),
            actions.RESOLVE: lambda: operations.resolve(run),
            actions.RETRY: lambda: retry(run, body, resend=False),
            actions.RESEND: lambda: retry(run, body, resend=True),
        }
        if action not in verbs:
            raise ValueError(f"action has to be one of {', '.join(verbs)}")
        again = await verbs[action]()
        return again.as_json() if isinstance(again, Retried) else {"id": run}

    async def _list_runs(self, arguments: _Arguments) -> Any:
        state = arguments.get("state") or None
        if state is not None and state not in STATES:
            raise ValueError(f"state has to be one of {', '.join(STATES)}")
        wanted = PageOfRuns(
            flow=arguments.get("flow") or None,
            state=state,
            since=_moment(arguments, "since"),
            until=_moment(arguments, "until"),
            resource_id=arguments.get("sid") or None,
            person=_FORMATTING.sub("", arguments.get("recipient", "")) or None,
            after=arguments.get("after") or None,
            limit=_number(arguments, "limit", 50),
        )
        page = await self._runs.runs(wanted)
        return {**page, "runs": [_with_explanation(run) for run in page["runs"]]}

    async def _count_runs(self, _: _Arguments) -> Any:
        return {"counts": await self._runs.counts(), "most": COUNTED}

    async def _list_flows(self, _: _Arguments) -> Any:
        return {"flows": await self._runs.flows()}

    async def _show_run(self, arguments: _Arguments) -> Any:
        run = _text(arguments, "id")
        before = _number(arguments, "before", -1)
        found = await self._runs.run(run, before=before if before >= 0 else None)
        steps = [_with_explanation(step) for step in found["steps"]]
        return {**_with_explanation(found), "steps": steps, "loops": await self._progress(run)}

    async def _show_result(self, arguments: _Arguments) -> Any:
        return {"result": await self._runs.result(_text(arguments, "id"), _number(arguments, "ordinal", 0))}

    async def _show_picture(self, arguments: _Arguments) -> Any:
        run = _text(arguments, "id")
        file, text, flow, state = await self._runs.definition(run)
        try:
            steps = flow_picture(file, text, flow, await self._runs.way(run), is_over=state in _OVER)
        except FlowError as error:
            raise ValueError(f"the flow cannot be drawn: {error}") from error
        return {"file": file, "steps": steps}

    async def _list_items(self, arguments: _Arguments) -> Any:
        page = await self._items.items(
            _text(arguments, "id"),
            _number(arguments, "loop", 0),
            state=_text(arguments, "state"),
            code=arguments.get("code") or None,
            after=arguments.get("after") or None,
            limit=_number(arguments, "limit", 50),
        )
        return {**page, "items": [_add_meaning(item, str(item["code"] or "")) for item in page["items"]]}

    async def _list_workers(self, _: _Arguments) -> Any:
        return {"workers": await self._processes.workers()}

    async def _list_senders(self, _: _Arguments) -> Any:
        return {"senders": await self._processes.senders()}

    async def _list_schedules(self, _: _Arguments) -> Any:
        return {"schedules": await self._processes.schedules()}

    async def _list_webhooks(self, _: _Arguments) -> Any:
        return {"refused": await self._processes.refused_webhooks()}

    async def _count_retryable(self, arguments: _Arguments) -> Any:
        return await self._retries.count({**arguments, "since": _moment(arguments, "since")})

    async def _progress(self, run: str) -> list[dict[str, Any]]:
        """The loops of a run. Counting takes as long as the list is, so nobody makes us count all the time."""
        until, found = self._loops.get(run, (0.0, []))
        begun = time.monotonic()
        if until <= begun:
            found = [_with_meanings(loop) for loop in await self._items.loops(run)]
            took = time.monotonic() - begun
            while len(self._loops) >= _MOST_CACHED:
                del self._loops[next(iter(self._loops))]
            self._loops[run] = (begun + max(_LEAST_SECONDS, 20 * took), found)
        return found


def _with_explanation(value: dict[str, Any]) -> dict[str, Any]:
    """A run or a step, its error with the catalogue's meaning and remedy."""
    error = value.get("error")
    if not error:
        return value
    return {**value, "error": _add_meaning(error, str(error.get("reason") or error.get("code") or ""))}


def _add_meaning(value: dict[str, Any], code: str) -> dict[str, Any]:
    found = explain(code)
    if found is None:
        return value
    # The component's own words end with the same.
    message = str(value.get("message") or "").partition(f"What it means: {found.meaning}")[0].strip()
    message = message.removesuffix(f"({found.link})").strip()
    return {**value, "message": message, "meaning": found.meaning, "remedy": found.remedy, "link": found.link}


def _with_meanings(loop: dict[str, Any]) -> dict[str, Any]:
    found = {code: explain(code) for code in loop["failed"]}
    return {**loop, "meanings": {code: one.meaning for code, one in found.items() if one is not None}}


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is required, as a text")
    return value


def _number(arguments: _Arguments, name: str, default: int) -> int:
    text = arguments.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"{name} has to be a whole number, not {text[:20]!r}")
    return int(text)


def _moment(arguments: Mapping[str, Any], name: str) -> float | None:
    text = arguments.get(name) or ""
    if text == "":
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{name} has to be a time such as 2026-01-31T12:00:00Z") from None
    return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
