"""The tables beside the workflow engine's own, in the same database.

Everything that people wrote, or that identifies them, is here: the engine's tables hold only ids and names of steps.

A column that is added to a table in a later version must be nullable or have a server default: tables of the version
before are altered while its processes may still be writing. `migration` adds tables, columns and indexes by itself;
any other change is a step there.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text
from sqlalchemy import text as sql

from twilio_component.durable.store.call_states import CLAIMED, IN_DOUBT, OPEN
from twilio_component.durable.store.run_status import HAS_WEBHOOK_RESPONSE, UNTOLD

metadata = MetaData()


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=sql(where), postgresql_where=sql(where))


database_format = Table(
    "flow_database_format",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("format", Integer, nullable=False),
)
"""One row: how many steps of ``migration.STEPS`` the database has had."""

definitions = Table(
    "flow_definitions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("file", Text, nullable=False),
    Column("text", Text, nullable=False),
)
"""The texts of integrations: a run ends with the definition that it started with."""

runs = Table(
    "flow_runs",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("definition", String(64), ForeignKey("flow_definitions.digest"), nullable=False),
    Column("integration", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("parent", String(200)),
    Column("state", String(20), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("payload", Text),
    Column("error", Text),
    Column("response", Text),
    Column("queue", String(400)),
    Column("queue_number", BigInteger),
    Column("dedupe_id", String(64)),
    Column("wakes", Integer, nullable=False, server_default="0"),
    Column("last_call", Integer),
    Column("trace", String(55)),
    Column("alarm", String(40)),
    Index("flow_runs_by_time", "created_at", "id"),
    _partial("flow_runs_untold", "state", where=UNTOLD),
    Index("flow_runs_by_state", "state", "created_at", "id"),
    Index("flow_runs_by_flow", "flow", "created_at", "id"),
    _partial("flow_runs_by_parent", "parent", where="parent IS NOT NULL"),
    Index("flow_runs_by_queue", "queue", "state", "queue_number"),
    _partial("flow_runs_by_end", "finished_at", where="finished_at IS NOT NULL"),
    _partial("flow_runs_with_response", "finished_at", where=HAS_WEBHOOK_RESPONSE),
    Index("flow_runs_by_beginning", "id", postgresql_ops={"id": "varchar_pattern_ops"}).ddl_if("postgresql"),
)
"""One row per run. ``payload`` is what started it, ``error`` and ``response`` are how it ended; all JSON.

``wakes`` counts how often the run was continued after a wait; ``alarm`` is the alarm that tells an operator of it.
``last_call`` is the number of the call after which the run ends, where the steps after it have been done by the run
whose place it takes. ``trace`` is the W3C ``traceparent`` that the run belongs to.
"""

served = Table(
    "flow_served",
    metadata,
    Column("integration", String(200), primary_key=True),
    Column("definition", String(64), ForeignKey("flow_definitions.digest"), nullable=False),
    Column("public_url", Text, nullable=False),
)
"""The definition that the newest serving process of an integration serves, and where its webhooks begin."""

queues = Table(
    "flow_queues",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("run_limit", Integer, nullable=False),
    Column("last_number", BigInteger, nullable=False),
)
"""One row for each queue of a flow: how many of its runs may be running, and the number of the newest one."""

events = Table(
    "flow_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run", String(200), nullable=False, index=True),
    Column("kept_until", Float),
    _partial("flow_events_kept", "kept_until", where="kept_until IS NOT NULL"),
)
"""One row for each id of an event, with the run that the event has started.

``kept_until`` is until when an event of a purged run is known: its sender may repeat it yet.
"""

journal = Table(
    "flow_journal",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("step_id", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("is_failure", Boolean, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float, nullable=False),
    Column("inputs", Text),
)
"""The result of each call of a run, or of an item's iteration, in the order of the calls, as JSON: what a replay reads.

``inputs`` are the call's redacted inputs. Of a run that succeeded the values are emptied.
"""

_UNCERTAIN = f"state IN ('{CLAIMED}', '{IN_DOUBT}')"
UNCERTAIN = sql(f"flow_intents.{_UNCERTAIN}")
"""The condition of calls of which nobody knows yet whether they happened, as text for their index."""
_IS_OPEN = "state IN ({})".format(", ".join(f"'{state}'" for state in OPEN))
OWN_AND_OPEN = sql(f"flow_intents.item IS NULL AND flow_intents.{_IS_OPEN}")
"""The condition of calls that a run itself makes, and no iteration of it, and that are not over, for their index.

