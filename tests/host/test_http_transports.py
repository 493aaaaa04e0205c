"""Every transport, against servers on real sockets that misbehave: one request sent is one request counted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import trustme
from support.broken_server import BrokenServer, http_response, serve_broken
from support.ports import reserve_port

from twilio_component.host import BlockingHost, Host
from twilio_component.host.http.asyncio_transport import AsyncioTransport
from twilio_component.host.http.httpx_transport import HttpxTransport, never_written
from twilio_component.host.http.messages import (
    HttpTransport,
    NotWrittenError,
    Request,
    Response,
    ResponseLostError,
    ResponseTooLargeError,
)

httpx2: Any = pytest.importorskip("httpx2", reason="an extra that `make` installs")

OK = http_response("200 OK", b'{"fine": true}')


@asynccontextmanager
async def over_asyncio() -> AsyncIterator[HttpTransport]:
    transport = AsyncioTransport()
    try:
        yield transport
    finally:
        await transport.aclose()


@asynccontextmanager
async def over_httpx() -> AsyncIterator[HttpTransport]:
    async with httpx.AsyncHTTPTransport() as transport:
        yield HttpxTransport(transport)


@asynccontextmanager
async def over_httpx2() -> AsyncIterator[HttpTransport]:
    async with httpx2.AsyncHTTPTransport() as transport:
        yield HttpxTransport(transport)


BOTH = pytest.mark.parametrize("carrying", [over_asyncio, over_httpx, over_httpx2])
Carrying = Callable[[], Any]


async def run(
    carrying: Carrying, reaction: Any, use: Callable[[HttpTransport, BrokenServer], Awaitable[Any]]
) -> tuple[Any, BrokenServer]:
    """What ``use`` returns, and the server after it."""
    async with serve_broken(reaction) as server, carrying() as transport:
        return await use(transport, server), server


def post(*, seconds: float = 5.0) -> Callable[[HttpTransport, BrokenServer], Awaitable[Response]]:
    async def use(transport: HttpTransport, server: BrokenServer) -> Response:
        return await transport.send(Request("POST", server.url, {}, b"To=x", seconds))

    return use


async def lost(carrying: Carrying, reaction: Any, *, seconds: float = 5.0) -> tuple[str, BrokenServer]:
    """The words of the error that a POST ends with when its answer is lost, and the server."""

    async def use(transport: HttpTransport, server: BrokenServer) -> str:
        with pytest.raises(ResponseLostError) as caught:
            await post(seconds=seconds)(transport, server)
        return str(caught.value)

    return await run(carrying, reaction, use)


async def too_large(carrying: Carrying, reaction: Any) -> tuple[str, int | None]:
    """The words of the error for an answer with more than 1,000 bytes, and the size that it tells."""

    async def use(transport: HttpTransport, server: BrokenServer) -> tuple[str, int | None]:
        with pytest.raises(ResponseTooLargeError) as caught:
            await transport.send(Request("GET", server.url, {}, largest=1000))
        assert caught.value.bound == 1000
        return str(caught.value), caught.value.size

    found: tuple[str, int | None] = (await run(carrying, reaction, use))[0]
    return found


def packed(content: bytes, encoding: str) -> bytes:
    """The content as an encoding of HTTP packs it."""
    width = {"gzip": 31, "deflate": 15, "deflate without a header": -15}[encoding]
    packing = zlib.compressobj(wbits=width)
    return packing.compress(content) + packing.flush()


async def fine(writer: Any, _n: int) -> bool:
    writer.write(OK)
    return True


@BOTH
class TestEitherCarrier:
    async def test_a_request_arrives_as_it_was_written_and_its_answer_comes_back(self, carrying: Carrying) -> None:
        async def use(transport: HttpTransport, server: BrokenServer) -> Response:
            url = f"{server.url}/a%2Fb?DateSent%3E=2026-01-01&x=%27"
            return await transport.send(Request("POST", url, {"X-Mine": "1"}, b"To=%2B1"))

        given, server = await run(carrying, fine, use)
        head, _, body = server.requests[0].partition(b"\r\n\r\n")

        assert head.startswith(b"POST /a%2Fb?DateSent%3E=2026-01-01&x=%27 HTTP/1.1\r\n")
        assert b"x-mine: 1" in head.lower()
        assert body == b"To=%2B1"
        assert (given.status, given.json(), given.text) == (200, {"fine": True}, '{"fine": true}')
        assert given.headers.get("content-TYPE") == "application/json"

    async def test_a_refused_connection_is_known_to_have_sent_nothing(self, carrying: Carrying) -> None:
        async def use(transport: HttpTransport, _server: BrokenServer) -> None:
            with pytest.raises(NotWrittenError) as caught:
                await transport.send(Request("POST", f"http://127.0.0.1:{reserve_port()}", {}, b"x"))
            assert caught.value.transient

        await run(carrying, fine, use)

    async def test_an_unknown_host_is_known_to_have_sent_nothing(self, carrying: Carrying) -> None:
        async def use(transport: HttpTransport, _server: BrokenServer) -> None:
            with pytest.raises(NotWrittenError):
                await transport.send(Request("POST", "http://host.invalid", {}, b"x"))

        await run(carrying, fine, use)

    async def test_a_url_that_is_not_valid_sends_nothing_and_never_will(self, carrying: Carrying) -> None:
        async def use(transport: HttpTransport, _server: BrokenServer) -> None:
            with pytest.raises(NotWrittenError) as caught:
                await transport.send(Request("POST", "ftp://127.0.0.1/x", {}, b"x"))
            assert not caught.value.transient

        await run(carrying, fine, use)

    async def test_a_connection_dropped_after_the_request_was_read_may_have_been_processed(
        self, carrying: Carrying
    ) -> None:
        async def drop(_writer: Any, _n: int) -> bool:
            return False

        _, server = await lost(carrying, drop)
        assert len(server.requests) == 1

    async def test_an_answer_cut_off_in_its_body_is_lost(self, carrying: Carrying) -> None:
        async def cut(writer: Any, _n: int) -> bool:
            writer.write(OK[:-4])
            await writer.drain()
            return False

        _, server = await lost(carrying, cut)
        assert len(server.requests) == 1

    async def test_an_answer_that_does_not_come_in_time_is_lost(self, carrying: Carrying) -> None:
        async def silence(_writer: Any, _n: int) -> bool:
            await asyncio.Event().wait()
            return False

        words, server = await lost(carrying, silence, seconds=1.5)
        assert words == "no complete response within 1.5 s"
        assert len(server.requests) == 1

    async def test_slow_bytes_end_at_the_deadline_of_the_whole(self, carrying: Carrying) -> None:
        async def drip(writer: Any, _n: int) -> bool:
            writer.write(OK[:-10])
            for byte in OK[-10:]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.3)
            return False

        words, _ = await lost(carrying, drip, seconds=1.5)
        assert words == "no complete response within 1.5 s"

    async def test_an_answer_that_is_not_http_is_lost(self, carrying: Carrying) -> None:
        async def nonsense(writer: Any, _n: int) -> bool:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            return False

        await lost(carrying, nonsense)

    async def test_a_broken_encoding_is_a_lost_answer(self, carrying: Carrying) -> None:
        async def broken(writer: Any, _n: int) -> bool:
            writer.write(http_response("201 Created", b"no gzip", "Content-Encoding: gzip"))
            return True

        await lost(carrying, broken)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate without a header"])
    async def test_a_packed_body_is_unpacked(self, carrying: Carrying, encoding: str) -> None:
        body = packed(b"fine" * 1000, encoding)

        async def pack(writer: Any, _n: int) -> bool:
            head, _, _ = http_response("200 OK", body, f"Content-Encoding: {encoding.partition(' ')[0]}").partition(
                body
            )
            writer.write(head + body[:5])
            await writer.drain()
            writer.write(body[5:])
            return True

        given, _ = await run(carrying, pack, post())
        assert given.content == b"fine" * 1000

    @pytest.mark.parametrize("body", [packed(b"fine", "gzip")[:-4], packed(b"fine", "gzip") + b"more"])
    async def test_a_packed_body_without_its_end_or_with_more_behind_it_is_lost(
        self, carrying: Carrying, body: bytes
    ) -> None:
        async def cut(writer: Any, _n: int) -> bool:
            writer.write(http_response("200 OK", body, "Content-Encoding: gzip"))
            return True

        assert (await lost(carrying, cut))[0] == "the response's encoding is broken"

    async def test_an_encoding_that_nobody_asked_for_is_a_lost_answer(self, carrying: Carrying) -> None:
        async def strange(writer: Any, _n: int) -> bool:
            writer.write(http_response("200 OK", b"?", "Content-Encoding: zstd"))
            return True

        assert "encoding is not one of deflate, gzip" in (await lost(carrying, strange))[0]

    async def test_an_answer_without_a_body_may_name_an_encoding(self, carrying: Carrying) -> None:
        async def empty(writer: Any, _n: int) -> bool:
            writer.write(http_response("200 OK", b"", "Content-Encoding: gzip"))
            return True

        assert (await run(carrying, empty, post()))[0].content == b""

    async def test_a_body_that_is_announced_too_large_is_not_read(self, carrying: Carrying) -> None:
        async def announce(writer: Any, _n: int) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
            await writer.drain()
            await asyncio.Event().wait()
            return False

        words, size = await too_large(carrying, announce)
        assert (words, size) == ("the response has 1,001 bytes; at most 1,000 are read", 1001)

    async def test_a_body_that_grows_too_large_is_left(self, carrying: Carrying) -> None:
        async def grow(writer: Any, _n: int) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                writer.write(b"190\r\n" + b"x" * 400 + b"\r\n")
                await writer.drain()
            await asyncio.Event().wait()
            return False

        words, size = await too_large(carrying, grow)
        assert (words, size) == ("the response has more than 1,000 bytes; at most 1,000 are read", None)

    async def test_a_small_body_that_unpacks_to_a_huge_one_is_left(self, carrying: Carrying) -> None:
        bomb = packed(bytes(900_000), "gzip")
        assert len(bomb) < 1000

        async def explode(writer: Any, _n: int) -> bool:
            writer.write(http_response("200 OK", bomb, "Content-Encoding: gzip"))
            return True

        assert (await too_large(carrying, explode))[0].startswith("the response has more than 1,000 bytes")

    async def test_an_error_may_have_more_words_than_the_file_that_was_asked_for(self, carrying: Carrying) -> None:
        async def explain(writer: Any, _n: int) -> bool:
            writer.write(http_response("404 Not Found", b"x" * 1001))
            return True

        async def use(transport: HttpTransport, server: BrokenServer) -> Response:
            return await transport.send(Request("GET", server.url, {}, largest=1000))

        assert len((await run(carrying, explain, use))[0].content) == 1001

    async def test_what_a_head_announces_is_not_expected_to_come(self, carrying: Carrying) -> None:
        async def announce(writer: Any, _n: int) -> bool:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
            return True

        async def use(transport: HttpTransport, server: BrokenServer) -> Response:
            return await transport.send(Request("HEAD", server.url, {}, largest=1000))

        assert (await run(carrying, announce, use))[0].content == b""

    async def test_connections_are_kept_and_used_again(self, carrying: Carrying) -> None:
        async def use(transport: HttpTransport, server: BrokenServer) -> None:
            for _ in range(5):
                await post()(transport, server)

        _, server = await run(carrying, fine, use)
        assert (len(server.requests), server.connections) == (5, 1)

    async def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(self, carrying: Carrying) -> None:
        async def once(writer: Any, _n: int) -> bool:
            writer.write(OK)
            return False

        async def use(transport: HttpTransport, server: BrokenServer) -> None:
            await post()(transport, server)
            await asyncio.sleep(0.05)
            await post()(transport, server)

        _, server = await run(carrying, once, use)
        assert (len(server.requests), server.connections) == (2, 2)

    async def test_a_redirect_is_an_answer_like_others(self, carrying: Carrying) -> None:
        async def redirect(writer: Any, _n: int) -> bool:
            writer.write(http_response("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/"))
            return True

        given, server = await run(carrying, redirect, post())
        assert (given.status, len(server.requests)) == (307, 1)

    async def test_the_environments_certificate_authority_is_trusted(
        self, carrying: Carrying, authority: trustme.CA
    ) -> None:
        assert (await over_tls(carrying, authority, "localhost")).status == 200

    async def test_a_certificate_for_another_host_sends_nothing_and_says_so(
        self, carrying: Carrying, authority: trustme.CA
    ) -> None:
        with pytest.raises(NotWrittenError, match="certificate") as caught:
            await over_tls(carrying, authority, "elsewhere.example")
        assert not caught.value.transient

    @pytest.mark.usefixtures("authority")
    async def test_a_certificate_of_another_authority_sends_nothing(self, carrying: Carrying) -> None:
        with pytest.raises(NotWrittenError, match="certificate"):
            await over_tls(carrying, trustme.CA(), "localhost")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that the environment trusts."""
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


