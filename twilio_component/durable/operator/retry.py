"""Runs that are run again: from the step that failed, or for the items of their lists that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, insert, select, update

from twilio_component.durable import ids
from twilio_component.durable.errors import RunStateError, UnknownRunError
from twilio_component.durable.fanout.store import LoopKey
from twilio_component.durable.operator.actions import ALLOWED, RESEND, RETRY
from twilio_component.durable.operator.asked_questions import copy_questions
from twilio_component.durable.operator.loop_retry import CopiedLoop, copy_loop
from twilio_component.durable.operator.proven_calls import count_made_anew, proven_calls
from twilio_component.durable.operator.retry_definition import definition_for
from twilio_component.durable.operator.retry_plan import Definition, Retry, RetryPlan, plan_retry
from twilio_component.durable.operator.run_ids import count_retries, wrong_state
from twilio_component.durable.operator.started_flows import give_place_from
from twilio_component.durable.store import run_status
from twilio_component.durable.store.item_ends import PENDING
from twilio_component.durable.store.journal import RESULT, WAITED, JournalEntry, record_entry
from twilio_component.durable.store.schema import definitions, items, journal, loops, runs

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

RETRYABLE = (*ALLOWED[RETRY], *ALLOWED[RESEND])
"""The states of runs that can be run again."""


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
            plan = plan_retry(connection, row, how)
            digest, is_current = definition_for(connection, row, plan, how.definition)
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


def _copy(connection: Connection, run: str, again: str, plan: RetryPlan) -> CopiedLoop:
    """Copy what the new run keeps; the number of items that are tried again, and of proven calls."""
    entries = [{**entry, "run": again} for entry in plan.entries if entry["ordinal"] != RESULT]
    if entries:
        connection.execute(insert(journal), entries)
    copied = [copy_loop(connection, LoopKey(run, ordinal), again, plan.selection) for ordinal in plan.again]
    own = 0
    if plan.repeated_from is not None:
        own = count_made_anew("", proven_calls(connection, run), plan.entries)
    # Lists that have ended come along, so that their failed items can be tried again later.
    kept = {entry["ordinal"] for entry in plan.entries} - {*plan.again}
    not_succeeded = items.c.state.in_((run_status.FAILED, run_status.UNKNOWN))
    ended = select(items.c.ordinal).where(items.c.run == run, not_succeeded).distinct()
    for ordinal in connection.execute(ended).scalars().all():
        if ordinal in kept:
            copy_loop(connection, LoopKey(run, ordinal), again, None)
    return CopiedLoop(sum(one.tried for one in copied), own + sum(one.proven for one in copied))


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
