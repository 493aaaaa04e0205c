"""The tables of alarms, beside those of ``schema``."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

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
"""One row per alarm: what it says, as JSON, who has been ``told`` (a JSON list), and when it is told again."""

alarm_turns = Table(
    "flow_alarm_turns",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("last_at", Float, nullable=False),
)
"""When the last alarm about a flow and a state was raised."""
