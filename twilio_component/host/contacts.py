"""Whom a call reaches and from whom, and what people say about being reached: the words of every messaging service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OUT, IN = "out", "in"
"""What a person chooses: nothing more from a sender, or messages again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The ``person`` that a call reaches, ``senders`` as the call names them (a service, a number), and the account.

    A manifest's ``contact`` returns it for the accepted inputs of an action. Equal texts are equal people. Where there
    are two senders the first is a service, to which the second belongs.
    """

    person: str
    senders: tuple[str, ...]
    account: str = ""

    @property
    def service(self) -> str | None:
        """The service among the senders, if the other one belongs to it."""
        return self.senders[0] if len(self.senders) > 1 else None

    @property
    def scopes(self) -> tuple[str, ...]:
        """What an opt-out that concerns this call may be from: one of its senders, its account, or everybody."""
        return tuple(scope for scope in (*self.senders, self.account, EVERYBODY) if scope)


EVERYBODY = "*"
"""The scope of an opt-out from all senders of all accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEvent:
    """What a verified request says about a person: that they have written, ask for help, or have chosen something.

    A manifest's ``contactEvent`` returns it for a trigger's payload. ``response`` is the HTTP response that confirms
    the choice, where the service does not confirm it itself.
    """

    contact: Contact
    has_written: bool = False
    asks_help: bool = False
    choice: str | None = None
    response: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWords:
    """A deployment's own keywords beside those of the service, in lower case, and the texts that confirm them.

    ``replies`` has the keys ``stop``, ``start`` and ``help``.
    """

    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    help: frozenset[str] = frozenset()
    replies: Mapping[str, str] = field(default_factory=dict)
