"""Connections that say nothing, or too little, or are too many, are closed; requests get through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from twilio_component.serving import connection_bounds
from twilio_component.serving.connection_bounds import BoundedProtocol, bounds, max_connections

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def app(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> AsyncIterator[int]:
    """A server with these attributes of the protocol; its port."""
    options = bounds(lambda _address: False)
    for name, value in attributes.items():
        monkeypatch.setattr(options["http"], name, value)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Without its handlers of signals, which are the test run's.
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listening])
        task = asyncio.create_task(server.main_loop())
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task
            await server.shutdown(sockets=[listening])


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 10) == b""
    except ConnectionError:
        return True


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"X-A: "])
async def test_a_connection_without_a_whole_head_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_bounds, "HEAD_SECONDS", 0.2)
    async with serving(monkeypatch) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert await is_closed(reader)
        writer.close()


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"", HEAD])
async def test_so_is_one_that_stops_after_a_request(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_bounds, "HEAD_SECONDS", 0.2)
    async with serving(monkeypatch) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n" + HEAD + b"\r\n" + sent)
        received = b""
        while piece := await asyncio.wait_for(reader.read(1000), 10):
            received += piece
        assert received.count(b"204 No Content") == 2
        writer.close()


@pytest.mark.anyio
async def test_600_silent_connections_are_closed_and_the_next_request_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_bounds, "HEAD_SECONDS", 1.0)
    async with serving(monkeypatch) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(600)]
        for number, (_, writer) in enumerate(silent):
            writer.write(HEAD if number % 2 else b"")
        assert all(await asyncio.gather(*(is_closed(reader) for reader, _ in silent)))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n")
        assert b"204" in await reader.readline()
        for _, one in [*silent, (reader, writer)]:
            one.close()


@pytest.mark.anyio
async def test_one_connection_too_many_is_closed_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, limit=3) as port:
        some = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await is_closed(reader)
        some[0][1].write(HEAD + b"\r\n")
        assert b"204" in await some[0][0].readline()
        for _, one in [*some, (reader, writer)]:
            one.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("exempt", "closed"), [(False, True), (True, False)])
async def test_an_address_has_a_limit_of_its_own_unless_it_is_a_trusted_proxy(
    monkeypatch: pytest.MonkeyPatch, *, exempt: bool, closed: bool
) -> None:
    monkeypatch.setattr(connection_bounds, "is_loopback", lambda _address: False)
    monkeypatch.setattr(connection_bounds, "MAX_CONNECTIONS_PER_ADDRESS", 1)
    async with serving(monkeypatch, is_exempt=staticmethod(lambda _address: exempt)) as port:
        _, first = await asyncio.open_connection("127.0.0.1", port)
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        second.write(HEAD + b"\r\n")
        try:
            answered = b"204" in await asyncio.wait_for(reader.readline(), 10)
        except ConnectionError:
            answered = False
        assert answered is not closed
        first.close()
        second.close()


def test_files_are_left_for_twilio_and_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = {"now": (400, 400)}
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, new: limits.update(now=new))
    assert max_connections() == 200
    limits["now"] = (256, 100_000)
    assert max_connections() == 800
    assert limits["now"] == (4096, 100_000)
    assert BoundedProtocol.limit == 800
