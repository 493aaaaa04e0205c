"""``twilio-component runs retry``: run failed runs again, or the items of a list that failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from twilio_component.cli import exit_codes
from twilio_component.cli.no_process import tell_without_process
from twilio_component.cli.options import moment
from twilio_component.cli.run_filters import check_flow
from twilio_component.cli.run_words import count_words
from twilio_component.cli.serve_extra import with_database
from twilio_component.host.errors import InputError, IntegrationError, Problem

if TYPE_CHECKING:
    import argparse

    from twilio_component.durable.operator.item_selection import ItemSelection
    from twilio_component.durable.operator.operations import Operations
    from twilio_component.durable.operator.retry import Retried
    from twilio_component.durable.operator.retry_plan import Retry
    from twilio_component.durable.store.database import Database

EPILOG = """\
One run: runs retry RUN repeats it from the step that failed, or tries the failed items of its list again.
  runs retry RUN --items failed --code 20003 --since 1h
  runs retry RUN --item 17 --set to=+15558675310
Many runs, after a confirmation:
  runs retry --state failed --flow Reminders --since 1h
Recipients who already have the message do not get it again. --definition current uses the flow that is served now, if
the steps whose results a run keeps are unchanged in it.
"""
_STATES = ("failed", "partly-failed", "stopped", "unknown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``runs retry``."""
    parser.add_argument(
        "id", metavar="RUN", nargs="?", help="the run's id; without it, the runs selected by --state, --flow, --since"
    )
    parser.add_argument(
        "--resend", action="store_true", help="confirm that the message was not sent, and send it again"
    )
    parser.add_argument("--items", choices=("failed", "unknown"), help="only the items of its lists in this state")
    parser.add_argument("--code", metavar="CODE", help="only the items that failed with this code, e.g. 20003")
    parser.add_argument("--item", type=int, metavar="NUMBER", help="only the item with this index (`runs items`)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="INPUT=VALUE", help="with --item: an input of the failed step"
    )
    parser.add_argument(
        "--definition",
        choices=("began", "current"),
        default="began",
        help="the flow that the run began with (default), or the one that is served now",
    )
    parser.add_argument("--state", choices=_STATES, help="without RUN: the runs in this state")
    parser.add_argument("--flow", metavar="NAME", help="without RUN: the runs of this flow")
    parser.add_argument(
        "--since", metavar="TIME", type=moment, help="items that ended, or runs that were stored, at or after this time"
    )
    parser.add_argument("--yes", action="store_true", help="without RUN: do not ask")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run runs again; prints what each has become."""
    _check(options)
    _inputs(options.set)  # before a run is looked for: a slip of the form is said first
    code = exit_codes.DONE

    async def retry(database: Database) -> None:
        nonlocal code
        from twilio_component.durable.operator.operations import Operations

        operations = Operations(database)
        if options.id is not None:
            how = _how(options)
            if how.items is not None and how.items.inputs:
                await _check_inputs(database, options.id, how.items)
            _tell(await operations.retry_as(options.id, how), options)
            await tell_without_process(database)
        else:
            code = await _retry_many(database, operations, options)

    return with_database(options, retry) or code


def _check(options: argparse.Namespace) -> None:
    problems = []
    if options.id is None:
        given = [f"--{name}" for name in ("items", "code", "item", "set") if getattr(options, name) not in (None, [])]
        problems += [Problem(name, "needs a RUN, whose items it selects") for name in given]
        if not given and options.state is None and options.flow is None and options.since is None:
            problems.append(Problem("RUN", "is missing; for many runs give --state, --flow or --since"))
    else:
        given = [f"--{name}" for name in ("state", "flow") if getattr(options, name) is not None]
        problems += [Problem(name, "selects many runs; leave out the RUN") for name in given]
        if options.set and options.item is None:
            problems.append(Problem("--set", "needs --item, the index of the item that gets other inputs"))
    if problems:
        raise InputError("The options do not fit together", problems)


def _how(options: argparse.Namespace) -> Retry:
    from twilio_component.durable.operator.item_selection import ItemSelection
    from twilio_component.durable.operator.retry_plan import Retry

    selects = options.items or options.code or options.item is not None or (options.id and options.since is not None)
    selection = None
    if selects:
        selection = ItemSelection(
            state=options.items or "failed",
            code=options.code,
            since=options.since,
            number=options.item,
            inputs=_inputs(options.set),
        )
    return Retry(resend=options.resend, items=selection, definition=options.definition)


def _inputs(given: list[str]) -> Mapping[str, str]:
    inputs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError("The inputs are not valid", [Problem("--set", "must be of the form input=value")])
        inputs[name] = value
    return inputs


async def _check_inputs(database: Database, run_id: str, selection: ItemSelection) -> None:
    from twilio_component.cli.components import discover_host
    from twilio_component.durable.operator.item_inputs import check_item_inputs

    await check_item_inputs(database, discover_host(), run_id, selection)


async def _retry_many(database: Database, operations: Operations, options: argparse.Namespace) -> int:
    from twilio_component.durable.operator.views import RunFilter

    found = await operations.find_retryable(RunFilter(flow=options.flow, state=options.state, since=options.since))
    if not found:
        if options.flow is not None:
            from twilio_component.durable.operator.views import RunViews

            await check_flow(RunViews(database), options.flow)
        print("no run matches that can be retried", file=sys.stderr)
        return exit_codes.DONE
    if not (options.yes or _confirm(len(found), options.flow)):
        print("nothing is run again", file=sys.stderr)
        return exit_codes.BAD_INPUT
    code, how = exit_codes.DONE, _how(options)
    for run_id in found:
        try:
            _tell(await operations.retry_as(run_id, how), options, of=run_id)
        except IntegrationError as error:
            print(error, file=sys.stderr)
            code = exit_codes.FAILED
    await tell_without_process(database)
    return code


def _confirm(count: int, flow: str | None) -> bool:
    """Return whether to continue: a person at a terminal is asked, a script has to give --yes."""
    what = f"This runs {count_words(count, 'run')}{f' of {flow}' if flow else ''} again"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(f"{what}; add --yes to do it.", file=sys.stderr)
        return False
    print(f"{what}. Do it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(retried: Retried, options: argparse.Namespace, *, of: str = "") -> None:
    print(json.dumps({**({"of": of} if of else {}), **retried.as_json()}, ensure_ascii=False))
    if options.definition == "began" and not retried.is_current:
        print(
            f"{retried.id} uses the text of {retried.file} that its run began with; another one is served now, which "
            "--definition current uses",
            file=sys.stderr,
        )
    if retried.pending:
        print(f"{retried.id} also tries {count_words(retried.pending, 'item')} not tried before", file=sys.stderr)
    if not retried.is_whole:
        print(f"{retried.id} also reads the rest of its list, and tries its items", file=sys.stderr)
    if retried.proven:
        calls = "1 call is" if retried.proven == 1 else f"{retried.proven:,} calls are"
        print(f"{retried.id}: {calls} proven to have happened, and will not be made again", file=sys.stderr)
    if not retried.repeats_later_steps:
        print(f"{retried.id} ends after the list: a step after it must not be done twice", file=sys.stderr)
