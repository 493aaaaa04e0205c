"""What a component says about asking a person and waiting for the answer; an engine does the waiting.

An action that asks names a ``plan`` in its manifest entry (``asks``). It says what to send, whose answer to wait for
and until when. A trigger that receives what people write names ``identifyReply``, one that hears what became of a
message names ``identifyReport``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ANSWERED, NOT_UNDERSTOOD, TIMED_OUT = "answered", "notUnderstood", "timedOut"
OPTED_OUT, UNDELIVERABLE = "optedOut", "undeliverable"
OTHERWISE = "Else"
"""The branch that a flow takes where it has none for the outcome."""
OUTCOMES = (ANSWERED, NOT_UNDERSTOOD, TIMED_OUT, OPTED_OUT, UNDELIVERABLE)
"""How a question ends, which is also the branch that a flow takes after it."""
MOST_SENDS = 6
"""How often a question may be sent: once, and five times more after replies that do not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to one person.

    ``sends`` are the inputs of each send, the first one and those after replies that do not fit. ``conversation`` names
    our sender and the person's address. ``expects`` is what ``judge`` needs to know, as JSON. The person has
    ``seconds`` to reply. ``refuses_if_busy``: the question is not asked while another one is open in the conversation;
    otherwise it waits its turn. ``keeps_late``: a reply after the deadline is stored with the question and starts no
    flow.
    """

    sends: Sequence[Mapping[str, Any]]
    conversation: str
    expects: Mapping[str, Any]
    seconds: float
    refuses_if_busy: bool = False
    keeps_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a person wrote.

    ``id`` is the same however often it is reported. It may answer a question in any of the ``conversations``. ``data``
    is shown to the flow. ``opts_out`` says that the person wants no more messages, and ``asks_help`` that they ask for
    help, which others give them.
    """

    id: str
    conversations: Sequence[str]
    data: Mapping[str, Any]
    opts_out: bool = False
    asks_help: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectReport:
    """What became of something that a call created, such as a message.

    ``is_final``: nothing more will be heard of it. ``outcome`` is ``undeliverable`` or ``optedOut`` when the person
    will never see it, else empty, and ``code`` the provider's reason.
    """

    effect: str
    is_final: bool = False
    outcome: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEnd:
    """How a question ended, as the data of the action that asked it."""

    outcome: str
    answer: Any = None
    reply: Mapping[str, Any] | None = None
    effects: Sequence[str] = field(default_factory=tuple)
    misfits: int = 0
    code: str = ""

    def data(self) -> dict[str, Any]:
        """Return the action's data."""
        return {
            "outcome": self.outcome,
            "answer": self.answer,
            "reply": self.reply,
            "questions": list(self.effects),
            "misfits": self.misfits,
            "errorCode": self.code or None,
        }

    def envelope(self) -> dict[str, Any]:
        """Return the action's data with the branch to take, and the one to take where a flow has no such branch."""
        return {"data": self.data(), "branch": self.outcome, "otherBranch": OTHERWISE}
