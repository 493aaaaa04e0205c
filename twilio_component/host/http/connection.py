"""One connection to a server: it carries one request at a time, and takes the response apart as it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from twilio_component.host.http.bodies import Body
from twilio_component.host.http.messages import Headers, Response, ResponseLostError

if TYPE_CHECKING:
    from twilio_component.host.http.messages import Request

_LONGEST_HEAD = 64 << 10
_SWITCHING = 101
_FINAL = 200
# What servers get wrong and other clients let pass, as none of it can be mistaken for something else.
_LENIENCIES = {
    "lenient_headers": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}


class Connection(asyncio.Protocol):
    """A connection that is open, or was. A request that ends in any other way than with its response closes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: Any = None
        self._parser = self._new_parser()
        self._request: Request | None = None
        self._result: asyncio.Future[Response] | None = None
        self._head_size = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._fields: Headers | None = None
        self._status = 0
        self._body: Body | None = None
        self._reusable = True
        # When it came back from its last request, by the event loop's clock.
        self.idle_since = 0.0
        self.closed: asyncio.Future[None] = loop.create_future()

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent: it is open, and its last response ended where it said."""
        return self._reusable and not self._transport.is_closing()

    @property
    def transport(self) -> asyncio.Transport:
        """What carries its bytes."""
        transport: asyncio.Transport = self._transport
        return transport

    def secure(self, transport: asyncio.Transport) -> None:
        """Continue over ``transport``, which encrypts, with requests to the server behind the tunnel."""
        self._transport = transport
        self._parser = self._new_parser()
        self._reusable = True

    async def exchange(self, data: bytes, request: Request, deadline: float) -> Response:
        """Write a request and return its response; ``deadline`` is by the event loop's clock.

        Raises ``ResponseLostError``, and ``TimeoutError`` when the deadline has passed.
        """
        self._request = request
        self._headers, self._fields, self._body, self._head_size = [], None, None, 0
        result: asyncio.Future[Response] = self._loop.create_future()
        self._result = result
        timer = self._loop.call_at(deadline, self._fail, TimeoutError())
        self._transport.write(data)
        try:
            return await result
        except BaseException:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._result = None

    def abort(self) -> None:
        """Close it at once."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._result is None:
            # Nobody asked: a server that ends an idle connection with a response, or one that is confused.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._reusable = False  # a 101, which has failed already, or the bytes of a tunnel
        except HttpParserError as error:
            self._reusable = False
            self._fail(ResponseLostError(f"the response is not HTTP: {error}"))
        if self._fields is None:
            self._head_size += len(data)
            if self._head_size > _LONGEST_HEAD:
                self._fail(ResponseLostError("the head of the response is longer than any should be"))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        if self._result is not None:
            if error is None and self._fields is not None and self._ends_with_the_connection():
                self._complete()
            else:
                self._fail(ResponseLostError(_lost_reason(error, begun=self._status != 0)))
        if not self.closed.done():
            self.closed.set_result(None)

    # Called by the parser:

    def on_message_begin(self) -> None:
        """Begin a response; one that nobody waits for spoils the connection."""
        self._reusable = self._result is not None and not self._result.done()
        self._headers, self._fields, self._status = [], None, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide by the head what will be read."""
        self._status = self._parser.get_status_code()
        if self._status < _FINAL and self._status != _SWITCHING:
            return  # an interim response, such as 100 Continue or 103 Early Hints
        self._fields = Headers(self._headers)
        request = self._request
        if request is None:
            return
        if self._status == _SWITCHING:
            self._fail(ResponseLostError("the server switches to another protocol, which was not requested"))
            return
        try:
            self._body = Body(self._status, self._fields, request)
        except ResponseLostError as error:
            self._fail(error)
            return
        if request.method == "HEAD" or (request.method == "CONNECT" and self._status < 300):  # noqa: PLR2004 - HTTP
            # The parser expects a body, so it is of no use afterwards.
            self._complete()
            self._reusable = False

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body."""
        if self._body is None or self._result is None or self._result.done():
            return
        try:
            self._body.take(chunk)
        except ResponseLostError as error:
            self._fail(error)

    def on_message_complete(self) -> None:
        """End the response."""
        if self._fields is not None and self._body is not None:
            self._reusable = self._reusable and self._parser.should_keep_alive()
            self._complete()

    def _new_parser(self) -> HttpResponseParser:
        parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(**_LENIENCIES)
        return parser

    def _complete(self) -> None:
        result, fields, body = self._result, self._fields, self._body
        if result is None or result.done() or fields is None or body is None:
            return
        if self._transport.get_write_buffer_size():
            self._reusable = False  # the server did not wait for the end of the request
        try:
            content = body.content()
        except ResponseLostError as error:
            self._fail(error)
            return
        result.set_result(Response(self._status, fields, content))

    def _fail(self, error: Exception) -> None:
        self._reusable = False
        if self._result is not None and not self._result.done():
            self._result.set_exception(error)

    def _ends_with_the_connection(self) -> bool:
        return self._fields is not None and not {"content-length", "transfer-encoding"} & self._fields.keys()


def _lost_reason(error: Exception | None, *, begun: bool) -> str:
    if error is not None:
        return str(error) or type(error).__name__
    return "the connection was closed in the middle of the response" if begun else "the server closed the connection"
