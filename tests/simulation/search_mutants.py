"""Search seeds that find each mutant of the protocol, and write them into ``mutant_seeds.json``: ``make mutants``.

Those that unit tests find are run by the tests.

The recorded seeds are tried first, so that a search after a small change is short. Seeds that no mutant needs are in no
file: which worlds they make depends on every draw of the simulation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.mutants import MUTANTS, SEEDS_FILE, Mutant, recorded_seeds

_OF_ALL_KINDS = 100
PROGRAM = Path(__file__).with_name("mutated.py")


def search(mutant: Mutant, known: list[int], options: argparse.Namespace) -> list[int]:
    """Return seeds that find the mutant, as many as are wanted if the time allows."""
    command = [sys.executable, str(PROGRAM), mutant.name, "--seeds", json.dumps(known), "--wanted", str(options.wanted)]
    command += ["--count", str(_OF_ALL_KINDS), "--races", "--seconds", str(options.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{mutant.name}\n  " + (done.stdout + done.stderr).strip().replace("\n", "\n  "), flush=True)
    return sorted({int(line.split()[1].rstrip(":")) for line in done.stdout.splitlines() if line.startswith("seed ")})


def main() -> int:
    """Search, and write what was found; the exit status is 1 when a mutant was not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=900.0, help="for each mutant")
    parser.add_argument("--wanted", type=int, default=3, help="seeds for each mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants that are searched at a time")
    options = parser.parse_args()
    known = recorded_seeds() if SEEDS_FILE.exists() else {}
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda mutant: search(mutant, known.get(mutant.name, []), options), MUTANTS)
        found = {mutant.name: seeds for mutant, seeds in zip(MUTANTS, results, strict=True)}
    SEEDS_FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    left = [name for name, seeds in found.items() if not seeds]
    print(f"{len(found) - len(left)} of {len(found)} mutants found" + "".join(f"\nnot found: {name}" for name in left))
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
