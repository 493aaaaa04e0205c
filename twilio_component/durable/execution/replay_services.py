"""What the executions of a process share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twilio_component.durable.active_work import ActiveWork
    from twilio_component.durable.asking.asker import Asker
    from twilio_component.durable.deployment import Deployment
    from twilio_component.durable.fanout.coordinator import LoopCoordinator
    from twilio_component.durable.observation import Observer
    from twilio_component.durable.sending.guard import Guard
    from twilio_component.durable.store.runs import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayServices:
    """What every execution of this process uses.

    ``start_runs`` has stored runs executed; ``run_child`` executes one here and returns when it has ended.
    """

    deployment: Deployment
    runs: RunStore
    guard: Guard
    loops: LoopCoordinator
    asker: Asker
    work: ActiveWork
    start_runs: Callable[[Sequence[str]], Awaitable[object]]
    run_child: Callable[[str], Awaitable[None]]
    observer: Observer
