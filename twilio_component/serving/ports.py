"""Listening sockets, and the sentence for a port that cannot be listened on. Imports nothing of the extra ``serve``."""

from __future__ import annotations

import os
import socket

from twilio_component.host.errors import InputError, Problem

_BACKLOG = 2048


def port_problem(option: str, port: int, error: OSError) -> Problem:
    """Return the problem of a command-line option whose port cannot be listened on."""
    reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error.strerror or error)
    return Problem(option, f"cannot listen on port {port}: {reason}")


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Return a socket that listens on ``host`` and ``port``; raises ``InputError`` where that is not possible.

    ``option`` is the one that gives the port; that of the host ends in ``host`` instead.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        problem = Problem(option.replace("port", "host"), f"'{host}' is not an address or a name of this machine")
        raise InputError("The server could not start", [problem]) from error
    server = socket.socket(family, kind, protocol)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise InputError("The server could not start", [port_problem(option, port, error)]) from error
    return server
