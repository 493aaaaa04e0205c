"""What goes wrong on request: each fault is one line in a test.

A fault applies to the next ``times`` requests that fit its conditions (see `rules.Rule`), one by default; with
``times=None`` it applies until it is removed. With ``accepted`` the request takes effect before things go wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus
from typing import Unpack

from twilio_component.emulator.errors import ApiError, check_code, error_response
from twilio_component.emulator.http import ConnectionFault, Response
from twilio_component.emulator.rules import MessageConditions, RequestConditions, Rule, Subject
from twilio_component.twilio.error_codes import explain

# The faults of requests; the log of requests has them by these names.
FAULT_NAMES = (
    "rate_limit", "server_error", "html", "blank", "api_error", "refuse", "drop", "cut_off", "slow",
    "wrong_certificate",
)  # fmt: skip
_LAST_STATUS = 599
_HTML = b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(eq=False, slots=True)
class Fault:
    """A fault that is switched on. ``accepted``: the request takes effect all the same."""

    number: int
    name: str
    rule: Rule
    accepted: bool = False
    response: Response | None = None
    connection_fault: ConnectionFault | None = None
    # The body that replaces the one of the response, whose status stays.
    body: bytes | None = None

    def apply(self, response: Response) -> Response:
        """Return what is sent instead of a response."""
        chosen = self.response or response
        if self.body is not None:
            # A response that nothing came of has no status: the request did not take effect.
            return Response(response.status or HTTPStatus.OK, self.body, self._headers(response))
        return Response(chosen.status, chosen.body, dict(chosen.headers), self.connection_fault)

    def _headers(self, response: Response) -> dict[str, str]:
        kept = {name: value for name, value in response.headers.items() if name != "Content-Type"}
        return {**kept, "Content-Type": "application/json;charset=utf-8"} if self.body else kept


class Faults:
    """Every fault of one emulator. Where several fit a request, the one that was switched on first applies.

    ``operations`` are the names that a condition may have.
    """

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = operations
        self._active: list[Fault] = []
        self._numbers = itertools.count(1)
        self.list_lag = 0.0
        self.page_shift = 0
        self.clock_skew = 0.0
        self.doubled_callbacks: list[Rule] = []
        self.swapped_callbacks: list[Rule] = []
        # Makes the server, if there is one, refuse connections for so many seconds.
        self.refuse_connections: Callable[[float], None] | None = None

    @property
    def active(self) -> list[Fault]:
        """The faults that still apply to requests."""
        return [fault for fault in self._active if not fault.rule.spent]

    def rate_limit(
        self, times: int | None = 1, *, retry_after: float | None = None, **conditions: Unpack[RequestConditions]
    ) -> Fault:
        """Respond with 429 (code 20429), with ``Retry-After`` where it is given; nothing takes effect."""
        _check_seconds("retry_after", retry_after or 0)
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return self._add("rate_limit", times, conditions, response=ApiError(20429, headers=headers).response())

    def server_error(
        self,
        times: int | None = 1,
        *,
        status: int = 500,
        accepted: bool = False,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Respond with 500 (code 20500) or 503, before or after the request took effect."""
        if status not in (500, 503):
            raise ValueError(f"a server error is 500 or 503 here, not {status}")
        error = ApiError(20500 if status == 500 else 20503)  # noqa: PLR2004 - HTTP
        return self._add("server_error", times, conditions, accepted=accepted, response=error.response())

    def html(
        self,
        times: int | None = 1,
        *,
        status: int = 502,
        accepted: bool = False,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Respond with a web page, as a proxy does."""
        if not HTTPStatus.OK <= status <= _LAST_STATUS:
            raise ValueError(f"the status of a page is {HTTPStatus.OK} to {_LAST_STATUS}, not {status}")
        page = Response(status, _HTML, {"Content-Type": "text/html; charset=utf-8"})
        return self._add("html", times, conditions, accepted=accepted, response=page)

    def blank(
        self,
        times: int | None = 1,
        *,
        content: str = "",
        accepted: bool = True,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Respond with the usual status and a body that says nothing: empty, or ``{}``, ``null``, a gateway's ``ok``.

        The request takes effect, unless ``accepted`` is false: then the status is 200.
        """
        return self._add("blank", times, conditions, accepted=accepted, body=content.encode())

    def api_error(
        self,
        code: int,
        times: int | None = 1,
        *,
        status: int = 400,
        message: str | None = None,
        **conditions: Unpack[RequestConditions],
    ) -> Fault:
        """Respond with one of Twilio's errors, such as 60410 (Verify's fraud guard); nothing takes effect.

        ``message`` is, by default, what Twilio's code means. Raises ValueError for a status that is not an error, and
        for a code that has not five or six digits.
        """
        if not HTTPStatus.BAD_REQUEST <= status <= _LAST_STATUS:
            raise ValueError(f"the status of an error is 400 to {_LAST_STATUS}, not {status}")
        check_code(code)
        known = explain(code)
        text = message or (known.meaning if known else f"Error {code}")
        return self._add("api_error", times, conditions, response=error_response(status, code, text))

    def refuse(
        self, times: int | None = 1, *, seconds: float = 1.0, **conditions: Unpack[RequestConditions]
    ) -> Fault | None:
        """Refuse connections: in process the next ``times`` requests; as a server every one for ``seconds``."""
        _check_seconds("seconds", seconds)
        if self.refuse_connections is not None:
            self.refuse_connections(seconds)
            return None
        return self._add("refuse", times, conditions, connection_fault=ConnectionFault("refused"))

    def drop(self, times: int | None = 1, *, accepted: bool = False, **conditions: Unpack[RequestConditions]) -> Fault:
        """Close the connection without a response, before or after the request took effect."""
        return self._add("drop", times, conditions, accepted=accepted, connection_fault=ConnectionFault("dropped"))

    def cut_off(self, times: int | None = 1, *, share: float = 0.5, **conditions: Unpack[RequestConditions]) -> Fault:
        """Close the connection after a ``share`` of the response's body; the request has taken effect.

        Raises ValueError for a share that is not from 0 to less than 1.
        """
        if not 0 <= share < 1:
            raise ValueError(f"share is a part of the body, from 0 to less than 1 (0.5 is half of it), not {share:g}")
        return self._add(
            "cut_off", times, conditions, accepted=True, connection_fault=ConnectionFault("cut", share=share)
        )

    def slow(
        self, times: int | None = 1, *, seconds: float = 60.0, pieces: int = 1, **conditions: Unpack[RequestConditions]
    ) -> Fault:
        """Take ``seconds`` to respond, in ``pieces`` that come one by one; the request has taken effect.

        In process nobody waits: the clock is moved, and a read timeout that is shorter than the wait for a piece
        ends the request as it would on the wire.
        """
        _check_seconds("seconds", seconds)
        if pieces < 1:
            raise ValueError(f"pieces has to be 1 or more, not {pieces}")
        fault = ConnectionFault("slow", seconds=seconds, pieces=pieces)
        return self._add("slow", times, conditions, accepted=True, connection_fault=fault)

    def wrong_certificate(self, times: int | None = 1, **conditions: Unpack[RequestConditions]) -> Fault:
        """In process: fail as a connection whose certificate is for another host.

        A server has a URL of its own for that, ``server.wrong_certificate_url``.
        """
        return self._add("wrong_certificate", times, conditions, connection_fault=ConnectionFault("certificate"))

    def lag_lists(self, seconds: float) -> None:
        """Let lists show a message only ``seconds`` after it was accepted; 0 ends that."""
        _check_seconds("seconds", seconds)
        self.list_lag = seconds

    def shift_pages(self, records: int) -> None:
        """Let every page after the first begin ``records`` before the end of the one before; 0 ends that.

        So records come twice, as when new ones push the old along. A negative number loses that many.
        """
        self.page_shift = records

    def skew_clock(self, seconds: float) -> None:
        """Let the ``Date`` of every response be ``seconds`` ahead of the clock (negative: behind it); 0 ends that."""
        self.clock_skew = seconds

    def double_callbacks(self, times: int | None = 1, **conditions: Unpack[MessageConditions]) -> Rule:
        """Send status callbacks twice, as Twilio sometimes does; the conditions are those of a message."""
        self.doubled_callbacks.append(Rule(times=times, **conditions))
        return self.doubled_callbacks[-1]

    def swap_callbacks(self, times: int | None = 1, **conditions: Unpack[MessageConditions]) -> Rule:
        """Hold a status callback back until the next of the same message has gone out."""
        self.swapped_callbacks.append(Rule(times=times, **conditions))
        return self.swapped_callbacks[-1]

    def take(self, subject: Subject) -> Fault | None:
        """Return the fault that applies to a request, if any, and count that it did."""
        taken = next((fault for fault in self._active if fault.rule.applies_to(subject)), None)
        if taken is not None and taken.rule.spent:
            self._active.remove(taken)
        return taken

    def clear(self) -> None:
        """Remove every fault."""
        self._active.clear()
        self.doubled_callbacks.clear()
        self.swapped_callbacks.clear()
        self.list_lag, self.page_shift, self.clock_skew = 0.0, 0, 0.0

    def remove(self, fault: Fault) -> None:
        """Remove one fault; nothing happens where it is spent."""
        if fault in self._active:
            self._active.remove(fault)

    def _add(
        self,
        name: str,
        times: int | None,
        conditions: RequestConditions,
        *,
        accepted: bool = False,
        response: Response | None = None,
        connection_fault: ConnectionFault | None = None,
        body: bytes | None = None,
    ) -> Fault:
        operation = conditions.get("operation")
        if operation is not None and operation not in self._operations:
            near = get_close_matches(operation, self._operations, 3, 0.5) or sorted(self._operations)
            raise ValueError(f"there is no operation {operation!r}; there is {', '.join(near)}")
        rule = Rule(times=times, **conditions)
        fault = Fault(next(self._numbers), name, rule, accepted, response, connection_fault, body)
        self._active.append(fault)
        return fault


def _check_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} has to be 0 or more, not {seconds:g}")
