"""Another system's server, on a port of its own: it remembers what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class HttpInbox:
    """A server that keeps the headers and bodies that it gets; it refuses the first ``refuses`` requests."""

    def __init__(self, refuses: int = 0) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.got.append((dict(self.headers), body))
                self.send_response(500 if len(inbox.got) <= refuses else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def http_inbox(refuses: int = 0) -> Iterator[HttpInbox]:
    """Such a server, ended in the end."""
    inbox = HttpInbox(refuses)
    thread = Thread(target=inbox.server.serve_forever)
    thread.start()
    try:
        yield inbox
    finally:
        inbox.server.shutdown()
        inbox.server.server_close()
        thread.join()
