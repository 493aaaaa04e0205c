"""Measures lists against the SDK's bare asynchronous sends, side by side in one run.

`python benchmarks/lists.py [RECIPIENTS [ROUNDS]]` prints, for SQLite, Postgres, and two processes on Postgres, what
part of the bare sends' rate a list reaches: the median of the rounds and their spread.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from run import ROOT, Row, program, served

RECIPIENTS = 20_000
ROUNDS = 3


def durable_list(database: str, recipients: int, url: str) -> list[float]:
    """Of one list: its seconds, growth of memory in MB, milliseconds of processor time a send."""
    return [float(word) for word in program("durable_part.py", "list", database, str(recipients), url).split()]


@contextmanager
def second_process(database: str, url: str) -> Iterator[None]:
    """A process that helps with the lists of a database, and has helped when it is asked to end."""
    script = [sys.executable, str(ROOT / "benchmarks/durable_part.py"), "help", database, "0", url]
    helper = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert helper.stdout is not None
    try:
        assert helper.stdout.readline() == "ready\n"
        yield
    finally:
        helper.communicate()


def against_bare_sends(
    sqlite: Callable[[], str], postgres: Callable[[], str], recipients: int = RECIPIENTS, rounds: int = ROUNDS
) -> list[Row]:
    """The rows of the comparison."""
    found: dict[str, list[float]] = {"SQLite": [], "Postgres": [], "Postgres, two processes": []}
    bare: list[float] = []
    with served("unique") as url:
        for _ in range(rounds):
            bare.append(float(program("bare_sends.py", str(recipients), url)))
            for where, lists in found.items():
                database = sqlite() if where == "SQLite" else postgres()
                helping: Any = second_process(database, url) if "two" in where else nullcontext()
                with helping:
                    seconds, *others = durable_list(database, recipients, url)
                lists.append(recipients / seconds)
                print(f"{where}: {bare[-1]:.0f} bare, {[lists[-1], *others]}", file=sys.stderr, flush=True)
    targets = ("≥ 0.25", "≥ 0.22", "≥ 0.3")
    return [
        Row(f"a list of {recipients:,}, {where}, against bare sends", "1/s", lists, bare, target)
        for (where, lists), target in zip(found.items(), targets, strict=True)
    ]


def main() -> None:
    from durable import postgres, sqlite

    with sqlite() as new, postgres() as new_there:
        rows = against_bare_sends(new, new_there, *map(int, sys.argv[1:]))
    for row in rows:
        print(row.line())


if __name__ == "__main__":
    main()
