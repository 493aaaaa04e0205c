"""The transport over aiohttp, against servers on real sockets that misbehave: one request is counted once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from wire import Wire, answer, wire

from twilio_component.host.transport import AiohttpTransport

OK = answer("200 OK", b'{"fine": true}')


async def fine(writer: Any, _n: int) -> bool:
    writer.write(OK)
    return True


def sent(method: str, url: str, *, content: bytes | None = None, read: float = 5.0) -> httpx.Request:
    timeout = {"connect": 2.0, "read": read, "pool": 5.0}
    return httpx.Request(method, url, content=content, extensions={"timeout": timeout})


async def exchange(transport: AiohttpTransport, request: httpx.Request) -> httpx.Response:
    response = await transport.handle_async_request(request)
    try:
        await response.aread()
    finally:
        await response.aclose()
    return response


def run_against(
    reaction: Any, method: str = "POST", *, read: float = 5.0
) -> tuple[httpx.TransportError, Wire, httpx.Request]:
    """One request against a reaction that makes it fail: the error, the server, the request."""

    async def run() -> tuple[httpx.TransportError, Wire, httpx.Request]:
        transport = AiohttpTransport()
        async with wire(reaction) as server:
            request = sent(method, server.url, content=b"To=x" if method == "POST" else None, read=read)
            try:
                with pytest.raises(httpx.TransportError) as caught:
                    await exchange(transport, request)
            finally:
                await transport.aclose()
        return caught.value, server, request

    return asyncio.run(run())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_request_arrives_as_it_was_written_and_its_answer_comes_back() -> None:
    async def run() -> None:
        transport = AiohttpTransport()
        async with wire(fine) as server:
            request = sent("POST", f"{server.url}/a%2Fb?DateSent%3E=2026-01-01&x=%27", content=b"To=%2B1")
            response = await exchange(transport, request)
            await transport.aclose()
        assert response.json() == {"fine": True}
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /a%2Fb?DateSent%3E=2026-01-01&x=%27 HTTP/1.1\r\n")
        assert body == b"To=%2B1"
        assert request.extensions["written"] is True

    asyncio.run(run())


def test_a_refused_connection_is_known_to_have_sent_nothing() -> None:
    async def run() -> None:
        transport = AiohttpTransport()
        request = sent("POST", f"http://127.0.0.1:{free_port()}", content=b"x")
        with pytest.raises(httpx.ConnectError):
            await exchange(transport, request)
        assert request.extensions["written"] is False
        await transport.aclose()

    asyncio.run(run())


def test_an_unknown_host_is_known_to_have_sent_nothing() -> None:
    async def run() -> None:
        transport = AiohttpTransport()
        with pytest.raises(httpx.ConnectError):
            await exchange(transport, sent("POST", "http://host.invalid", content=b"x"))
        await transport.aclose()

    asyncio.run(run())


def test_a_connection_dropped_after_the_request_was_read_is_no_connect_error() -> None:
    async def drop(_writer: Any, _n: int) -> bool:
        return False

    error, server, request = run_against(drop)

    assert type(error) is httpx.RemoteProtocolError
    assert len(server.requests) == 1
    assert request.extensions["written"] is True


def test_a_get_whose_connection_was_dropped_is_not_repeated_behind_the_callers_back() -> None:
    async def run() -> None:
        async def drop_the_second(writer: Any, n: int) -> bool:
            if n == 1:
                writer.write(OK)
                return True
            return False

        transport = AiohttpTransport()
        async with wire(drop_the_second) as server:
            await exchange(transport, sent("GET", server.url))
            with pytest.raises(httpx.RemoteProtocolError):
                await exchange(transport, sent("GET", server.url))
            await transport.aclose()
        assert (len(server.requests), server.connections) == (2, 1)

    asyncio.run(run())


def test_an_answer_cut_off_in_its_body_is_a_read_error() -> None:
    async def cut(writer: Any, _n: int) -> bool:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        return False

    error, server, _ = run_against(cut)

    assert type(error) is httpx.ReadError
    assert len(server.requests) == 1


def test_an_answer_that_does_not_come_is_a_read_timeout() -> None:
    async def silence(_writer: Any, _n: int) -> bool:
        await asyncio.sleep(1)
        return False

    error, server, request = run_against(silence, read=0.1)

    assert type(error) is httpx.ReadTimeout
    assert len(server.requests) == 1
    assert request.extensions["written"] is True


def test_an_answer_that_is_no_http_is_a_protocol_error() -> None:
    async def nonsense(writer: Any, _n: int) -> bool:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        return False

    error, _, request = run_against(nonsense)

    assert isinstance(error, httpx.RemoteProtocolError)
    assert request.extensions["written"] is True


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again() -> None:
    async def run() -> None:
        async def once(writer: Any, _n: int) -> bool:
            writer.write(OK)
            return False

        transport = AiohttpTransport()
        async with wire(once) as server:
            await exchange(transport, sent("POST", server.url, content=b"1"))
            await asyncio.sleep(0.05)
            await exchange(transport, sent("POST", server.url, content=b"2"))
            await transport.aclose()
        assert (len(server.requests), server.connections) == (2, 2)

    asyncio.run(run())


def test_connections_are_kept_and_used_again() -> None:
    async def run() -> None:
        transport = AiohttpTransport()
        async with wire(fine) as server:
            for _ in range(5):
                await exchange(transport, sent("POST", server.url, content=b"x"))
            await transport.aclose()
        assert (len(server.requests), server.connections) == (5, 1)

    asyncio.run(run())


def test_a_redirect_is_returned_not_followed() -> None:
    async def run() -> None:
        async def redirect(writer: Any, _n: int) -> bool:
            writer.write(answer("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/"))
            return True

        transport = AiohttpTransport()
        async with wire(redirect) as server:
            response = await exchange(transport, sent("POST", server.url, content=b"x"))
            await transport.aclose()
        assert response.status_code == 307
        assert len(server.requests) == 1

    asyncio.run(run())


def test_a_header_that_would_break_the_protocol_sends_nothing() -> None:
    async def run() -> None:
        transport = AiohttpTransport()
        async with wire(fine) as server:
            request = httpx.Request("POST", server.url, headers={"X-A": "a\r\nX-B: b"})
            with pytest.raises(httpx.LocalProtocolError):
                await exchange(transport, request)
            await transport.aclose()
        assert server.requests == []

    asyncio.run(run())


def test_the_environments_proxy_is_used_and_its_exceptions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with wire(fine) as proxy, wire(fine) as direct:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            transport = AiohttpTransport()
            await exchange(transport, sent("GET", "http://api.twilio.test/x"))
            await exchange(transport, sent("GET", direct.url))
            await transport.aclose()
        assert proxy.requests[0].startswith(b"GET http://api.twilio.test/x HTTP/1.1")
        assert len(direct.requests) == 1

    asyncio.run(run())


def test_a_proxy_that_cannot_be_reached_is_known_to_have_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{free_port()}")
        transport = AiohttpTransport()
        request = sent("POST", "https://api.twilio.test", content=b"x")
        with pytest.raises(httpx.ProxyError):
            await exchange(transport, request)
        assert request.extensions["written"] is False
        await transport.aclose()

    asyncio.run(run())


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
        """A certificate authority that the environment trusts."""
        authority = trustme.CA()
        file = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        return authority

    @staticmethod
    async def try_once(authority: trustme.CA, name: str) -> httpx.Response:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        served = Wire(fine)
        server = await asyncio.start_server(served.handle, "127.0.0.1", 0, ssl=context)
        transport = AiohttpTransport()
        try:
            port = server.sockets[0].getsockname()[1]
            return await exchange(transport, sent("POST", f"https://localhost:{port}", content=b"x"))
        finally:
            await transport.aclose()
            server.close()
            await server.wait_closed()

    def test_the_environments_certificate_authority_is_trusted(self, authority: trustme.CA) -> None:
        assert asyncio.run(self.try_once(authority, "localhost")).status_code == 200

    def test_a_certificate_for_another_host_sends_nothing_and_says_so(self, authority: trustme.CA) -> None:
        with pytest.raises(httpx.ConnectError, match="certificate is not valid"):
            asyncio.run(self.try_once(authority, "elsewhere.example"))

    @pytest.mark.usefixtures("authority")
    def test_a_certificate_of_another_authority_sends_nothing(self) -> None:
        with pytest.raises(httpx.ConnectError, match="certificate is not valid"):
            asyncio.run(self.try_once(trustme.CA(), "localhost"))
