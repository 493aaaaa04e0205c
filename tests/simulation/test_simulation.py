"""Two thousand seeds hold, equal seeds are equal, and each mutant of the protocol is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.mutants import MUTANTS, Mutant, mutated_source, recorded_seeds
from simulation.operated import OperatedWorld
from simulation.run import run_seed, run_seeds
from simulation.unit_tested_mutants import UNIT_TESTED
from simulation.world import DriverFailedError, World

PROGRAM = Path(__file__).with_name("mutated.py")
UNIT_TESTS = Path(__file__).with_name("unit_tested_mutants.py")
BATCH = 250
OPERATED = [pytest.param(range(first, first + 24), marks=pytest.mark.campaign) for first in range(4, 100, 24)]
A_FEW = 50  # for another Python, whose event loop makes other worlds of the same seeds


@pytest.mark.parametrize(
    # Twenty seconds a batch: `make test` runs the first two, `make check` all.
    "first",
    [pytest.param(first, marks=[pytest.mark.campaign] * (first >= 2 * BATCH)) for first in range(0, 2_000, BATCH)],
)
def test_nothing_is_sent_twice_or_lost_and_every_end_is_true(first: int) -> None:
    messages, _, violations = run_seeds(range(first, first + BATCH))
    assert violations == [], "replay one with: python tests/simulation/run.py SEED 1 --log"
    assert messages > BATCH


@pytest.mark.parametrize("seeds", [range(4), *OPERATED], ids=str)
def test_operators_who_stop_resume_and_retry_runs_have_nothing_sent_twice_or_lost(seeds: range) -> None:
    messages, _, violations = run_seeds(seeds, OperatedWorld)
    assert violations == [], "replay one with: python tests/simulation/run.py SEED 1 --operators --log"
    assert messages > len(seeds)


@pytest.mark.parametrize("world_type", [World, OperatedWorld])
def test_a_seed_replays_exactly(world_type: type[World]) -> None:
    first, again = (run_seed(17, world_type)[1] for _ in range(2))
    assert (first.log, first.loop.steps) == (again.log, again.loop.steps)


def test_what_nobody_handles_is_a_violation() -> None:
    world = World(1)
    world.loop.call_exception_handler({"message": "Task exception was never retrieved"})
    with pytest.raises(AssertionError, match="never retrieved"):
        world.run()


def test_the_drivers_of_a_mutant_that_breaks_are_told_from_a_promise_that_does() -> None:
    world = World(1)
    world.failures.append(ZeroDivisionError("x"))
    with pytest.raises(DriverFailedError, match="ZeroDivisionError"):
        world.run()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_replaces_is_in_its_module_and_what_it_makes_of_it_is_python(mutant: Mutant) -> None:
    compile(mutated_source(mutant), mutant.file, "exec")


# What the runner does decides what the worlds with operators come to, so the seeds of their mutants do not last.
@pytest.mark.parametrize(
    "mutant", [mutant for mutant in MUTANTS if not mutant.has_operators], ids=lambda mutant: mutant.name
)
def test_a_mutant_of_the_protocol_is_found(mutant: Mutant) -> None:
    seeds = recorded_seeds().get(mutant.name, [])
    command = [sys.executable, str(PROGRAM), mutant.name, "--seeds", json.dumps(seeds), "--count", str(A_FEW)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, (
        f"no recorded seed finds it: search anew with `make mutants`. {done.stdout}{done.stderr}"
    )
    assert done.stdout.startswith("seed "), done.stdout


@pytest.mark.campaign  # two seconds each
@pytest.mark.parametrize("mutant", UNIT_TESTED, ids=lambda mutant: mutant.name)
def test_a_mutant_that_the_worlds_do_not_find_fails_its_unit_test(mutant: Mutant) -> None:
    command = [sys.executable, str(UNIT_TESTS), mutant.name]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, f"{mutant.test} does not notice it. {done.stdout}{done.stderr}"
