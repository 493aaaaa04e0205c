"""Runs that are run again: from the step that failed, or for the items of their lists that failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.operator.actions import ALLOWED, RESEND, RETRY
from twilio_component.durable.operator.asked_questions import asked_by, copy_questions, received_questions
from twilio_component.durable.operator.definition_changes import changes_before, keys_of
from twilio_component.durable.operator.item_selection import (
    ItemSelection,
    describe_no_items,
    has_open_calls,
    loops_of,
    unfinished_loops,
)
from twilio_component.durable.operator.journal_replay import (
    before,
    before_the_failure,
    entries_of,
    next_call,
)
from twilio_component.durable.operator.loop_retry import CopiedLoop, copy_loop
from twilio_component.durable.operator.proven_calls import calls_of, proven_calls, take_over
from twilio_component.durable.operator.run_ids import count_retries, wrong_state
from twilio_component.durable.operator.started_flows import give_place_from, have_acted_after, in_the_way_of_step
from twilio_component.durable.store import run_status
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.journal import RESULT, WAITED, JournalEntry, record_entry
from twilio_component.durable.store.schema import definitions, items, journal, loops, runs, served
from twilio_component.flows.interpreter.ends import ITEMS_FAILED
from twilio_component.flows.model import find_flow
from twilio_component.flows.parsing.reader import load_integration
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

RETRYABLE = (*ALLOWED[RETRY], *ALLOWED[RESEND])
"""The states of runs that can be run again."""
Definition = Literal["began", "current"]
"""The definition with which a run is run again: the one that it began with, or the one that is served now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How runs are run again.

    ``resend`` says that unknown outcomes did not happen. ``items`` are those of the run's lists that are tried again;
    None chooses those that failed where nothing else did. ``definition`` is ``began`` or ``current``.
    """

    resend: bool = False
    items: ItemSelection | None = None
    definition: Definition = "began"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A run that runs another one again.

    ``items`` of its lists are tried again (None: it continues from a step of its own), and ``pending`` ones had not
    ended, or not begun, when the run ended; unless ``is_whole``, the rest of a list has yet to be read. ``definition``
    is the one it uses, of the file ``file``; ``is_current`` tells whether that one is served now.
    ``repeats_later_steps`` is false when only the list is tried again, since a step after it did something that must
    not be done twice. ``proven`` calls are not made again, since their provider has proven since the run ended what
    they created.
    """

    id: str
    items: int | None = None
    pending: int = 0
    is_whole: bool = True
    definition: Definition = "began"
    file: str = ""
    is_current: bool = True
    repeats_later_steps: bool = True
    proven: int = 0

    def as_json(self) -> dict[str, Any]:
        """The run as JSON, with keys in camelCase."""
        found = asdict(self)
        return {
            **{name: found[name] for name in ("id", "items", "pending")},
            "isWhole": self.is_whole,
            **{name: found[name] for name in ("definition", "file")},
            "isCurrent": self.is_current,
            "repeatsLaterSteps": self.repeats_later_steps,
            "proven": self.proven,
        }


@dataclass(slots=True)
class _Plan:
    """What a run that is run again keeps of the one before, and which of its loops are tried again.

    ``repeated_from`` is the first of its own calls that it makes anew, if it makes any. ``continued`` are those of them
    that asked people, who have received some of the texts.
    """

    entries: Sequence[Mapping[str, Any]]
    again: list[int] = field(default_factory=list)
    selection: ItemSelection | None = None
    last_call: int | None = None
    repeated_from: int | None = None
    continued: Mapping[int, str] = field(default_factory=dict)

    @property
    def first_call(self) -> int:
        """The number of the first call, or loop, that the new run continues with."""
        return max([next_call(self.entries), *self.again])


