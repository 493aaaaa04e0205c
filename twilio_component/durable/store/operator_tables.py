"""The tables for operators, beside those of ``schema``: alarms, refused webhooks, what each process says of itself."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from twilio_component.durable.store.schema import metadata

alarms = Table(
    "flow_alarms",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("body", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("finished_at", Float),
    Index("flow_alarms_by_next", "finished_at", "next_at"),
)
"""One row per alarm: its content as JSON, the receivers that have it (``told``, a JSON list), and the next attempt."""

alarm_turns = Table(
    "flow_alarm_turns",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("last_at", Float, nullable=False),
)
"""When the last alarm about a flow and a state was raised."""

refused_webhooks = Table(
    "flow_refused_webhooks",
    metadata,
    Column("path", String(300), primary_key=True),
    Column("reason", String(60), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)
"""How many requests for a flow were refused in an hour (counted since 1970), by reason; kept for a week."""

heartbeats = Table(
    "flow_heartbeats",
    metadata,
    Column("worker_id", String(80), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("name", String(200), nullable=False),
    Column("version", String(40), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("heard_at", Float, nullable=False),
    Column("stopped_at", Float),
    Column("workflows", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("schedules", Text),
)
"""What each process last said of itself: its machine and process number, and how much it has to do.

Operators read it, and who keeps or removes schedules: a living process keeps those whose names are in its
``schedules``, JSON with the digest of the definition of each.

Whether a process is dead is a question of its lock. A row is deleted a day after the process was last heard.
"""
