"""The host's own HTTP/1.1: what it writes, what it makes of odd responses, and how it uses connections."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.broken_server import BrokenServer, Reaction, http_response, serve_broken
from support.waiting import until_async

from twilio_component.host.http import asyncio_transport
from twilio_component.host.http.asyncio_transport import AsyncioTransport
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError

OK = http_response("200 OK", b"fine")


@asynccontextmanager
async def served(reaction: Reaction) -> AsyncIterator[tuple[BrokenServer, AsyncioTransport]]:
    transport = AsyncioTransport()
    async with serve_broken(reaction) as server:
        try:
            yield server, transport
        finally:
            await transport.aclose()


def say(*parts: bytes, stay: bool = True) -> Callable[[asyncio.StreamWriter, int], Awaitable[bool]]:
    """Write the parts one by one, each in a packet of its own."""

    async def react(writer: asyncio.StreamWriter, _number: int) -> bool:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        return stay

    return react


async def response_to(reaction: Reaction, method: str = "GET", **options: Any) -> Response:
    async with served(reaction) as (server, transport):
        return await transport.send(Request(method, server.url, {}, **options))


async def written(request: Callable[[str], Request]) -> bytes:
    """What arrives of a request to the server of this URL."""
    async with served(say(OK)) as (server, transport):
        await transport.send(request(server.url))
        return server.requests[0]


class TestWhatIsWritten:
    async def test_the_host_the_length_and_what_can_be_unpacked_are_sent(self) -> None:
        head = (await written(lambda url: Request("POST", f"{url}/a?b=c#d", {"X-A": "1"}, b"xyz"))).decode()
        host = head.partition("Host: ")[2].partition("\r\n")[0]
        assert head == (
            f"POST /a?b=c HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip, deflate\r\nContent-Length: 3\r\n"
            "X-A: 1\r\n\r\nxyz"
        )
        assert host.startswith("127.0.0.1:")

    async def test_a_get_has_no_length_and_a_post_without_a_body_has_the_length_zero(self) -> None:
        assert b"Content-Length" not in await written(lambda url: Request("GET", url, {}))
        assert b"Content-Length: 0\r\n" in await written(lambda url: Request("POST", url, {}))

    async def test_headers_of_the_caller_replace_those_that_would_be_added(self) -> None:
        given = {"Host": "a.test", "accept-encoding": "identity", "Authorization": "Mine"}
        head = await written(lambda url: Request("GET", url.replace("//", "//ada:pass@"), given))
        assert head == b"GET / HTTP/1.1\r\nHost: a.test\r\naccept-encoding: identity\r\nAuthorization: Mine\r\n\r\n"

    async def test_the_length_is_that_of_the_body_whatever_the_caller_says(self) -> None:
        given = {"Content-Length": "1", "Transfer-Encoding": "chunked"}
        head = await written(lambda url: Request("PUT", url, given, b"xyz"))
        assert head.count(b"ontent-") == 1
        assert b"Content-Length: 3\r\n" in head
        assert b"ransfer-" not in head

    async def test_a_user_in_the_url_becomes_an_authorization(self) -> None:
        head = await written(lambda url: Request("GET", url.replace("//", "//ada:p%40ss@"), {}))
        assert f"Authorization: Basic {base64.b64encode(b'ada:p@ss').decode()}\r\n".encode() in head

    @pytest.mark.parametrize("text", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
    @pytest.mark.parametrize("in_the_name", [True, False])
    async def test_a_header_that_would_become_two_is_not_sent(self, text: str, *, in_the_name: bool) -> None:
        headers = {text: "x"} if in_the_name else {"X-A": text}
        async with served(say(OK)) as (server, transport):
            with pytest.raises(NotWrittenError, match="a header must be on one line") as caught:
                await transport.send(Request("GET", server.url, headers))
            assert not caught.value.transient
            assert server.connections == 0

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/a b",
            "http://127.0.0.1/ü",
            "http://127.0.0.1/\r\nX: y",
            "http://127.0.0.1:x/",
            "http://[::1/",
            "http:///a",
            "a/b",
            "http://a..b/",
        ],
    )
    async def test_a_url_that_is_not_valid_is_not_sent(self, url: str) -> None:
        with pytest.raises(NotWrittenError) as caught:
            await AsyncioTransport().send(Request("GET", url, {}))
        assert not caught.value.transient

    async def test_an_address_of_version_6_is_written_in_brackets(self) -> None:
        server = BrokenServer(say(OK))
        try:
            listening = await asyncio.start_server(server.handle, "::1", 0)
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = listening.sockets[0].getsockname()[1]
        transport = AsyncioTransport()
        await transport.send(Request("GET", f"http://[::1]:{port}/", {}))
        await transport.aclose()
        listening.close()
        assert f"Host: [::1]:{port}\r\n".encode() in server.requests[0]


class TestOddResponses:
    async def test_interim_responses_are_passed_over(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        given = await response_to(say(interim, OK))
        assert (given.status, given.content, "link" in given.headers) == (200, b"fine", False)

    async def test_a_body_without_a_length_ends_with_the_connection(self) -> None:
        given = await response_to(say(b"HTTP/1.0 200 OK\r\n\r\n", b"first ", b"second", stay=False))
        assert given.content == b"first second"

    async def test_a_body_in_chunks_comes_whole_in_however_many_pieces(self) -> None:
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n3;x=y\r\n!!!\r\n0\r\nT: v\r\n\r\n"
        given = await response_to(say(*(chunks[at : at + 7] for at in range(0, len(chunks), 7))))
        assert given.content == b"fine!!!"

    async def test_chunks_without_the_last_one_are_a_lost_response(self) -> None:
        cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n"
        with pytest.raises(ResponseLostError, match="closed in the middle of the response"):
            await response_to(say(cut, stay=False))

    async def test_a_status_without_a_body_needs_no_length(self) -> None:
        async with served(say(b"HTTP/1.1 204 No Content\r\n\r\n")) as (server, transport):
            for _ in range(2):
                assert (await transport.send(Request("DELETE", server.url, {}))).status == 204
            assert server.connections == 1

    async def test_repeated_headers_are_joined_and_found_in_any_case(self) -> None:
        given = await response_to(say(http_response("200 OK", b"", "X-A: 1", "x-a: 2", "X-Utf: ü")))
        assert (given.headers["X-A"], given.headers.get("X-UTF"), given.headers.get("y")) == ("1, 2", "ü", None)
        assert {"x-a", "X-a"} <= {*given.headers, "X-a"}
        assert "X-a" in given.headers

    async def test_two_lengths_that_differ_are_a_lost_response(self) -> None:
        with pytest.raises(ResponseLostError, match="not HTTP"):
            await response_to(say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine!"))

    async def test_a_length_beside_chunks_is_a_lost_response(self) -> None:
        both = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
        with pytest.raises(ResponseLostError, match="not HTTP"):
            await response_to(say(both))

    async def test_a_head_without_an_end_is_a_lost_response(self) -> None:
        with pytest.raises(ResponseLostError, match="head of the response is longer"):
            await response_to(say(b"HTTP/1.1 200 OK\r\n", *[b"X-A: " + b"x" * 9_000 + b"\r\n"] * 8))

    async def test_a_long_body_may_come_together_with_its_head(self) -> None:
        body = bytes(1 << 20)
        assert (await response_to(say(http_response("200 OK", body)))).content == body

    async def test_another_protocol_is_a_lost_response(self) -> None:
        switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
        with pytest.raises(ResponseLostError, match="another protocol"):
            await response_to(say(switching))


class TestConnections:
    async def test_a_connection_whose_server_wants_to_close_it_is_not_used_again(self) -> None:
        async with served(say(http_response("200 OK", b"fine", "Connection: close"))) as (server, transport):
            for _ in range(3):
                await transport.send(Request("GET", server.url, {}))
            assert server.connections == 3

    async def test_a_connection_with_more_than_its_response_is_not_used_again(self) -> None:
        async with served(say(OK + http_response("200 OK", b"for somebody else"))) as (server, transport):
            for _ in range(3):
                assert (await transport.send(Request("GET", server.url, {}))).content == b"fine"
            assert server.connections == 3

    async def test_a_connection_on_which_a_server_speaks_unasked_is_not_used_again(self) -> None:
        async def speak_twice(writer: asyncio.StreamWriter, _number: int) -> bool:
            writer.write(OK)
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(http_response("408 Request Timeout", b""))
            return True

        async with served(speak_twice) as (server, transport):
            await transport.send(Request("GET", server.url, {}))
            await asyncio.sleep(0.1)
            assert (await transport.send(Request("GET", server.url, {}))).status == 200
            assert server.connections == 2

    async def test_a_connection_that_was_idle_for_long_is_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asyncio_transport, "_IDLE_SECONDS", 0.05)
        async with served(say(OK)) as (server, transport):
            await transport.send(Request("GET", server.url, {}))
            await until_async(lambda: not server.handlers, "the server sees the connection closed", 5)
            await transport.send(Request("GET", server.url, {}))
            assert server.connections == 2

    async def test_requests_beyond_the_most_connections_wait_and_use_those_that_come_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asyncio_transport, "_MOST_CONNECTIONS", 3)
        async with served(say(OK)) as (server, transport):
            found = await asyncio.gather(*(transport.send(Request("GET", server.url, {})) for _ in range(20)))
            assert [one.content for one in found] == [b"fine"] * 20
            assert server.connections == 3

    async def test_a_request_that_waits_too_long_for_a_connection_was_not_written(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asyncio_transport, "_MOST_CONNECTIONS", 1)

        async def silence(_writer: asyncio.StreamWriter, _number: int) -> bool:
            await asyncio.Event().wait()
            return False

        async with served(silence) as (server, transport):
            first = asyncio.create_task(transport.send(Request("GET", server.url, {})))
            await until_async(lambda: server.requests, "the first request has arrived", 5)
            late = Request("POST", server.url, {}, b"x", 0.05)
            with pytest.raises(NotWrittenError, match=r"no connection within 0\.05 s"):
                await transport.send(late)
            assert not late.written
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            with pytest.raises(ResponseLostError):  # its place is free again
                await transport.send(Request("GET", server.url, {}, seconds=0.1))

    async def test_closing_ends_the_requests_under_way(self) -> None:
        async def silence(_writer: asyncio.StreamWriter, _number: int) -> bool:
            await asyncio.Event().wait()
            return False

        async with served(silence) as (server, transport):
            request = Request("POST", server.url, {}, b"x")
            under_way = asyncio.create_task(transport.send(request))
            await until_async(lambda: server.requests, "the request has arrived", 5)
            await transport.aclose()
            with pytest.raises(ResponseLostError, match="the server closed the connection"):
                await under_way
            assert request.written

    async def test_a_server_that_hangs_up_or_speaks_first_was_sent_nothing(self) -> None:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.test ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        transport = AsyncioTransport()
        request = Request("POST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {}, b"x")
        with pytest.raises((NotWrittenError, ResponseLostError)) as caught:
            await transport.send(request)
        assert request.written == isinstance(caught.value, ResponseLostError)
        await transport.aclose()
        server.close()


class Proxy:
    """A proxy that passes on what its tunnels carry."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.target: tuple[str, int] = ("", 0)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        to_reader, to_writer = await asyncio.open_connection(*self.target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["http proxy", "https proxy"])