class RunRetry:
    """Runs runs again; ``enqueue`` has a run executed, in the transaction that stores it."""

    def __init__(self, database: Database, enqueue: Callable[[Connection, Iterable[str]], None]) -> None:
        self._database = database
        self._enqueue = enqueue

    async def retry(self, run: str, how: Retry) -> Retried:
        """Run a run again as a new run; the run becomes ``retried``.

        What has succeeded is not done again, and nobody who has a message gets it once more. Raises
        ``UnknownRunError``, ``RunStateError`` for a run that cannot be run again so, ``StoreUnavailableError``.
        """

        def work(connection: Connection) -> Retried:
            row = _retryable(connection, run)
            again = ids.retry_id(run, ids.FIRST_RETRY + count_retries(connection, run))
            plan = _plan(connection, row, how)
            digest, is_current = _definition(connection, row, plan, how.definition)
            now = self._database.now(connection)
            begun = {"id": again, "wakes": 0, "state": run_status.RUNNING, "created_at": now}
            ended = {"finished_at": None, "error": None, "response": None, "alarm": None}
            changed = {**begun, **ended, "definition": digest, "last_call": plan.last_call}
            connection.execute(insert(runs).values(**{**row._mapping, **changed}))  # noqa: SLF001 - SQLAlchemy's public name for it
            tried, proven = _copy(connection, run, again, plan)
            waited = JournalEntry(step_id="waited", value={"call": plan.first_call})
            record_entry(connection, (again, WAITED), waited, started=None, finished=now)
            if plan.selection is not None and not tried and plan.selection.state != run_status.UNKNOWN:
                _refuse_without_items(connection, row)
            copy_questions(connection, run, again, plan.continued, now)
            pending, is_whole = _remaining(connection, again, plan.again)
            if plan.repeated_from is not None:
                give_place_from(connection, run, plan.repeated_from)
            connection.execute(update(runs).where(runs.c.id == run).values(state=run_status.RETRIED))
            self._enqueue(connection, [again])
            return Retried(
                id=again,
                items=None if plan.selection is None else tried,
                pending=pending - tried,
                is_whole=is_whole,
                definition=how.definition,
                file=connection.execute(select(definitions.c.file).where(definitions.c.digest == digest)).scalar_one(),
                is_current=is_current,
                repeats_later_steps=plan.last_call is None,
                proven=proven,
            )

        return await self._database.run_at_one_moment(work)


def _retryable(connection: Connection, run: str) -> Row[Any]:
    # An operator who resumes, resolves or retries it too waits for us, or we for them.
    row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).one_or_none()
    if row is None:
        raise UnknownRunError(f"there is no run '{run}'")
    if row.state not in RETRYABLE:
        raise wrong_state(connection, run, row.state, RETRYABLE)
    return row


def _plan(connection: Connection, row: Row[Any], how: Retry) -> _Plan:
    selection = how.items or _selection_for(row)
    is_unknown = row.state == run_status.UNKNOWN and (selection is None or selection.state == run_status.UNKNOWN)
    if not how.resend and (is_unknown or has_open_calls(connection, row.id)):
        raise RunStateError(
            f"the outcome of the run '{row.id}' is unknown: find out whether it happened. If it did not, retry "
            "it with --resend; if it did, resolve it"
        )
    entries = entries_of(connection, row.id)
    if selection is None:
        return _plan_from_the_step(connection, row, how, entries)
    chosen = loops_of(connection, row.id, selection)
    if row.state == run_status.LIST_STOPPED or not chosen:
        chosen = sorted({*chosen, *unfinished_loops(connection, row.id)})
    if not chosen:
        raise RunStateError(describe_no_items(connection, row.id, selection))
    return _plan_of_loops(connection, row, entries, chosen, selection, may_end_early=True)


def _selection_for(row: Row[Any]) -> ItemSelection | None:
    """The items that are tried again where none are named: those that failed, unless the run itself failed."""
    code = json.loads(row.error)["code"] if row.error else ""
    by_items = row.state in (run_status.PARTLY_FAILED, run_status.LIST_STOPPED) or code == ITEMS_FAILED
    return ItemSelection() if by_items and row.state != run_status.UNKNOWN else None


def _plan_from_the_step(
    connection: Connection, row: Row[Any], how: Retry, entries: Sequence[Mapping[str, Any]]
) -> _Plan:
    """Continue from the step that failed, or from the first loop with unknown outcomes."""
    unknown = ItemSelection(state=run_status.UNKNOWN)
    open_loops = sorted({*loops_of(connection, row.id, unknown), *unfinished_loops(connection, row.id)})
    if open_loops:
        selection = unknown if how.resend else ItemSelection(number=-1)
        return _plan_of_loops(connection, row, entries, open_loops[:1], selection, may_end_early=False)
    kept = before_the_failure(row.id, entries, asked_by(connection, row.id))
    repeated = next_call(kept)
    flow = in_the_way_of_step(connection, row.id, repeated)
    if flow is not None:
        raise RunStateError(f"the step that would be repeated started the run '{flow.id}', which {flow.what_works}")
    continued = received_questions(connection, row.id, kept)
    return _Plan(kept, last_call=row.last_call, repeated_from=repeated, continued=continued)


def _plan_of_loops(
    connection: Connection,
    row: Row[Any],
    entries: Sequence[Mapping[str, Any]],
    chosen: list[int],
    selection: ItemSelection,
    *,
    may_end_early: bool,
) -> _Plan:
    """Continue from the first of these loops; where what followed must not be done twice, do no more than the loops."""
    if not have_acted_after(connection, row.id, chosen[0]):
        kept = before(chosen[0], entries)
        return _Plan(kept, chosen[:1], selection, row.last_call, repeated_from=chosen[0] + 1)
    if not may_end_early:
        raise RunStateError(
            f"the run '{row.id}' continued after a loop with unknown outcomes and did something that must not be done "
            "twice, or started a flow that may still do so; retry its items alone with --items unknown --resend, or "
            "resolve it"
        )
    kept = [one for one in before(chosen[-1], entries) if one["ordinal"] not in chosen]
    return _Plan(kept, chosen, selection, chosen[-1])


