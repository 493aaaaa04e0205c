"""Run seeds of the simulation: ``python tests/simulation/run.py FIRST COUNT``, in as many processes as there are cores.

Prints each seed that violates an invariant; ``python tests/simulation/run.py SEED 1 --log`` replays one and prints what
happened in it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.operated import OperatedWorld
from simulation.world import World

_BATCH = 25


def run_seed(seed: int, world_type: type[World] = World) -> tuple[str | None, World]:
    """Run one seed; return what was violated, if anything was, and the world as it was then."""
    world = world_type(seed)
    try:
        world.run()
    except AssertionError as error:
        return f"{type(error).__name__}: {error}", world
    return None, world


@contextmanager
def silenced_logs() -> Iterator[None]:
    """Log nothing within it: a simulation goes wrong on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def run_seeds(seeds: range, world_type: type[World] = World) -> tuple[int, int, list[tuple[int, str]]]:
    """Run some seeds; return how many messages and steps there were, and the violations by seed."""
    messages, steps, violations = 0, 0, []
    with silenced_logs():
        for seed in seeds:
            violation, world = run_seed(seed, world_type)
            messages += len(world.twilio.messages)
            steps += world.loop.steps
            if violation is not None:
                violations.append((seed, violation))
    return messages, steps, violations


def main() -> int:
    """Run what the command line says; the exit status is 1 when anything was violated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; all cores unless you say")
    parser.add_argument("--operators", action="store_true", help="worlds of whole runs, with operators")
    parser.add_argument("--log", action="store_true", help="print what happened in the first seed")
    options = parser.parse_args()
    world_type = OperatedWorld if options.operators else World
    if options.log:
        violation, world = run_seed(options.first, world_type)
        print("\n".join([*world.log, str(violation)]))
        return int(violation is not None)
    begun = time.monotonic()
    end = options.first + options.count
    batches = [range(start, min(start + _BATCH, end)) for start in range(options.first, end, _BATCH)]
    messages = steps = wrong = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for some, more, violations in pool.map(partial(run_seeds, world_type=world_type), batches):
            messages, steps, wrong = messages + some, steps + more, wrong + len(violations)
            for seed, violation in violations:
                print(f"seed {seed}: {violation}", flush=True)
    rate = options.count / (time.monotonic() - begun)
    print(f"{options.count:,} seeds, {messages:,} messages, {steps:,} steps, {rate:,.0f} seeds/s: {wrong} violated")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
