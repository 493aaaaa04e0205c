"""Opt-outs: STOP, START and HELP, with the replies that Twilio sends by default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Keyword = Literal["STOP", "START", "HELP"]

_KEYWORDS: dict[str, Keyword] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "STOP"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}

REPLIES: dict[Keyword, str] = {
    "STOP": "You are unsubscribed and will receive no more messages from this number. Reply START to resubscribe.",
    "START": "You are subscribed again and will receive messages from this number. Reply STOP to unsubscribe.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


def keyword_of(body: str) -> Keyword | None:
    """Return what a text asks for; only the keyword alone counts, in any case."""
    return _KEYWORDS.get(body.strip().upper())


@dataclass(slots=True)
class OptOuts:
    """Pairs of a sender (a number, or the SID of a messaging service) and a recipient who has opted out of it.

    SMS, MMS and RCS of a sender share their opt-outs; WhatsApp and other channels have their own.
    """

    _pairs: set[tuple[str, str]] = field(default_factory=set)

    def add(self, sender: str, recipient: str) -> None:
        """Note that ``recipient`` wants nothing more from ``sender``."""
        self._pairs.add((_opt_out_key(sender), _opt_out_key(recipient)))

    def remove(self, sender: str, recipient: str) -> None:
        """Note that ``recipient`` wants messages from ``sender`` again."""
        self._pairs.discard((_opt_out_key(sender), _opt_out_key(recipient)))

    def pairs(self) -> list[tuple[str, str]]:
        """Return each sender with a recipient who has opted out of it."""
        return sorted(self._pairs)

    def forbid(self, recipient: str, *senders: str | None) -> bool:
        """Return whether ``recipient`` has opted out of one of ``senders``."""
        return any((_opt_out_key(sender), _opt_out_key(recipient)) in self._pairs for sender in senders if sender)


def _opt_out_key(address: str) -> str:
    """Return the address under which SMS and RCS share an opt-out."""
    return address.removeprefix("rcs:")
