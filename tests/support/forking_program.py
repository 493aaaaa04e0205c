"""A program that imports what serving processes import, and forks one for each request: see `forked_programs`."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

_IMPORTED = (
    "twilio_component.cli.main",
    "twilio_component.cli.commands.serve",
    "twilio_component.durable.engine",
    "twilio_component.serving.server",
    "twilio_component.serving.worker",
    "twilio_component.twilio.plugin",
    "twilio_component.builtins.plugin",
)


def main() -> int:
    """Fork a process for each request until there are no more; in each of them, run its program and return its code."""
    sys.path[0] = str(Path(__file__).parents[1])
    for module in _IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is shared by all of them is no garbage of theirs
    connection = socket.socket(fileno=int(sys.argv[1]))
    while True:
        size, files, _flags, _address = socket.recv_fds(connection, 4, 2)
        if not size:
            return 0
        request = json.loads(connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        output, status = files
        if not os.fork() and _is_forked(status):
            connection.close()
            os.close(status)
            return _run(request, output)
        os.close(output)
        os.close(status)
        _forget_ended()


def _is_forked(status: int) -> bool:
    """True in a process of its own; its parent tells its number and its exit code, and ends with it."""
    pid = os.fork()
    if not pid:
        return True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.write(status, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _run(request: dict[str, Any], output: int) -> int:
    """Be as a process that has just been started, and run the program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - its descriptor is what counts
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    arguments = request["arguments"]
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    if "PYTHONFAULTHANDLER" in os.environ:
        faulthandler.enable()
    if request["folder"]:
        os.chdir(request["folder"])
    module = importlib.import_module(request["module"])
    sys.argv[1:] = arguments
    code: int = module.run(arguments)
    return code


def _forget_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    sys.exit(main())