SQLite takes it, and not the index of all calls of a run, for queries that are in the order of ``created_at``.
"""
intents = Table(
    "flow_intents",
    metadata,
    Column("key", String(220), primary_key=True),
    Column("run", String(200), nullable=False),
    Column("step_id", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("limit_keys", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("claimed_at", Float),
    Column("claimed_by", String(80)),
    Column("resource_id", String(200), unique=True),
    Column("item", String(220)),
    Column("hold_kind", String(20)),
    Column("hold_reason", Text),
    Column("held_at", Float),
    Column("held_until", Float),
    Column("person", String(64)),
    Index("flow_intents_of_run", "run", postgresql_ops={"run": "varchar_pattern_ops"}),
    _partial("flow_intents_by_person", "person", "created_at", where="person IS NOT NULL"),
    _partial("flow_intents_by_item", "item", where="item IS NOT NULL"),
    _partial("flow_intents_uncertain", "fingerprint", where=_UNCERTAIN),
    _partial("flow_intents_own_and_open", "run", "created_at", where=f"item IS NULL AND {_IS_OPEN}"),
)
"""One row per call that must happen at most once.

``attempt`` counts the claims, the last of which was at ``claimed_at``. ``limit_keys`` is a JSON list of the keys that
can throttle the call. ``resource_id`` is the id of what the call created; no two calls have the same. ``item`` is the
item whose iteration made the call, if one did. ``hold_kind`` and ``hold_reason`` say why a planned call waits, for
quiet hours for example, ``held_at`` since when, ``held_until`` until when, if that is known. ``person`` is a digest of
whom the call reaches, so that an operator who knows a number finds its runs.

``state``: ``planned``; ``claimed``, from before the request is written; ``in_doubt``, when the request is over and its
outcome is unknown so far; ``settled``; ``unknown``, when the outcome could not be found out.
"""

purged_resources = Table(
    "flow_purged_resources",
    metadata,
    Column("resource_id", String(200), primary_key=True),
    Column("claimed_at", Float, nullable=False, index=True),
)
"""The ids of what the calls of purged runs created, as long as an equal call in doubt may see it."""

loops = Table(
    "flow_loops",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("step_id", Text, nullable=False),
    Column("loop_step", Text, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("captured", Text, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("after", Text),
    Column("is_whole", Boolean, nullable=False),
    Column("partitions", Integer),
    Column("size", Integer),
    Column("generation", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("succeeded", Integer),
    Column("renewed_at", Float),
)
"""One row per loop of a run whose iterations are concurrent.

``captured`` is the part of the run that the iterations read, as JSON. ``taken`` items have been taken, ``after`` says
where the next ones begin, and ``is_whole`` that there are no more. The items are divided into chunks of ``size``, and
the chunks among ``partitions``. ``generation`` grows when the run is resumed, which was
last at ``renewed_at``. So many iterations have ``succeeded``;
null in loops of an earlier release, where they must be counted.
"""

items = Table(
    "flow_items",
    metadata,
    Column("id", String(220), primary_key=True),
    Column("run", String(200), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("item", Text),
    Column("code", String(100)),
    Column("error", Text),
    Column("finished_at", Float),
    Column("held_until", Float),
    Column("held_in", Integer),
    Column("inputs", Text),
    Index("flow_items_by_number", "run", "ordinal", "number"),
    Index("flow_items_by_state", "run", "ordinal", "state", "code", "number"),
    Index("flow_items_by_end", "run", "ordinal", "finished_at"),
    _partial("flow_items_held", "run", "ordinal", "held_until", where="held_until IS NOT NULL"),
)
"""One row per item of such a loop: the item, until its iteration has succeeded, and how the iteration ended.

An iteration that must wait is ``held_until`` then; it was held when the loop had the generation ``held_in``, in which
the loop continues without it. ``inputs`` are other inputs that an operator has given to one of its steps:
``{"step", "inputs"}`` as JSON.
"""

waits = Table(
    "flow_waits",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("reason", String(20), nullable=False),
    Column("until", Float, index=True),
    Column("effect", String(200), index=True),
)
"""One row per run that waits and is executed by no process: to wake it is to delete its row and to enqueue it.

