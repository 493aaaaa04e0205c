"""Run seeds against a mutant: ``python tests/simulation/mutated.py NAME --first FIRST --count COUNT``, or ``--seeds``.

Prints each seed that finds it, ``--wanted`` of them at most. The exit status is 0 when one was found, and 1 when none
was, also when the mutant only broke: a driver that fails for its own sake violates no promise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from simulation.mutants import MUTANTS, install


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[mutant.name for mutant in MUTANTS])
    parser.add_argument("--seeds", type=json.loads, default=[], help="a list of seeds, tried first")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--races", action="store_true", help="go on with the seeds that are about races, without end")
    parser.add_argument("--wanted", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no seed after this time")
    options = parser.parse_args()
    mutant = next(mutant for mutant in MUTANTS if mutant.name == options.name)
    install(mutant)
    from simulation.operated import OperatedWorld  # what is imported from here on is the mutant
    from simulation.world import DriverFailedError, World

    world_type = OperatedWorld if mutant.has_operators else World

    logging.disable(logging.CRITICAL)
    end = time.monotonic() + options.seconds
    found, broken = 0, ""
    races = itertools.count(3, 4) if options.races else ()
    others = itertools.chain(range(options.first, options.first + options.count), races)
    for seed in itertools.chain(options.seeds, (seed for seed in others if seed not in options.seeds)):
        if found == options.wanted or time.monotonic() > end:
            break
        try:
            world_type(seed).run()
        except DriverFailedError as error:
            broken = f"seed {seed}: {error}"
        except AssertionError as error:
            found += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
    if not found and broken:
        print(f"the mutant only broke: {broken}")
    return int(not found)


if __name__ == "__main__":
    sys.exit(main())
