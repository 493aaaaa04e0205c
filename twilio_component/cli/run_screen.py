"""Runs on a terminal, for people: a table of them, one with its steps, and its progress. Needs the extra ``serve``."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from twilio_component.cli.output import cell
from twilio_component.cli.run_words import error_codes, loop_summary, moment_text
from twilio_component.durable.operator.actions import RESEND, actions_for
from twilio_component.durable.operator.run_ids import shorten
from twilio_component.durable.store.default_database import complete_commands
from twilio_component.flows.interpreter.ends import ITEMS_FAILED
from twilio_component.host.errors import join_names

_STYLES = {
    "succeeded": "green",
    "resolved": "green",
    "partly-failed": "yellow",
    "stopped": "yellow",
    "paused": "yellow",
    "failed": "red",
    "unknown": "magenta",
    "running": "cyan",
    "queued": "cyan",
}
_MARKS = {"succeeded": "✓", "failed": "✗"}
_COLUMNS = ("state", "code", "id", "flow", "took", "stored, UTC")
_COMMANDS = {RESEND: "retry RUN --resend"}
_SHORTEST = 14  # characters of an id
_WIDE = 100  # columns, from which on times have their year and seconds
_MINUTES = 120  # seconds, from which on a duration is shown with minutes


def screen(stream: IO[str]) -> Console:
    """The terminal. Nothing is coloured, cut or looked up in a text that is only data."""
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def runs_table(runs: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """The runs, each with its end and its code first. Ids, and then names of flows, give way to ``width``."""
    rows = [_row(run, is_narrow=width < _WIDE) for run in runs]
    widest = {name: max(len(name), *(len(row[name]) for row in rows)) for name in _COLUMNS}
    room = width - sum(widest[name] + 2 for name in _COLUMNS if name not in ("id", "flow"))
    of_id = max(_SHORTEST, min(widest["id"], room - widest["flow"] - 4))
    table = _table()
    for name in _COLUMNS:
        table.add_column(name, no_wrap=True, min_width={"id": of_id, "flow": None}.get(name, widest[name]))
    for row in rows:
        row["id"] = shorten(row["id"], of_id)
        table.add_row(state_text(row["state"]), *(row[name] for name in _COLUMNS[1:]))
    return table


def run_view(run: Mapping[str, Any], database: str) -> RenderableType:
    """One run as ``runs show`` prints it: how it is, why, what it waits for, its lists and its steps.

    ``database`` is the URL of the database that has it.
    """
    return Group(*_parts(run, database))


def _parts(run: Mapping[str, Any], database: str) -> Iterator[RenderableType]:
    yield Text.assemble(state_text(run["state"]), "  ", (cell(run["flow"]), "bold"), f"  {run['id']}")
    ended = f", ended {moment_text(run['finished'])}" if run["finished"] else ""
    yield Text(f"of {cell(run['integration'])}, stored {moment_text(run['created'])}{ended}", "dim")
    if error := run["error"]:
        code = "" if error["code"] == ITEMS_FAILED else f"{error_codes(error)} "
        yield Text.assemble((code, "bold"), cell(error["message"]))
    if run.get("retriedAs"):
        yield Text(f"run again as {run['retriedAs']}")
    yield from (Text(f"… {wait_line(wait)}", "yellow") for wait in run["waits"])
    yield from (Text(_late_reply(one)) for one in run["lateReplies"])
    for loop in run["loops"]:
        yield Text(loop_summary(loop))
        yield from (Text(f"  {code}: {meaning}", "dim") for code, meaning in _meanings(loop["failed"]))
    yield _steps(run["steps"], {loop["loop"] for loop in run["loops"] if loop["failed"] or loop["unknown"]})
    if actions := actions_for(run["state"]):
        commands = join_names((f"`runs {_COMMANDS.get(one, f'{one} RUN')}`" for one in actions), word="or")
        yield Text(f"next: {complete_commands(commands, database, [run['id']])}", "dim")


def _meanings(codes: Iterable[str]) -> Iterator[tuple[str, str]]:
    from twilio_component.twilio.error_codes import explain

    found = ((code, explain(code)) for code in codes)
    return ((code, one.meaning) for code, one in found if one is not None)


def _late_reply(one: Mapping[str, Any]) -> str:
    reply = one["reply"]
    body = reply.get("body") if isinstance(reply, Mapping) else None
    text = f'"{body}"' if body else json.dumps(reply, ensure_ascii=False)
    return f"late reply to {one['step'] or 'a question'}, {moment_text(one['received'])}: {cell(text)}"


def _steps(steps: Sequence[Mapping[str, Any]], incomplete: Container[str]) -> Table:
    """The steps. ``incomplete`` are the lists of which items have not succeeded: such a step has only done its part."""
    table = _table()
    for name in ("", "step", "began", "outcome"):
        table.add_column(name, no_wrap=name != "outcome", overflow="fold")
    for step in steps:
        is_partial = step["state"] == "succeeded" and step["step"] in incomplete
        mark = "!" if is_partial else _MARKS.get(step["state"], "…")
        table.add_row(mark, cell(step["step"]), moment_text(step.get("started")), _became(step))
    return table


def _became(step: Mapping[str, Any]) -> Text:
    text = Text(step.get("effect") or "")
    if error := step.get("error"):
        text = Text(f"{error.get('reason') or error['code']} {cell(error['message'])}", "red")
    elif step["state"] not in _MARKS:
        until = f" until {moment_text(step['heldUntil'])}" if step.get("heldUntil") else ""
        text = Text(f"{step['state']}{until}{': ' if step.get('reason') else ''}{step.get('reason') or ''}", "yellow")
    if step.get("inputs"):
        text.append(f"{chr(10) if text else ''}{cell(json.dumps(step['inputs'], ensure_ascii=False))}", "dim")
    return text


def wait_line(wait: Mapping[str, Any]) -> str:
    """What a run waits for, and until when: ``waits for ***10's reply until 2026-11-27 09:00:00 UTC``."""
    until = f" until {moment_text(wait['until'])}" if wait["until"] else ""
    return f"{wait['text']}{until}"


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def state_text(state: str) -> Text:
    """The state in its colour."""
    return Text(state, _STYLES.get(state, ""))


def _row(run: Mapping[str, Any], *, is_narrow: bool) -> dict[str, str]:
    return {
        "state": run["state"],
        "code": error_codes(run["error"]) if run["error"] else "",
        "id": cell(run["id"]),
        "flow": cell(run["flow"]),
        "took": _duration(run),
        "stored, UTC": moment_text(run["created"])[5 if is_narrow else 0 : 16 if is_narrow else 19],
    }


def _duration(run: Mapping[str, Any]) -> str:
    if not run["finished"]:
        return ""
    seconds = (dt.datetime.fromisoformat(run["finished"]) - dt.datetime.fromisoformat(run["created"])).total_seconds()
    return f"{seconds:,.1f} s" if seconds < _MINUTES else str(dt.timedelta(seconds=round(seconds)))