async def over_tls(carrying: Carrying, authority: trustme.CA, name: str) -> Response:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    server = await asyncio.start_server(BrokenServer(fine).handle, "127.0.0.1", 0, ssl=context)
    try:
        async with carrying() as transport:
            port = server.sockets[0].getsockname()[1]
            given: Response = await transport.send(Request("POST", f"https://localhost:{port}", {}, b"x"))
            return given
    finally:
        server.close()
        await server.wait_closed()


class TestOverAsyncio:
    async def test_a_get_whose_connection_was_dropped_is_not_repeated_behind_the_callers_back(self) -> None:
        async def drop_the_second(writer: Any, n: int) -> bool:
            if n == 1:
                writer.write(OK)
            return n == 1

        async def use(transport: HttpTransport, server: BrokenServer) -> None:
            await transport.send(Request("GET", server.url, {}))
            with pytest.raises(ResponseLostError):
                await transport.send(Request("GET", server.url, {}))

        _, server = await run(over_asyncio, drop_the_second, use)
        assert (len(server.requests), server.connections) == (2, 1)

    async def test_what_was_written_is_kept_account_of(self) -> None:
        async def use(transport: HttpTransport, server: BrokenServer) -> tuple[bool, bool]:
            arrived = Request("POST", server.url, {}, b"x")
            refused = Request("POST", f"http://127.0.0.1:{reserve_port()}", {}, b"x")
            await transport.send(arrived)
            with pytest.raises(NotWrittenError):
                await transport.send(refused)
            return arrived.written, refused.written

        assert (await run(over_asyncio, fine, use))[0] == (True, False)

    async def test_a_server_that_accepts_no_connection_in_time_was_sent_nothing(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            place = full.getsockname()
            # The backlog of a listener that nobody serves is soon full; then connecting takes for ever.
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.settimeout(0)
                one.connect_ex(place)
            async with over_asyncio() as transport:
                request = Request("POST", f"http://127.0.0.1:{place[1]}", {}, b"x", 5.0, connect_seconds=0.2)
                with pytest.raises(NotWrittenError, match=r"no connection within 0\.2 s"):
                    await transport.send(request)
            for one in waiting:
                one.close()

    async def test_the_environments_proxy_is_used_and_its_exceptions_are_kept(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serve_broken(fine) as proxy, serve_broken(fine) as direct:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            async with over_asyncio() as transport:
                await transport.send(Request("GET", "http://api.twilio.test/x", {}))
                await transport.send(Request("GET", direct.url, {}))
        assert proxy.requests[0].startswith(b"GET http://api.twilio.test/x HTTP/1.1")
        assert len(direct.requests) == 1

    async def test_a_proxy_that_cannot_be_reached_was_sent_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{reserve_port()}")
        async with over_asyncio() as transport:
            with pytest.raises(NotWrittenError):
                await transport.send(Request("POST", "https://api.twilio.test", {}, b"x"))

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    async def test_the_authorities_of_other_tools_count_too(
        self, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        authority, file = trustme.CA(), tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv(variable, str(file))
        assert (await over_tls(over_asyncio, authority, "localhost")).status == 200

    async def test_authorities_that_cannot_be_read_are_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
        with pytest.raises(
            NotWrittenError, match=r"REQUESTS_CA_BUNDLE names .*absent\.pem, which cannot be used"
        ) as caught:
            await over_tls(over_asyncio, trustme.CA(), "localhost")
        assert not caught.value.transient


async def hang_up(_writer: asyncio.StreamWriter, _number: int) -> bool:
    return False


async def reset(writer: asyncio.StreamWriter, _number: int) -> bool:
    writer.transport.abort()
    return False


def say(content: bytes) -> Callable[[asyncio.StreamWriter, int], Awaitable[bool]]:
    async def reaction(writer: asyncio.StreamWriter, _number: int) -> bool:
        writer.write(content)
        await writer.drain()
        return False

    return reaction


PROXIES = {
    "hangs up": hang_up,
    "resets": reset,
    "says no HTTP": say(b"SSH-2.0-x\r\n\r\n"),
    "cuts its head off": say(b"HTTP/1.1 200 Conn"),
    "says 502": say(http_response("502 Bad Gateway", b"")),
    "says 407": say(http_response("407 Proxy Authentication Required", b"")),
    "opens a tunnel to nothing": say(b"HTTP/1.1 200 Connection established\r\n\r\n"),
}


class TestThroughAProxy:
    """A tunnel that does not stand carries nothing: whatever the proxy does, the request was not written."""

    @pytest.mark.parametrize("behaviour", PROXIES)
    async def test_a_proxy_that_fails_before_the_tunnel_was_sent_nothing(
        self, behaviour: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serve_broken(PROXIES[behaviour]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with over_asyncio() as transport:
                await self.refuse(transport, proxy, transient=behaviour != "says 407")

    @pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
    @pytest.mark.parametrize("behaviour", PROXIES)
    async def test_over_httpx_too(self, behaviour: str, library: Any) -> None:
        async with serve_broken(PROXIES[behaviour]) as proxy, library.AsyncHTTPTransport(proxy=proxy.url) as injected:
            await self.refuse(HttpxTransport(injected), proxy)

    async def refuse(self, transport: HttpTransport, proxy: BrokenServer, *, transient: bool = True) -> None:
        request = Request("POST", "https://api.twilio.test/x", {}, b"x")
        with pytest.raises(NotWrittenError) as caught:
            await transport.send(request)
        assert (request.written, caught.value.transient) == (False, transient)
        assert [one.partition(b" ")[0] for one in proxy.requests] == [b"CONNECT"]

    async def test_an_open_proxy_that_drops_a_request_to_plain_http_may_have_passed_it_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serve_broken(hang_up) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with over_asyncio() as transport:
                with pytest.raises(ResponseLostError):
                    await transport.send(Request("POST", "http://api.twilio.test/x", {}, b"x"))


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
class TestOverAnInjectedTransport:
    def test_a_connect_error_proves_that_nothing_was_sent(self, library: Any) -> None:
        assert never_written(library.ConnectError("refused"), library)

    def test_a_connect_timeout_does_not_when_aiohttp_says_the_server_hung_up(self, library: Any) -> None:
        error = library.ConnectTimeout("Server disconnected")
        error.__cause__ = aiohttp.ServerDisconnectedError()
        assert not never_written(error, library)

    def test_it_does_when_aiohttp_says_that_no_connection_was_made(self, library: Any) -> None:
        error = library.ConnectTimeout("refused")
        error.__cause__ = aiohttp.ConnectionTimeoutError()
        assert never_written(error, library)

    def test_a_read_error_does_not(self, library: Any) -> None:
        assert not never_written(library.ReadError("cut"), library)

    async def test_a_url_that_cannot_be_one_is_never_written(self, library: Any) -> None:
        transport = HttpxTransport(library.MockTransport(lambda _request: library.Response(200)))
        with pytest.raises(NotWrittenError) as caught:
            await transport.send(Request("POST", "http://a\n", {}, b"x"))
        assert not caught.value.transient

    async def test_an_error_of_the_system_leaves_the_outcome_unknown(self, library: Any) -> None:
        async def fail(_request: Any) -> Any:
            raise ConnectionResetError("reset by peer")

        with pytest.raises(ResponseLostError, match="reset by peer"):
            await HttpxTransport(library.MockTransport(fail)).send(Request("POST", "http://a.test", {}, b"x"))

    def test_a_client_is_refused_with_what_to_give_instead(self, library: Any) -> None:
        for client in (library.Client, library.AsyncClient):
            expected = rf"not {library.__name__}\.{client.__name__}; give the transport that the client was made with"
            with pytest.raises(TypeError, match=expected):
                Host(transport=client(trust_env=False))

    def test_a_synchronous_transport_is_refused_with_its_asynchronous_form(self, library: Any) -> None:
        with pytest.raises(TypeError, match=rf"it is synchronous, and {library.__name__}\.AsyncHTTPTransport is its"):
            Host(transport=library.HTTPTransport(trust_env=False))


@pytest.mark.parametrize(
    ("transport", "name"),
    [(object(), "builtins.object"), ("http://x", "builtins.str"), (AsyncioTransport(), "Asyncio")],
)
def test_what_is_not_a_transport_of_either_library_is_refused_by_name_when_it_is_given(
    transport: Any, name: str
) -> None:
    with pytest.raises(TypeError, match=rf"must be an AsyncBaseTransport of httpx or httpx2, not .*{name}"):
        Host(transport=transport)
    with pytest.raises(TypeError, match="must be an AsyncBaseTransport"):
        BlockingHost(lambda: Host(transport=transport)).components  # noqa: B018 - it opens the host


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("text/plain", b"\xc3\xbc", "ü"),
        ("text/plain; charset=ISO-8859-1", b"\xfc", "ü"),
        ('text/plain; charset="utf-16-le"', b"\xfc\x00", "ü"),
        ("text/plain; charset=klingon", b"\xc3\xbc", "ü"),
        ("", b"\xfc", "\ufffd"),
    ],
)
def test_an_answers_text_is_read_by_its_charset(kind: str, content: bytes, text: str) -> None:
    assert Response(200, {"content-type": kind}, content).text == text