def _copy(connection: Connection, run: str, again: str, plan: _Plan) -> CopiedLoop:
    """Copy what the new run keeps; the number of items that are tried again, and of proven calls."""
    entries = [{**entry, "run": again} for entry in plan.entries if entry["ordinal"] != RESULT]
    if entries:
        connection.execute(insert(journal), entries)
    copied = [copy_loop(connection, LoopKey(run, ordinal), again, plan.selection) for ordinal in plan.again]
    own = {}
    if plan.repeated_from is not None:
        proven = proven_calls(connection, run)
        own = {key: proven[key] for key in calls_of("", proven, plan.entries)}
        take_over(connection, again, own)
    # Lists that have ended come along, so that their failed items can be tried again later.
    kept = {entry["ordinal"] for entry in plan.entries} - {*plan.again}
    not_succeeded = items.c.state.in_((run_status.FAILED, run_status.UNKNOWN))
    ended = select(items.c.ordinal).where(items.c.run == run, not_succeeded).distinct()
    for ordinal in connection.execute(ended).scalars().all():
        if ordinal in kept:
            copy_loop(connection, LoopKey(run, ordinal), again, None)
    return CopiedLoop(sum(one.tried for one in copied), len(own) + sum(one.proven for one in copied))


def _remaining(connection: Connection, run: str, ordinals: Sequence[int]) -> tuple[int, bool]:
    """How many items of these loops have not ended, and whether all items have been read."""
    of_loops = (items.c.run == run, items.c.ordinal.in_(ordinals), items.c.state == PENDING)
    count = connection.execute(select(func.count()).select_from(items).where(*of_loops)).scalar_one()
    unread = (loops.c.run == run, loops.c.ordinal.in_(ordinals), loops.c.is_whole.is_(False))
    return count, connection.execute(select(loops.c.ordinal).where(*unread).limit(1)).one_or_none() is None


def _refuse_without_items(connection: Connection, row: Row[Any]) -> None:
    """Raise ``RunStateError`` when nothing of the run would be tried again."""
    open_ = select(loops.c.ordinal).where(loops.c.run == row.id, loops.c.finished_at.is_(None)).limit(1)
    if connection.execute(open_).one_or_none() is None:
        raise RunStateError(
            f"no item of the run '{row.id}' can be tried again: those that failed continued after a call whose outcome "
            "is unknown, or started a flow that did something that must not be done twice or may still do so"
        )


def _definition(connection: Connection, row: Row[Any], plan: _Plan, wanted: Definition) -> tuple[str, bool]:
    """The digest of the definition to use, and whether it is the one that is served now."""
    of_integration = select(served.c.definition).where(served.c.integration == row.integration)
    current = connection.execute(of_integration).scalar_one_or_none()
    if wanted == "began" or current == row.definition:
        return row.definition, current in (None, row.definition)
    if current is None:
        raise RunStateError(
            f"no definition of {row.integration} is served now; retry the run with the one it began with"
        )
    texts = {one.digest: one for one in connection.execute(select(definitions))}
    old, new = texts[row.definition], texts[current]
    flows = [load_integration(one.file, text=one.text) for one in (old, new)]
    if all(flow.name != row.flow for flow in flows[1].flows):
        raise RunStateError(f"the definition that is served now has no flow '{row.flow}'")
    before_it, now = (find_flow(one, row.flow) for one in flows)
    asked = {step.rpartition(".")[2] for step in plan.continued.values()}
    changes = changes_before(before_it, now, _kept_steps(connection, row, plan) | asked, may_change=asked)
    if changes:
        raise RunStateError(
            f"the run '{row.id}' has taken steps that have changed since: {join_names(changes, word='and')}. "
            "Retry it with the definition that it began with (--definition began)"
        )
    return current, True


def _kept_steps(connection: Connection, row: Row[Any], plan: _Plan) -> set[str]:
    """The keys of the steps whose results the new run keeps, or whose loops it continues with."""
    step_ids = {entry["step_id"] for entry in plan.entries if entry["ordinal"] >= 0}
    if plan.again:
        again = (loops.c.run == row.id, loops.c.ordinal.in_(plan.again))
        step_ids |= set(connection.execute(select(loops.c.step_id).where(*again)).scalars())
        of_items = select(items.c.id).where(items.c.run == row.id, items.c.ordinal.in_(plan.again))
        succeeded = (journal.c.run.in_(of_items), journal.c.is_failure.is_(False))
        step_ids |= set(connection.execute(select(journal.c.step_id).where(*succeeded).distinct()).scalars())
    return keys_of(step_ids)
