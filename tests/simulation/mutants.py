"""Mutants of the protocol: each is one guard taken out, and the simulation or a unit test has to find it.

Each is a text of a module of ``twilio_component/durable`` and what stands in its place. ``mutant_seeds.json`` holds the
seeds that find those of ``MUTANTS``; ``search_mutants.py`` writes it. ``unit_tested_mutants.py`` has those that unit
tests find. ``install`` lets this process import the package with the mutant in it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, ModuleType

PACKAGE = Path(__file__).parents[2] / "twilio_component"
SEEDS_FILE = Path(__file__).with_name("mutant_seeds.json")
_STEPS, _STORE = "durable/sending/protocol_steps.py", "durable/sending/intent_store.py"
_GUARD, _INTENTS = "durable/sending/guard.py", "durable/sending/intents.py"
_STARTED = "durable/operator/started_flows.py"
_HAS = True  # operators
_RECONCILER, _RATES = "durable/sending/reconciler.py", "durable/sending/rate_limiter.py"


@dataclass(frozen=True)
class Mutant:
    """``old`` of ``file`` becomes ``new``.

    ``has_operators`` tells in which worlds it is looked for, and ``test`` which unit test of ``tests/durable`` finds
    it, as ``test_module.py::test_name``.
    """

    name: str
    file: str
    old: str
    new: str
    has_operators: bool = False
    test: str = ""


MUTANTS = (
    Mutant("a write names the state, not the attempt that was seen", _STEPS, ' and row["attempt"] == attempt', ""),
    Mutant("attempts are not numbered", _STEPS, "attempt = self.attempt + 1", "attempt = self.attempt"),
    Mutant("a call is planned for a run that is gone", _STEPS, "if call.run in self.running]", "]"),
    Mutant(
        "a claim overlooks another one",
        _STEPS,
        "batch.row_of(self.call, self.attempt, PLANNED)",
        "batch.rows.get(self.call.key)",
    ),
    Mutant("an outcome is not journaled", _STEPS, "batch.settled.append(self)", "None"),
    Mutant("a call in doubt is planned again", _STORE, "attempt, CLAIMED, IN_DOUBT)", "attempt, CLAIMED, PLANNED)"),
    Mutant(
        "a request starts after its claim is over",
        _GUARD,
        "if self._clock.monotonic() - claimed_at > self._settings.claim or not self._may_write():",
        "if False:",
    ),
    Mutant(
        "a time-out counts as not sent",
        _GUARD,
        "if failure.outcome_unknown or failure.acted or isinstance(error, TimeoutError):",
        "if False:",
    ),
    Mutant("a success may name nothing", _GUARD, "if guarded.must_identify and resource_id is None:", "if False:"),
    Mutant("what was not sent has failed", _GUARD, "error.not_sent and error.retryable", "False"),
    Mutant(
        "the list's lag is not waited for",
        _RECONCILER,
        "bound = self._settings.request_bound + self._settings.lag_bound",
        "bound = 0.0",
    ),
    Mutant("a failed look shows nothing", _RECONCILER, "candidates, is_over = [], False", "candidates = []"),
    Mutant("Twilio's clock is ours", _INTENTS, "CLOCK_SKEW = 30.0", "CLOCK_SKEW = 0.0"),
    Mutant(
        "what another call has created is taken",
        _RECONCILER,
        "free = [candidate for candidate in reversed(candidates) if candidate.id not in others.taken]",
        "free = list(reversed(candidates))",
    ),
    Mutant("what may be another's is overlooked", _RECONCILER, "if free and not is_last and", "if False and"),
    Mutant("it is sent again though something is seen", _RECONCILER, "        if free:\n", "        if False:\n"),
    Mutant(
        "a token is free again at once", _RATES, "free_at = self._database.now(connection) + period", "free_at = 0.0"
    ),
    Mutant("a purge forgets what was created", "durable/store/removal.py", "    if kept:\n", "    if False:\n"),
    Mutant(
        "a proof takes what a purged call has created", _STORE, "connection.execute(_TAKEN_BACK, confirmation)", "pass"
    ),
    # What an operator does. A retry makes no call again, and starts no flow beside one that can go on.
    Mutant(
        "a retry overlooks flows that can go on",
        _STARTED,
        "in_(GO_ON)",
        "in_(())",
        _HAS,
        "test_started_flows.py::test_a_step_is_not_repeated_while_the_flow_that_it_started_can_continue",
    ),
    Mutant(
        "a retry overlooks what its flows have done",
        _STARTED,
        "below(intents.c.run),",
        "intents.c.run.is_(None),",
        _HAS,
        "test_started_flows.py::test_a_run_whose_started_flow_sent_something_is_not_run_again_but_that_flow_is",
    ),
    Mutant(
        "a resumed list is not gone on with",
        "durable/operator/operations.py",
        "renew_loops(connection, self._database.now(connection), loops.c.run == run)",
        "pass",
        _HAS,
        "test_fanout.py::test_a_loop_stops_between_two_requests_and_continues_where_it_was",
    ),
    Mutant(
        "a late chunk stops a list that was resumed",
        "durable/fanout/stopping.py",
        ", loops.c.generation == loop.generation)",
        ")",
        _HAS,
        "test_late_holders.py::test_a_chunk_that_comes_late_does_not_stop_again_a_list_that_an_operator_has_resumed",
    ),
)


def recorded_seeds() -> dict[str, list[int]]:
    """Return the seeds that are known to find each mutant, by its name."""
    seeds: dict[str, list[int]] = json.loads(SEEDS_FILE.read_text(encoding="utf-8"))
    return seeds


def mutated_source(mutant: Mutant) -> str:
    """Return the module's text with the mutant in it; raise ``ValueError`` when the mutant's own text is not there."""
    text = (PACKAGE / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: its text stands {text.count(mutant.old)} times in {mutant.file}")
    return text.replace(mutant.old, mutant.new)


def install(mutant: Mutant) -> None:
    """Let this process import the mutant; its module must not have been imported yet."""
    name = ".".join((PACKAGE.name, *Path(mutant.file).with_suffix("").parts))
    if name in sys.modules:
        raise RuntimeError(f"{name} has been imported already")
    sys.meta_path.insert(0, _Finder(name, PACKAGE / mutant.file, mutated_source(mutant)))


class _Finder(MetaPathFinder):
    """Finds one module: the mutated one."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = name
        self._path = path
        self._source = source

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the interface's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(self._name, str(self._path), self._source)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(SourceFileLoader):
    """Loads a module from a text, and neither reads nor writes what was compiled of it before."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return compile(self._source, self.path, "exec", dont_inherit=True)
