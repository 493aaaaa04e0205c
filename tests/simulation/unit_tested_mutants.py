"""The mutants that unit tests find, and a program that runs the test of one of them: it exits with 0 when that fails.

    python tests/simulation/unit_tested_mutants.py NAME

Most lack a guard of what operators do. For some the worlds need more coincidence than there is time for, and others
hold what cannot happen in them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from simulation.mutants import MUTANTS, Mutant, install

TESTS = Path(__file__).parents[1]

_STEPS, _RECONCILER = "durable/sending/protocol_steps.py", "durable/sending/reconciler.py"
_STARTED, _RETRY = "durable/operator/started_flows.py", "durable/operator/retry.py"
_PROOFS = "durable/sending/late_proofs.py"
_LOOPS, _NEW_RUNS = "durable/operator/loop_retry.py", "durable/store/new_runs.py"
_QUESTIONS, _REPLACED = "durable/operator/asked_questions.py", "durable/store/replaced_flows.py"

UNIT_TESTED = (
    *(mutant for mutant in MUTANTS if mutant.test),
    # A proof that comes later than the simulated Twilio lets it.
    Mutant(
        "a call that is proven is claimed",
        _STEPS,
        'row is None or row["resource_id"] is not None or',
        "row is None or",
        test="test_intents.py::test_a_proof_that_comes_while_the_call_is_planned_again_keeps_it_from_being_claimed",
    ),
    Mutant(
        "a proof is overwritten",
        _STEPS,
        "if proven is not None and named != proven and",
        "if False and",
        test="test_intents.py::test_no_settlement_contradicts_or_forgets_a_proof",
    ),
    Mutant(
        "a proof does not keep a call from being planned again",
        _STEPS,
        'if row is None or (self.from_state == IN_DOUBT and row["resource_id"] is not None):',
        "if row is None:",
        test="test_intents.py::test_a_call_that_is_proven_to_be_done_is_neither_resent_nor_claimed_again",
    ),
    # What one of 26,500 seeds found.
    Mutant(
        "a process that was frozen looks back from when it began to look",
        _RECONCILER,
        "since = self._clock.wall() - (ago + self._clock.monotonic() - asked_at)",
        "since = self._clock.wall() - (ago + self._clock.monotonic() - began)",
        test="test_reconciler.py::test_a_process_that_was_frozen_after_it_asked_looks_back_as_far_as_before",
    ),
    Mutant(
        "a later equal message is taken where an older one is changed",
        _RECONCILER,
        " and not _may_be_a_later_call_s(equal, free, others):",
        ":",
        test="test_reconciler.py"
        "::test_the_message_of_a_later_equal_call_is_not_taken_while_an_older_one_may_be_this_call_s",
    ),
    Mutant(
        "a run is purged though the outcome of its call is open",
        "durable/store/removal.py",
        "or_(is_long_ago, not_(has_open_calls))",
        "True",
        test="test_late_holders.py::test_a_run_that_ended_while_an_outcome_was_open_is_purged_two_hours_later",
    ),
    Mutant(
        "what a run that is purged at that moment has created is taken",
        _STEPS,
        "if looked_for and batch.was_purged(named):",
        "if False:",
        test="test_late_proofs.py"
        "::test_what_is_proven_to_be_a_call_s_whose_run_is_then_purged_is_not_taken_by_one_that_has_just_seen_it",
    ),
    # What operators do.
    Mutant(
        "a flow whose place was taken goes on",
        _REPLACED,
        "(CANCELLED, FAILED, PARTLY_FAILED, UNKNOWN)",
        "()",
        test="test_started_flows.py"
        "::test_a_flow_that_failed_without_doing_anything_is_not_run_again_beside_the_one_that_replaces_it",
    ),
    Mutant(
        "what earlier attempts did after a list is overlooked",
        _STARTED,
        "for attempt in ids.lineage(run):\n        of_run",
        "for attempt in [run]:\n        of_run",
        test="test_item_retry.py::test_what_an_earlier_attempt_sent_after_the_list_is_not_sent_by_the_second_retry",
    ),
    Mutant(
        "a call of an earlier attempt that is proven is made again",
        _PROOFS,
        'return earlier["resource_id"] is not None and earlier["state"] != SETTLED',
        "return False",
        test="test_late_proofs.py::test_a_call_that_is_proven_after_its_run_was_retried_is_not_made_again",
    ),
    Mutant(
        "a proof that comes while the call waits for its turn is overlooked",
        _STEPS,
        "            return Claim(attempt=self.attempt + 1)\n        batch.take_over_proof(self.call)\n",
        "            return Claim(attempt=self.attempt + 1)\n",
        test="test_late_proofs.py::test_a_call_that_is_proven_after_its_run_was_retried_is_not_made_again",
    ),
    Mutant(
        "what another step has created is the result of the one in its place",
        _PROOFS,
        "return fingerprint == call.fingerprint or",
        "return True or",
        test="test_late_proofs.py"
        "::test_what_another_step_has_created_is_not_taken_for_the_result_of_the_one_that_is_in_its_place_now",
    ),
    Mutant(
        "an item that had not ended is begun again though its message is proven",
        _PROOFS,
        "for attempt in ids.lineage(call.run)[1:]]",
        "for attempt in ids.lineage(call.run)[1:] if not call.item]",
        test="test_loop_retry.py::test_a_round_that_had_not_ended_is_not_done_again_once_its_message_is_proven",
    ),
    Mutant(
        "an item whose stored outcome is unknown is tried again",
        _LOOPS,
        "and not ends_unknown(entries)",
        "",
        test="test_loop_retry.py"
        "::test_a_round_whose_unknown_outcome_was_not_its_stored_end_is_not_done_again_without_being_asked_for",
    ),
    Mutant(
        "what was under way when its list stopped is begun again",
        _LOOPS,
        "is_under_way = row.is_open or",
        "is_under_way = False and",
        test="test_loop_retry.py::test_what_was_under_way_when_a_run_failed_is_not_done_again_without_being_asked_for",
    ),
    Mutant(
        "a run that has stopped starts another",
        _NEW_RUNS,
        "    _drop_children_of_stopped(connection, by_id)\n",
        "",
        test="test_run_store.py::test_what_a_run_starts_is_stored_only_while_that_is_running",
    ),
    Mutant(
        "an unknown outcome is repeated unasked",
        "durable/operator/retry_plan.py",
        "if not how.resend and (",
        "if False and (",
        test="test_loop_retry.py"
        "::test_a_call_that_was_under_way_when_its_run_failed_is_not_done_again_without_being_asked_for",
    ),
    Mutant(
        "a step that is retried starts a flow beside one that an operator runs again",
        "durable/execution/started_flows.py",
        "going_on = await self._runs.replace_flow(flow)",
        "going_on = None",
        test="test_started_flows.py"
        "::test_a_flow_that_failed_is_run_again_by_an_operator_or_replaced_by_its_step_not_both",
    ),
    # What is served.
    Mutant(
        "two files that schedule one flow take the schedule from each other",
        "durable/execution/schedules.py",
        "if other_file != file and other_text != text:",
        "if False:",
        test="test_schedules.py::test_of_two_files_that_schedule_one_flow_the_later_one_is_not_served_beside_the_other",
    ),
    Mutant(
        "a renamed flow is not known by its number",
        "serving/webhook_registration.py",
        "claims=found.claims_digest)",
        "claims=None)",
        test="../serving/test_registrations.py"
        "::test_a_number_follows_its_flow_to_another_name_and_keeps_its_former_webhook",
    ),
    # Questions.
    Mutant(
        "a message that is starting a flow is the answer to a question, too",
        "durable/store/events.py",
        'return insert_once(connection, events, {"id": reply, "run": run})',
        "return True",
        test="test_question_races.py"
        "::test_a_message_that_is_starting_a_flow_does_not_answer_the_question_that_opens_meanwhile",
    ),
    Mutant(
        "a message that has just been taken as the answer starts a flow",
        "durable/store/events.py",
        "(*event.known_by, *event.marks) if owners",
        "event.known_by if owners",
        test="test_question_races.py"
        "::test_a_message_that_is_taken_as_the_answer_while_it_is_told_of_again_starts_no_flow",
    ),
    Mutant(
        "a retry asks again from the first text",
        _RETRY,
        "copy_questions(connection, run, again, plan.continued, now)",
        "pass",
        test="test_question_retry.py::test_only_the_texts_that_were_not_sent_are_sent_however_often_a_run_is_retried",
    ),
    Mutant(
        "a text that nobody has noted is sent again",
        _QUESTIONS,
        "while (entry := made.get(first + sent)) is not None and not entry.is_failure:",
        "while False:",
        test="test_question_retry.py::test_a_process_that_dies_before_it_notes_a_text_leaves_it_to_no_retry",
    ),
)


def main() -> int:
    """Run the unit test of a mutant; the exit status is 0 when the mutant makes it fail."""
    import pytest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[mutant.name for mutant in UNIT_TESTED])
    mutant = next(mutant for mutant in UNIT_TESTED if mutant.name == parser.parse_args().name)
    install(mutant)
    module, _, test = mutant.test.partition("::")
    # On SQLite where there is a choice: a server would have to be started for each mutant.
    selected = [f"{TESTS / 'durable' / module}::{test}", "-k", "not postgres"]
    # What rewrites assertions would load the package itself, since that is a plugin too.
    status = pytest.main([*selected, "-x", "-q", "-p", "no:cacheprovider", "--tb=short", "--assert=plain"])
    return 0 if status == pytest.ExitCode.TESTS_FAILED else 1


if __name__ == "__main__":
    sys.exit(main())
