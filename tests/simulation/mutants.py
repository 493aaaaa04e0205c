"""Mutants of the protocol: each is one guard taken out, and the simulation has to find it.

Each is a text of a module of ``twilio_component/durable`` and what stands in its place. ``apply`` makes a copy of the
package with one of them, outside of the repository.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import twilio_component

_PACKAGE = Path(twilio_component.__file__).parent
_STEPS, _STORE = "durable/sending/protocol_steps.py", "durable/sending/intent_store.py"
_GUARD = "durable/sending/guard.py"
_RECONCILER, _RATES = "durable/sending/reconciler.py", "durable/sending/rate_limiter.py"


@dataclass(frozen=True)
class Mutant:
    """``old`` of ``file`` becomes ``new``."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant("a write names the state, not the attempt that was seen", _STEPS, ' and row["attempt"] == attempt', ""),
    Mutant("attempts are not numbered", _STEPS, "attempt = self.attempt + 1", "attempt = self.attempt"),
    Mutant("a call is planned for a run that is gone", _STEPS, "if call.run in self.running]", "]"),
    Mutant(
        "a call is claimed for a run that has ended",
        _STEPS,
        "is_running = self.call.run in batch.running",
        "is_running = True",
    ),
    Mutant(
        "a claim overlooks another one",
        _STEPS,
        "batch.row_of(self.call, self.attempt, PLANNED)",
        'batch.row_of(self.call, self.attempt, PLANNED, CLAIMED, "in_doubt")',
    ),
    Mutant(
        "a resource of another call of the batch is taken",
        _STEPS,
        "batch.taken.add(settlement.resource_id)",
        "pass",
    ),
    Mutant("an outcome is not journaled", _STEPS, "batch.journaled.append(", "(lambda _: None)("),
    Mutant("a call in doubt is planned again", _STORE, "attempt, CLAIMED, IN_DOUBT)", "attempt, CLAIMED, PLANNED)"),
    Mutant(
        "a request starts after its claim is over",
        _GUARD,
        "if self._clock.monotonic() - claimed_at > self._settings.claim or not self._may_write():",
        "if False:",
    ),
    Mutant(
        "the request of another process is not outlived",
        _GUARD,
        "await self._clock.sleep(self._settings.request_bound)",
        "await self._clock.sleep(0.0)",
    ),
    Mutant(
        "a time-out counts as not sent",
        _GUARD,
        "if failure.outcome_unknown or isinstance(error, TimeoutError):",
        "if False:",
    ),
    Mutant("a success may name nothing", _GUARD, "if guarded.must_identify and resource_id is None:", "if False:"),
    Mutant("what was not sent has failed", _GUARD, "error.not_sent and error.retryable", "False"),
    Mutant(
        "the list's lag is not waited for",
        _RECONCILER,
        "self._settings.request_bound + self._settings.lag_bound",
        "0.0",
    ),
    Mutant("a failed look shows nothing", _RECONCILER, "candidates, is_over = [], False", "candidates = []"),
    Mutant("Twilio's clock is ours", _RECONCILER, "CLOCK_SKEW = 30.0", "CLOCK_SKEW = 0.0"),
    Mutant(
        "what another call has created is taken",
        _RECONCILER,
        "free = [candidate for candidate in reversed(candidates) if candidate.id not in others.taken]",
        "free = list(reversed(candidates))",
    ),
    Mutant(
        "the response of an equal call is not waited for",
        _RECONCILER,
        "if len(equal) > others.earlier and not others.under_way:",
        "if len(equal) > others.earlier:",
    ),
    Mutant("what may be another's is overlooked", _RECONCILER, "if free and not is_last and", "if False and"),
    Mutant("it is sent again though something is seen", _RECONCILER, "        if free:\n", "        if False:\n"),
    Mutant(
        "what another call has just taken counts as nothing seen",
        _RECONCILER,
        'return await self._settle_found(call, guarded, intent, {"data": own.data}, started)',
        'await self._settle_found(call, guarded, intent, {"data": own.data}, started)\n            free = []',
    ),
    Mutant(
        "a token is free again at once", _RATES, "free_at = self._database.now(connection) + period", "free_at = 0.0"
    ),
)


def apply(mutant: Mutant, folder: Path) -> Path:
    """Copy the package into ``folder`` with the mutant in it; return the folder, for PYTHONPATH."""
    copy = folder / _PACKAGE.name
    shutil.copytree(_PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "inbox_page"))
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: its text stands {text.count(mutant.old)} times in {mutant.file}")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return folder
