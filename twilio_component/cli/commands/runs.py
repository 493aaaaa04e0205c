"""``twilio-component runs``: inspect runs, stop and resume them, and decide about unknown outcomes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.commands import runs_retry, runs_watch
from twilio_component.cli.commands.runs_watch import view_runs
from twilio_component.cli.formats import add_formats, print_json, print_records
from twilio_component.cli.no_process import tell_without_process
from twilio_component.cli.options import age_in_days, moment, whole_count
from twilio_component.cli.run_filters import check_flow, resource_id
from twilio_component.cli.run_words import count_words
from twilio_component.cli.serve_extra import DATABASE_HELP, database_of, with_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twilio_component.durable.operator.doctor import Diagnosis
    from twilio_component.durable.operator.loop_views import LoopViews
    from twilio_component.durable.operator.operations import Operations
    from twilio_component.durable.operator.views import RunViews
    from twilio_component.durable.store.database import Database

STATES = (
    *("queued", "running", "paused", "stopped", "succeeded", "partly-failed", "failed", "unknown"),
    *("cancelled", "resolved", "retried"),
)
_DAY = 24 * 3600
_MOST_COUNTED = 1_000
_ITEM_STATES = ("pending", "succeeded", "failed", "unknown")


def add_parser(commands: Any) -> None:
    """Add ``runs`` and its commands to the command line."""
    runs = commands.add_parser(
        "runs", help="inspect and operate served runs", description="Inspect and operate served runs."
    )
    verbs = runs.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = _verb(verbs, "list", "list the newest runs", _list)
    listing.add_argument("--flow", metavar="NAME", help="only runs of this flow")
    listing.add_argument("--state", choices=STATES, help="only runs in this state")
    since = "stored at or after this time, e.g. 1h (ago) or 2026-01-31T12:00:00Z"
    listing.add_argument("--since", metavar="TIME", type=moment, help=since)
    listing.add_argument("--sid", help="the run that sent the message with this SID")
    listing.add_argument("--limit", type=whole_count, default=50, help="default: %(default)s")
    add_formats(listing)
    showing = _run_verb(verbs, "show", "show one run with its steps", _show)
    add_formats(showing, lines=False)
    _run_verb(
        verbs,
        "follow",
        "print the progress of a run until it has ended; the exit code says how it ended",
        runs_watch.follow,
    )
    items = _run_verb(verbs, "items", "list the items of a run's loops and how they ended", runs_watch.list_items)
    add_formats(items)
    items.add_argument("--state", choices=_ITEM_STATES, help="only items in this state")
    items.add_argument("--code", metavar="CODE", help="those that failed with this code, e.g. 21610 or outcome-unknown")
    items.add_argument("--with-items", action="store_true", help="print the items too: phone numbers and message texts")
    start = _verb(verbs, "start", "start a flow that is served, without an HTTP request", _start)
    start.add_argument("flow", metavar="FLOW", help="the flow's name")
    start.add_argument("--payload", metavar="FILE|JSON", help="the trigger's payload; - reads standard input")
    start.add_argument("--integration", metavar="NAME", default="", help="which integration, if several define it")
    _run_verb(verbs, "pause", "stop a run before its next step until it is resumed; it is not purged meanwhile", _pause)
    _run_verb(verbs, "cancel", "end a run before its next step; it can be resumed until it is purged", _cancel)
    _run_verb(verbs, "resume", "resume a paused or cancelled run, or one whose list stopped", _resume)
    _run_verb(verbs, "release", "retry now the sends of a run that wait after a refusal", _release)
    _run_verb(verbs, "resolve", "mark an unknown outcome as resolved", _resolve)
    words = "run a failed run again from the step that failed, or the failed items of its list"
    retry = _verb(verbs, "retry", words, runs_retry.run)
    retry.formatter_class, retry.epilog = argparse.RawDescriptionHelpFormatter, runs_retry.EPILOG
    runs_retry.add_arguments(retry)
    doctor = _verb(verbs, "doctor", "find runs that no process executes, and runs that wait for an operator", _doctor)
    mends = "restart what no process executes, settle what can be settled"
    doctor.add_argument("--mend", action="store_true", help=mends)
    add_formats(doctor)
    purge = _verb(verbs, "purge", "delete finished runs", _purge)
    purge.add_argument("--yes", action="store_true", help="do not ask on a terminal")
    purge.add_argument(
        "--days",
        type=age_in_days,
        default=30,
        metavar="DAYS",
        help="delete runs that ended more than DAYS days ago; default: %(default)s",
    )


def _verb(verbs: Any, name: str, words: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    parser.add_argument("--database", metavar="URL", help=DATABASE_HELP)
    parser.set_defaults(run=run)
    return parser


def _run_verb(verbs: Any, name: str, words: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, words, run)
    parser.add_argument("id", metavar="RUN", help="the run's id, or its beginning")
    return parser


def _list(options: argparse.Namespace) -> int:
    sid = resource_id(options.sid) if options.sid is not None else None

    async def print_list(views: RunViews, _: LoopViews) -> None:
        from twilio_component.durable.operator.views import RunFilter

        wanted = RunFilter(
            flow=options.flow,
            state=options.state,
            since=options.since,
            resource_id=sid,
            limit=options.limit,
        )
        runs = await views.find(wanted)
        if not runs and options.flow is not None:
            await check_flow(views, options.flow)
        if print_records(options, runs):
            return
        if not sys.stdout.isatty():
            print_json(runs)
            return
        from twilio_component.cli.run_screen import runs_table, screen

        console = screen(sys.stdout)
        console.print(runs_table(runs, console.width) if runs else "no runs")

    return view_runs(options, print_list)


def _show(options: argparse.Namespace) -> int:
    async def print_run(views: RunViews, loops: LoopViews) -> None:
        run = {**await views.show(options.id), "loops": await loops.loops(options.id)}
        if options.json or not sys.stdout.isatty():
            print_json(run)
            return
        from twilio_component.cli.run_screen import run_view, screen

        screen(sys.stdout).print(run_view(run, database_of(options)))

    return view_runs(options, print_run)


def _start(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import discover_host
    from twilio_component.cli.payloads import payload_of

    payload = payload_of(options.payload)

    async def start(database: Database) -> None:
        from twilio_component.durable.operator.start import start_run

        integration = options.integration
        run = await start_run(database, discover_host(), options.flow, payload, integration=integration)
        print_json({"id": run})
        await tell_without_process(database)

    return with_database(options, start)


def _pause(options: argparse.Namespace) -> int:
    return _operate_run(options, lambda operations: operations.pause(options.id), "is paused")


def _cancel(options: argparse.Namespace) -> int:
    return _operate_run(options, lambda operations: operations.cancel(options.id), "is cancelled")


def _resume(options: argparse.Namespace) -> int:
    return _operate_run(options, lambda operations: operations.resume(options.id), "is resumed", executes=True)


def _release(options: argparse.Namespace) -> int:
    released = 0

    async def release(operations: Operations) -> None:
        nonlocal released
        released = await operations.release(options.id)

    code = _operate(options, release, executes=True)
    if not released:
        print(
            f"{options.id} has nothing to release: no message of it waits after a refusal. One that waits for quiet "
            "hours, a frequency cap or an earlier message is sent when that is over",
            file=sys.stderr,
        )
    else:
        print(f"{options.id} tries now what waited: {count_words(released, 'message')}", file=sys.stderr)
    return code


def _resolve(options: argparse.Namespace) -> int:
    return _operate_run(options, lambda operations: operations.resolve(options.id), "is resolved")


def _doctor(options: argparse.Namespace) -> int:
    found: list[Diagnosis] = []

    async def examine(database: Database) -> None:
        from twilio_component.durable.operator.doctor import Doctor

        doctor = Doctor(database)
        found.extend(await (doctor.mend() if options.mend else doctor.examine()))
        if print_records(options, [one.as_json() for one in found]):
            return
        for one in found:
            mended = "mended: " if options.mend and one.can_mend else ""
            print(f"{mended}{one.kind} ({one.count:,}): {one.text}\n  {' '.join(one.ids)}")
        if not found:
            print(f"nothing to repair, and nothing waits for an operator{await _failed_lately(database)}")

    with_database(options, examine)
    undone = any(one.needs_process or (one.can_mend and not options.mend) for one in found)
    return exit_codes.FAILED if undone else exit_codes.DONE


async def _failed_lately(database: Database) -> str:
    """Say that runs have failed, which have ended and wait for nobody, but can be retried."""
    import time

    from twilio_component.durable.operator.views import RunFilter, RunViews
    from twilio_component.durable.store.default_database import complete_commands

    since = RunFilter(since=time.time() - _DAY, limit=_MOST_COUNTED)
    failed = await RunViews(database).find_ids(since, ("failed", "partly-failed"))
    if not failed:
        return ""
    more = "more than " if len(failed) == _MOST_COUNTED else ""
    found = f"{more}{count_words(len(failed), 'run')} of the last 24 hours failed, at least in part"
    text = f"\n{found}: `runs list --state failed` (or partly-failed) shows them, `runs retry RUN` repeats what failed"
    return complete_commands(text, database.url)


def _purge(options: argparse.Namespace) -> int:
    if not options.yes and sys.stdin.isatty() and not _confirms(options.days):
        print("nothing was deleted", file=sys.stderr)
        return exit_codes.BAD_INPUT

    async def purge(operations: Operations) -> None:
        print_json({"purged": await operations.purge(options.days)})

    return _operate(options, purge)


def _operate_run(
    options: argparse.Namespace,
    work: Callable[[Operations], Awaitable[None]],
    words: str,
    *,
    executes: bool = False,
) -> int:
    """Do something with a run, and say what, with its whole id, since the beginning of an id was enough.

    ``executes`` says that a process has to execute the run then.
    """
    code = _operate(options, work, executes=executes)
    print(f"{options.id} {words}", file=sys.stderr)
    return code


def _operate(
    options: argparse.Namespace, work: Callable[[Operations], Awaitable[None]], *, executes: bool = False
) -> int:
    async def operate(database: Database) -> None:
        from twilio_component.durable.operator.operations import Operations

        await work(Operations(database))
        if executes:
            await tell_without_process(database)

    return with_database(options, operate)


def _confirms(days: float) -> bool:
    question = (
        f"Delete all runs that ended more than {days:g} days ago, with everything about them? "
        "Those with an unknown outcome are among them. [y/N] "
    )
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
