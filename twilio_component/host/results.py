"""What perform functions return when it is more than plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST_PAUSE = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a perform function returns when it has more to say than its data, payload or result.

    ``value`` is that data, payload or result. The rest goes into the envelope under its documented name: the states
    that are to be kept (``instanceState`` …), a trigger's HTTP ``response`` and the ``branch`` to take, and
    ``extra`` (``polledNoChanges``, say). ``ready`` says that the value is JSON already, as a ``Page`` may say it.
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
        """Everything but the value, by its name in the envelope."""
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

    A cursor is text that only the component reads. It may be kept and used later, in another process too, with the same
    inputs. What the list was filtered by may stand in it: it is as confidential as the inputs.

    A component whose items are JSON already, as parsed JSON is, may say so by ``ready``: the host then does not look
    through them once more.
    """

    items: list[Any]
    next: str | None = None
    ready: bool = field(default=False, kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class PollAgain:
    """What an action returns that cannot answer yet: ask again, with the same inputs, in ``seconds`` (at most a week).

    The action's manifest entry says that it may (``waits``). Whoever carries it out waits meanwhile, a durable engine
    across restarts; ``Context.waited`` then says for how long. Raises ``ValueError`` for what is no such time.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Refuse what would never end or never pause."""
        if not 0 < self.seconds <= _LONGEST_PAUSE:
            raise ValueError(f"an action is asked again in more than 0 and at most {_LONGEST_PAUSE:,} seconds")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Asks for one page of a list: the one that ``after`` leads to, or the first."""

    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that an earlier call may have done: its ``id``, and ``data`` as perform would have returned it.

    ``equal`` says that nothing tells it from what the call would do.
    """

    id: str
    data: Any
    equal: bool