async def test_a_tunnel_carries_requests_to_the_server_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_encrypted: bool
) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2)]
    for context, name in zip(contexts, ("api.twilio.test", "localhost"), strict=True):
        authority.issue_cert(name).configure_cert(context)
    proxy, server = Proxy(), BrokenServer(say(OK))
    async with (
        await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=contexts[0]) as behind,
        await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=contexts[1] if is_encrypted else None) as before,
    ):
        proxy.target = behind.sockets[0].getsockname()
        port = before.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http{'s' if is_encrypted else ''}://ada:secret@localhost:{port}")
        transport = AsyncioTransport()
        for _ in range(2):
            request = Request("POST", "https://api.twilio.test/x", {}, b"x")
            assert (await transport.send(request)).content == b"fine"
        await transport.aclose()
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT api.twilio.test:443 HTTP/1.1\r\nHost: api.twilio.test:443\r\n")
    credentials = base64.b64encode(b"ada:secret").decode()
    assert f"Proxy-Authorization: Basic {credentials}\r\n".encode() in proxy.heads[0]
    assert len(server.requests) == 2
    assert b"Host: api.twilio.test\r\n" in server.requests[0]
    assert b"Proxy" not in server.requests[0]


async def test_a_proxy_of_another_kind_is_refused_in_words_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ada:secret@127.0.0.1:1080")
    with pytest.raises(NotWrittenError, match="the proxy must be given as an http:// or https:// URL") as caught:
        await AsyncioTransport().send(Request("GET", "https://api.twilio.test/x", {}))
    assert not caught.value.transient
    assert "secret" not in str(caught.value)


async def test_a_proxy_for_plain_http_is_told_the_whole_url_and_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(say(OK)) as (proxy, transport):
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//ada:secret@"))
        await transport.send(Request("GET", "http://api.twilio.test:81/x?y=1", {}))
        head = proxy.requests[0]
    assert head.startswith(b"GET http://api.twilio.test:81/x?y=1 HTTP/1.1\r\nHost: api.twilio.test:81\r\n")
    assert b"Proxy-Authorization: Basic " in head
