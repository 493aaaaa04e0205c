"""What goes wrong on request: each fault is one line in a test.

A fault strikes the next ``times`` requests that fit its conditions (see `rule.Rule`), one by default; ``times=None``
lets it strike until it is taken back. ``accepted`` says whether the request takes effect before things go wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from twilio_component.emulator.errors import Refusal
from twilio_component.emulator.http import ConnectionFault, Response
from twilio_component.emulator.rules import MessageConditions, RequestConditions, Rule, Subject

_HTML = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(eq=False, slots=True)
class Fault:
    """A fault that is switched on. ``accepted``: the request takes effect all the same."""

    number: int
    name: str
    rule: Rule
    accepted: bool = False
    answer: Response | None = None
    mishap: ConnectionFault | None = None

    def struck(self, answer: Response) -> Response:
        """What becomes of an answer."""
        chosen = self.answer or answer
        return Response(chosen.status, chosen.body, dict(chosen.headers), self.mishap)


class Faults:
    """Every fault of one emulator. Where several fit a request, the one that was switched on first strikes."""

    def __init__(self) -> None:
        self._active: list[Fault] = []
        self._numbers = itertools.count(1)
        self.list_lag = 0.0
        self.page_shift = 0
        self.doubled_callbacks: list[Rule] = []
        self.swapped_callbacks: list[Rule] = []
        # A server closes its door for so many seconds when connections are to be refused.
        self.on_refusal: Callable[[float], None] | None = None

    @property
    def active(self) -> list[Fault]:
        """The faults that can still strike."""
        return [fault for fault in self._active if not fault.rule.spent]

    def rate_limit(
        self, times: int | None = 1, *, retry_after: float | None = None, **conditions: Unpack[RequestConditions]
    ) -> Fault:
        """Answer 429 (code 20429), with ``Retry-After`` where it is given; nothing takes effect."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return self._add("rate_limit", times, conditions, answer=Refusal(20429, headers=headers).answer())

    def server_error(
        self,
        times: int | None = 1,
        *,
        status: int = 500,
        accepted: bool = False,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Answer 500 (code 20500) or 503, before or after the request took effect."""
        if status not in (500, 503):
            raise ValueError(f"a server error is 500 or 503 here, not {status}")
        refusal = Refusal(20500 if status == 500 else 20503)  # noqa: PLR2004 - HTTP
        return self._add("server_error", times, conditions, accepted=accepted, answer=refusal.answer())

    def html(
        self,
        times: int | None = 1,
        *,
        status: int = 502,
        accepted: bool = False,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Answer with a web page, as a proxy does."""
        answer = Response(status, _HTML, {"Content-Type": "text/html; charset=utf-8"})
        return self._add("html", times, conditions, accepted=accepted, answer=answer)

    def refuse(
        self, times: int | None = 1, *, seconds: float = 1.0, **conditions: Unpack[RequestConditions]
    ) -> Fault | None:
        """Refuse connections: in process the next ``times`` requests; as a server every one for ``seconds``."""
        if self.on_refusal is not None:
            self.on_refusal(seconds)
            return None
        return self._add("refuse", times, conditions, mishap=ConnectionFault("refused"))

    def drop(self, times: int | None = 1, *, accepted: bool = False, **conditions: Unpack[RequestConditions]) -> Fault:
        """Close the connection without an answer, before or after the request took effect."""
        return self._add("drop", times, conditions, accepted=accepted, mishap=ConnectionFault("dropped"))

    def cut_off(self, times: int | None = 1, *, share: float = 0.5, **conditions: Unpack[RequestConditions]) -> Fault:
        """Close the connection after a ``share`` of the answer's body; the request has taken effect."""
        return self._add("cut_off", times, conditions, accepted=True, mishap=ConnectionFault("cut", share=share))

    def slow(
        self, times: int | None = 1, *, seconds: float = 60.0, pieces: int = 1, **conditions: Unpack[RequestConditions]
    ) -> Fault:
        """Take ``seconds`` to answer, in ``pieces`` that come one by one; the request has taken effect.

        In process nobody waits: the clock is moved, and a read timeout that is shorter than the wait for a piece
        ends the request as it would on the wire.
        """
        mishap = ConnectionFault("slow", seconds=seconds, pieces=pieces)
        return self._add("slow", times, conditions, accepted=True, mishap=mishap)

    def wrong_certificate(self, times: int | None = 1, **conditions: Unpack[RequestConditions]) -> Fault:
        """In process: fail as a connection whose certificate is for another host.

        A server has a URL of its own for that, ``server.wrong_certificate_url``.
        """
        return self._add("wrong_certificate", times, conditions, mishap=ConnectionFault("certificate"))

    def lag_lists(self, seconds: float) -> None:
        """Let lists show a message only ``seconds`` after it was accepted; 0 ends that."""
        self.list_lag = seconds

    def shift_pages(self, records: int) -> None:
        """Let every page after the first begin ``records`` before the end of the one before; 0 ends that.

        So records come twice, as when new ones push the old along. A negative number loses that many.
        """
        self.page_shift = records

    def double_callbacks(self, times: int | None = 1, **conditions: Unpack[MessageConditions]) -> Rule:
        """Send status callbacks twice, as Twilio sometimes does; the conditions are those of a message."""
        self.doubled_callbacks.append(Rule(times=times, **conditions))
        return self.doubled_callbacks[-1]

    def swap_callbacks(self, times: int | None = 1, **conditions: Unpack[MessageConditions]) -> Rule:
        """Hold a status callback back until the next of the same message has gone out."""
        self.swapped_callbacks.append(Rule(times=times, **conditions))
        return self.swapped_callbacks[-1]

    def strike(self, subject: Subject) -> Fault | None:
        """The fault that a request meets."""
        struck = next((fault for fault in self._active if fault.rule.applies_to(subject)), None)
        if struck is not None and struck.rule.spent:
            self._active.remove(struck)
        return struck

    def clear(self) -> None:
        """Take back every fault."""
        self._active.clear()
        self.doubled_callbacks.clear()
        self.swapped_callbacks.clear()
        self.list_lag, self.page_shift = 0.0, 0

    def take_back(self, fault: Fault) -> None:
        """Take back one fault; nothing happens where it is spent."""
        if fault in self._active:
            self._active.remove(fault)

    def _add(
        self,
        name: str,
        times: int | None,
        conditions: RequestConditions,
        *,
        accepted: bool = False,
        answer: Response | None = None,
        mishap: ConnectionFault | None = None,
    ) -> Fault:
        fault = Fault(next(self._numbers), name, Rule(times=times, **conditions), accepted, answer, mishap)
        self._active.append(fault)
        return fault
