"""The tables beside the workflow engine's own, in the same database.

Everything that people wrote or that names them is here: the engine's tables hold ids and names of steps.

A column that is new in a table must be nullable: it is added to tables of an earlier version, whose processes may still
be writing.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

definitions = Table(
    "flow_definitions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("file", Text, nullable=False),
    Column("text", Text, nullable=False),
)
"""The texts of integrations: a run finishes on the one that it started with."""

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
    Index("flow_runs_by_time", "created_at"),
)
"""One row a run. ``payload`` is what started it, ``error`` and ``response`` how it ended; all JSON."""

events = Table(
    "flow_events",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run", String(200), nullable=False, index=True),
)
"""One row for each id of an event, with the run that the event has started."""

journal = Table(
    "flow_journal",
    metadata,
    Column("run", String(200), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("step_id", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float, nullable=False),
    Column("inputs", Text),
)
"""What each call of a run was answered with, in the order of the calls, as JSON: what a replay reads.

``inputs`` is an outline of what the call was given. Of a run that succeeded the values are emptied.
"""

intents = Table(
    "flow_intents",
    metadata,
    Column("key", String(220), primary_key=True),
    Column("run", String(200), nullable=False),
    Column("step_id", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("claimed_at", Float),
    Column("claimed_by", String(80)),
    Column("since", Float),
    Column("resource_id", String(200), unique=True),
    Column("item", String(220), index=True),
    Index("flow_intents_by_run", "run"),
    Index("flow_intents_by_fingerprint", "fingerprint", "state"),
)
"""One row for each call that must happen at most once. ``effect`` is the id of what it did; no two calls have the same.

``item`` is the item whose round made the call, if a round did.

``state``: ``planned``; ``entered``, from before the request is written; ``doubtful``, when it is over and nobody knows
what became of it; ``settled``; ``unknown``, when that could not be decided. ``since`` is the first time it was entered.
"""

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
)
"""One row for each loop of a run whose rounds run side by side.

``captured`` is what the rounds see of the run, JSON. ``taken`` items have been taken, ``after`` says where the next
ones begin, and ``is_whole`` that there are none. The items are divided into pieces of ``size``, and the pieces among
``partitions``. ``generation`` grows when the run is resumed.
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
    Index("flow_items_by_number", "run", "ordinal", "number"),
    Index("flow_items_by_state", "run", "ordinal", "state", "code"),
)
"""One row for each item of such a loop: what it is, until its round has succeeded, and how its round ended."""

workers = Table("flow_workers", metadata, Column("worker_id", String(80), primary_key=True))
"""The processes that may have runs, dead ones until their runs have been taken over. Only with Postgres."""

rate_tokens = Table(
    "flow_rate_tokens",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("free_at", Float, nullable=False),
)
"""The tokens of senders with a rate, and when each may be used again."""

throttles = Table(
    "flow_throttles",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("throttled_until", Float, nullable=False),
    Column("pause", Float, nullable=False),
)
"""Connections and senders that were told to slow down: until when they are held back, and how long they were last."""

stored_state = Table(
    "flow_stored_state",
    metadata,
    Column("scope", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)
"""What flows keep between executions, key by key."""

registrations = Table(
    "flow_registrations",
    metadata,
    Column("integration", String(200), primary_key=True),
    Column("flow", String(200), primary_key=True),
    Column("definition", String(64), ForeignKey("flow_definitions.digest"), nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
)
"""What deployed triggers remember, such as where a number led before. ``version`` grows with each change."""
