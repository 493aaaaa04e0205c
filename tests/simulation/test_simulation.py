"""Two thousand seeds hold, equal seeds are equal, and each mutant of the protocol is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.mutants import MUTANTS, Mutant, apply
from simulation.run import run_seed, run_seeds

PROGRAM = Path(__file__).with_name("run.py")
BATCH = 250
SEEDS_FOR_A_MUTANT = 4_000


@pytest.mark.parametrize(
    # Twenty seconds a batch: `make test` runs the first two, `make check` all.
    "first",
    [pytest.param(first, marks=[pytest.mark.campaign] * (first >= 2 * BATCH)) for first in range(0, 2_000, BATCH)],
)
def test_nothing_is_sent_twice_or_lost_and_every_end_is_true(first: int) -> None:
    messages, _, violations = run_seeds(range(first, first + BATCH))
    assert violations == [], "replay one with: python tests/simulation/run.py SEED 1 --log"
    assert messages > BATCH


def test_a_seed_replays_exactly() -> None:
    first, again = (run_seed(17)[1] for _ in range(2))
    assert (first.log, first.loop.steps) == (again.log, again.loop.steps)


@pytest.mark.campaign
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_protocol_is_found(mutant: Mutant, tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), "0", str(SEEDS_FOR_A_MUTANT), "--first-violation"]
    environment = {**os.environ, "PYTHONPATH": str(apply(mutant, tmp_path)), "PYTHONSAFEPATH": "1"}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)

    assert (done.returncode, done.stderr) == (1, ""), "no seed found it"
    assert done.stdout.startswith("seed "), done.stdout
