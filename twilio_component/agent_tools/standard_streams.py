"""The streams of a server whose client is at its standard input and output.

The SDK reads standard input in a thread that nothing can interrupt: Ctrl-C would wait until the client writes or goes
away. Here it is lines that a signal can end. Standard output belongs to the protocol alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TextIO

_DEFAULTS: Mapping[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextmanager
def output_of_the_protocol() -> Iterator[TextIO]:
    """Provide standard output to the protocol; what anybody else writes there meanwhile goes to standard error."""
    sys.stdout.flush()
    descriptor = sys.stdout.fileno()
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8", newline="\n") as output:
        os.dup2(2, descriptor)
        try:
            yield output
        finally:
            sys.stdout.flush()
            os.dup2(output.fileno(), descriptor)


class InputLines:
    """The lines of a binary stream, one for each step of ``async for``, until it ends or ``end`` is called.

    Make them in the event loop that reads them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        # Nobody waits for this thread: it ends with the stream or with the process.
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    def __aiter__(self) -> InputLines:
        """Return these lines."""
        return self

    async def __anext__(self) -> str:
        """Return the next line; what is not UTF-8 in it is replaced."""
        line = await self._lines.get()
        if not line:
            raise StopAsyncIteration
        return line

    def end(self) -> None:
        """End the lines, as the end of the stream would."""
        self._lines.put_nowait("")

    def _read(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody reads any more
            while line := self._stream.readline():
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line.decode("utf-8", "replace"))
            self._loop.call_soon_threadsafe(self.end)


@contextmanager
def input_until_signal() -> Iterator[InputLines]:
    """Provide the lines of standard input; SIGINT or SIGTERM ends them, and a second one the process."""
    # A descriptor of its own: at exit Python closes its own stream, which the thread may be reading.
    stream = os.fdopen(os.dup(sys.stdin.fileno()), "rb", closefd=False)
    lines = InputLines(stream)
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        _leave_signals()
        loop.call_soon_threadsafe(lines.end)

    for number in _DEFAULTS:
        signal.signal(number, stop)  # not the loop's: Windows' has no signal handlers
    try:
        yield lines
    finally:
        _leave_signals()


def _leave_signals() -> None:
    for number, handler in _DEFAULTS.items():
        signal.signal(number, handler)
