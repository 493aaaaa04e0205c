"""``runs follow`` and ``runs items``: the progress of a run until it ends, and how the items of its lists ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import print_stream
from twilio_component.cli.run_words import item_line
from twilio_component.cli.serve_extra import with_database

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable

    from twilio_component.durable.operator.loop_views import LoopViews
    from twilio_component.durable.operator.views import RunViews
    from twilio_component.durable.store.database import Database

_GOES_ON, _RETRIED = ("queued", "running", "paused"), "retried"


def view_runs(options: argparse.Namespace, work: Callable[[RunViews, LoopViews], Awaitable[None]]) -> int:
    """Read runs of the database that the options name; return the exit code."""

    async def view(database: Database) -> None:
        from twilio_component.durable.operator.loop_views import LoopViews
        from twilio_component.durable.operator.views import RunViews

        await work(RunViews(database), LoopViews(database))

    return with_database(options, view)


def follow(options: argparse.Namespace) -> int:
    """Print a run's progress until it ends, then that of the run in its place; the exit code is the last one's end."""
    state = ""

    async def print_progress(views: RunViews, loops: LoopViews) -> None:
        nonlocal state
        run = await _print_until_end(views, loops, options.id)
        while again := run.get("retriedAs"):
            print(f"{run['id']} was run again as {again}: following that run", file=sys.stderr)
            run = await _print_until_end(views, loops, again)
        state = run["state"]
        if state == _RETRIED:
            print(f"another run has taken the place of {run['id']}; how that ended is not known here", file=sys.stderr)

    code = view_runs(options, print_progress)
    if code == exit_codes.DONE and state == _RETRIED:
        return exit_codes.OUTCOME_UNKNOWN
    return code or exit_codes.exit_code_of_state(state)


async def _print_until_end(views: RunViews, loops: LoopViews, run_id: str) -> dict[str, Any]:
    import asyncio

    from twilio_component.cli.run_output import progress

    with progress(sys.stdout) as output:
        while True:
            run = {**await views.show(run_id), "loops": await loops.loops(run_id)}
            if run["state"] not in _GOES_ON:
                output.end(run)
                return run
            output.update(run)
            await asyncio.sleep(0.5)


def list_items(options: argparse.Namespace) -> int:
    """Print the items of a run's lists, or on standard error why there are none."""

    async def print_items(views: RunViews, loops: LoopViews) -> None:
        await views.show(options.id)  # says so when there is no such run
        found = 0

        async def count() -> AsyncIterator[dict[str, Any]]:
            nonlocal found
            wanted = {"state": options.state, "code": options.code, "with_items": options.with_items}
            async for one in loops.iterations(options.id, **wanted):
                found += 1
                yield one

        if not sys.stdout.isatty() or options.json or options.jsonl:
            await print_stream(options, count())
        else:
            async for one in count():
                print(item_line(one))
        if not found:
            print(_why_nothing(options, await loops.loops(options.id)), file=sys.stderr)

    return view_runs(options, print_items)


def _why_nothing(options: argparse.Namespace, loops: list[dict[str, Any]]) -> str:
    if not loops:
        return f"{options.id} has no items: it has begun no list (a loop with concurrency)"
    state = f" in the state '{options.state}'" if options.state else ""
    code = f" with the code '{options.code}'" if options.code is not None else ""
    return f"{options.id} has no items{state}{code}"