``until`` is when it is woken at the latest (null: by an event alone), ``effect`` the resource whose report wakes it.
"""

questions = Table(
    "flow_questions",
    metadata,
    Column("key", String(220), primary_key=True),
    Column("run", String(200), nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("conversation", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("operation", String(200), nullable=False),
    Column("expects", Text, nullable=False),
    Column("most_sends", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("misfits", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("keeps_late", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("until", Float),
    Column("closed_at", Float),
    Column("outcome", String(20)),
    Column("answer", Text),
    Column("reply", Text),
    Column("effects", Text, nullable=False),
    Column("code", String(100)),
    Index("flow_questions_by_conversation", "conversation", "state", "created_at"),
    _partial("flow_questions_one_open", "conversation", where="state = 'open'", unique=True),
)
"""One row per question to a person. At most one is open in a conversation.

``conversation`` is a digest of our sender and the person's address. ``operation`` is the action that asks and
``expects`` what its judge needs to know, as JSON. The question has been sent ``sent`` times of at most ``most_sends``,
and had ``misfits`` replies that do not fit. ``effects`` is a JSON list of the ids of what was sent.

``state``: ``queued`` behind another question, ``open``, ``closed`` with an ``outcome``, or ``refused``.
"""

replies = Table(
    "flow_replies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("question", String(220), nullable=False, index=True),
    Column("run", String(200), nullable=False, index=True),
    Column("received_at", Float, nullable=False),
    Column("fits", Boolean, nullable=False),
    Column("is_late", Boolean, nullable=False),
    Column("data", Text),
)
"""One row per message that was taken as the reply to a question and started no flow, by a digest of its id."""

turns = Table(
    "flow_turns",
    metadata,
    Column("key", String(220), primary_key=True),
    Column("run", String(200), nullable=False, index=True),
    Column("conversation", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("taken_at", Float, nullable=False),
    Column("delivered_at", Float),
    Index("flow_turns_by_conversation", "conversation", "number"),
)
"""One row per call that must be made in the order of its conversation, by the key of its intent.

``delivered_at`` is when a report said that nothing more will become of its message.
"""

workers = Table("flow_workers", metadata, Column("worker_id", String(80), primary_key=True))
"""The processes that may have runs, including dead ones until their runs have been recovered. Only with Postgres."""

rate_tokens = Table(
    "flow_rate_tokens",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("free_at", Float, nullable=False),
)
"""The tokens of senders with a rate limit, and when each may be taken again."""

throttles = Table(
    "flow_throttles",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("throttled_until", Float, nullable=False),
    Column("pause", Float, nullable=False),
    Column("reason", Text),
)
"""Connections and senders that must slow down: until when, the length of the pause, and the reason for an operator."""

stored_state = Table(
    "flow_stored_state",
    metadata,
    Column("scope", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)
"""What flows store between executions, one row per key."""

registrations = Table(
    "flow_registrations",
    metadata,
    Column("integration", String(200), primary_key=True),
    Column("flow", String(200), primary_key=True),
    Column("definition", String(64), ForeignKey("flow_definitions.digest"), nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("claims", String(64)),
)
"""What registered triggers remember, such as a number's previous webhook. ``version`` grows with each change.

``claims`` is a digest of what the trigger named, such as the number: whoever names the same now is its successor.
"""

opt_outs = Table(
    "flow_opt_outs",
    metadata,
    Column("scope", String(100), primary_key=True),
    Column("person", String(200), primary_key=True, index=True),
    Column("source", String(20), nullable=False),
    Column("since", Float, nullable=False),
    Column("service", String(100)),
)
"""Who wants nothing more, and from whom: the ``scope`` is a sender, a messaging service, an account, or ``*`` for all.

``source`` is ``message``, ``response`` (the provider refused a send), ``import`` or ``operator``; ``service`` is what
the person wrote to, if it has several senders. Runs are purged, opt-outs are not.
"""

last_heard = Table(
    "flow_last_heard",
    metadata,
    Column("sender", String(100), primary_key=True),
    Column("person", String(200), primary_key=True, index=True),
    Column("heard_at", Float, nullable=False, index=True),
)
"""When a person last wrote to a sender; kept for a day, since a message that answers one may be sent in quiet hours."""

contact_counts = Table(
    "flow_contact_counts",
    metadata,
    Column("scope", String(400), primary_key=True),
    Column("person", String(200), primary_key=True, index=True),
    Column("call", String(220), primary_key=True, index=True),
    Column("claimed_at", Float, nullable=False, index=True),
)
"""The messages of the last day to a person, by what has a frequency cap: a sender or a flow. One row per call."""
