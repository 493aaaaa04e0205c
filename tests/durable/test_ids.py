"""The grammar of ids: what is made by one rule is read by the others."""

from __future__ import annotations

import pytest

from twilio_component.durable import ids


@pytest.mark.parametrize(
    ("made", "spelt"),
    [
        (ids.call_key("RUN", 5), "RUN:5"),
        (ids.child_id("RUN", 5), "RUN.5"),
        (ids.loop_id("RUN", 5), "RUN.5"),
        (ids.item_id("RUN", 5, 17), "RUN.5-17"),
        (ids.call_key(ids.item_id("RUN", 5, 17), 0), "RUN.5-17:0"),
        (ids.child_id(ids.item_id("RUN", 5, 17), 2), "RUN.5-17.2"),
        (ids.chunk_id("RUN", 5, 3, 0), "RUN.5.3.0"),
        (ids.retry_id("RUN", 2), "RUN~2"),
    ],
)
def test_every_id_is_spelt_by_the_grammar(made: str, spelt: str) -> None:
    assert made == spelt


@pytest.mark.parametrize("run", ["RUN", "RUN~2", "RUN.3", "web-0123.1-2"])
@pytest.mark.parametrize("ordinal", [0, 5, 1234])
def test_the_call_of_a_run_in_which_something_was_called_is_read_from_its_key(run: str, ordinal: int) -> None:
    item = ids.item_id(run, ordinal, 17)
    for caller in (item, ids.child_id(run, ordinal), ids.child_id(item, 3)):
        assert ids.ordinal_within(run, ids.call_key(caller, 9)) == ordinal
        assert caller.startswith(ids.descendant_prefix(run))
    assert ids.ordinal_within(run, ids.call_key(run, ordinal)) == ordinal


@pytest.mark.parametrize("key", ["OTHER:5", "RUN", "RUN~2:5", "RUNNER:5"])
def test_a_key_of_another_run_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not the key of a call that 'RUN' made"):
        ids.ordinal_within("RUN", key)


def test_an_item_belongs_to_its_loop_and_a_retry_to_its_run() -> None:
    assert ids.item_id("RUN", 5, 17).startswith(ids.item_prefix("RUN", 5))
    assert ids.retry_id("RUN", 3).startswith(ids.retry_prefix("RUN"))
    assert not ids.retry_id("RUN", 3).startswith(ids.descendant_prefix("RUN"))


def test_nesting_counts_the_flows_that_started_each_other() -> None:
    assert ids.nesting("RUN") == 0
    assert ids.nesting(ids.child_id(ids.child_id("RUN", 5), 0)) == 2
