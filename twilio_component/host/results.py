"""What perform functions return when it is more than plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST_PAUSE = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a perform function returns to set more than its data, payload or result.

    ``value`` is that data, payload or result. The rest goes into the envelope under its documented name: the states
    to keep (``instanceState`` …), a trigger's HTTP ``response``, the ``branch`` to take, and ``extra`` keys such as
    ``polledNoChanges``. ``ready`` says that the value is plain JSON already, so that the host need not convert it.
    """

    value: Any
    instance_state: Mapping[str, Any] | None = None
    cross_flow_state: Mapping[str, Any] | None = None
    execution_state: Mapping[str, Any] | None = None
    integration_state: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    branch: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    ready: bool = False

    def rest(self) -> dict[str, Any]:
        """Return everything but the value, by its name in the envelope."""
        named = {
            "instanceState": self.instance_state,
            "crossFlowState": self.cross_flow_state,
            "executionState": self.execution_state,
            "integrationState": self.integration_state,
            "response": self.response,
            "branch": self.branch,
        }
        return {**{name: value for name, value in named.items() if value is not None}, **self.extra}


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, in order, and the cursor of the page that follows; None after the last.

    A cursor is text that only the component reads. It may be stored and used later, in another process too, with the
    same inputs. It may contain the list's filters, so it is as confidential as the inputs.

    A component whose items are plain JSON already, such as parsed JSON, may set ``ready``: the host then does not
    convert them.
    """

    items: list[Any]
    next: str | None = None
    ready: bool = field(default=False, kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class PollAgain:
    """What an action returns when it has no data yet: call it again, with the same inputs, in ``seconds``.

    The action's manifest entry must declare ``waits``. The host waits meanwhile, a durable engine across restarts;
    ``Context.waited`` then says for how long. Raises ``ValueError`` unless ``seconds`` is above 0 and at most a week.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Check the pause."""
        if not 0 < self.seconds <= _LONGEST_PAUSE:
            raise ValueError(f"an action is called again in more than 0 and at most {_LONGEST_PAUSE:,} seconds")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Asks for one page of a list: the one at the cursor ``after``, or the first."""

    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that an earlier call may have done: its ``id``, and ``data`` as perform would have returned it.

    ``equal`` says that it matches the call in everything that can be compared.
    """

    id: str
    data: Any
    equal: bool
