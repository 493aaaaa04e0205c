"""Standard input of the MCP server: lines that the client's end or a signal ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twilio_component.agent_tools.standard_streams import input_until_signal


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The descriptor that a client writes to."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        yield writing
        os.close(writing)


async def test_lines_are_read_until_the_client_goes_away(client: int) -> None:
    with input_until_signal() as lines:
        os.write(client, "größe\n".encode() + b"\xff\nlast")
        with Path(os.devnull).open("wb") as elsewhere:
            os.dup2(elsewhere.fileno(), client)  # as a client does that ends
        assert [line async for line in lines] == ["größe\n", "\N{REPLACEMENT CHARACTER}\n", "last"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_them_though_the_client_neither_writes_nor_goes_away(
    client: int, number: signal.Signals
) -> None:
    with input_until_signal() as lines:
        os.write(client, b"first\n")
        async with asyncio.timeout(20):
            assert await anext(lines) == "first\n"
            signal.raise_signal(number)
            assert [line async for line in lines] == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # a second one does not wait


async def test_a_signal_ends_them_in_a_loop_without_signal_handlers_as_on_windows(
    client: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise NotImplementedError

    for name in ("add_signal_handler", "remove_signal_handler"):
        monkeypatch.setattr(asyncio.get_running_loop(), name, missing)
    with input_until_signal() as lines:
        os.write(client, b"first\n")
        async with asyncio.timeout(20):
            assert await anext(lines) == "first\n"
            signal.raise_signal(signal.SIGINT)
            assert [line async for line in lines] == []


def test_what_others_print_never_gets_between_the_messages_of_the_protocol() -> None:
    program = """
import os
from twilio_component.agent_tools.standard_streams import output_of_the_protocol
print("before")
with output_of_the_protocol() as output:
    print("printed, and still in a buffer")
    os.write(1, b"written by a library in C\\n")
    output.write('{"message": "Grüße"}\\n')
print("after")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.decode().splitlines() == ["before", '{"message": "Grüße"}', "after"]
    assert sorted(ran.stderr.decode().splitlines()) == ["printed, and still in a buffer", "written by a library in C"]
