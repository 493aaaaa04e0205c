"""A serving process looks for garbage rarely."""

from __future__ import annotations

import gc

from twilio_component.serving.garbage_collection import collect_rarely


def test_objects_that_a_hundred_sends_keep_for_a_moment_make_the_collector_look_at_nothing() -> None:
    before, looks = gc.get_threshold(), 0

    def count(phase: str, _info: dict[str, int]) -> None:
        nonlocal looks
        looks += phase == "start"

    collect_rarely()
    gc.collect()
    gc.callbacks.append(count)
    try:
        kept = [[number] for number in range(5_000)]
    finally:
        gc.callbacks.remove(count)
        gc.set_threshold(*before)
    assert len(kept) == 5_000
    assert looks == 0
