"""The inbox's page and the files that it consists of, with the policy that the browser enforces."""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.emulator.http import Response, json_response

if TYPE_CHECKING:
    from twilio_component.emulator.http import Request

# The page itself is at "/".
_FOLDER = "/_emulator/inbox/"
FILES = Path(__file__).with_name("inbox_page")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
# Nothing but these files runs or is loaded, whatever a message says: no inline script or style, no other host, no text
# that becomes markup (trusted types), no frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


def is_part_of_it(path: str) -> bool:
    """Return whether ``path`` is that of the page, or of one of its files."""
    return path == "/" or path.startswith(_FOLDER)


def respond(request: Request) -> Response:
    """Return the page, or one of its files."""
    if request.method not in ("GET", "HEAD"):
        return json_response(405, {"error": "the inbox is read with GET"}, {**HEADERS, "Allow": "GET, HEAD"})
    found = _files().get("index.html" if request.path == "/" else request.path.removeprefix(_FOLDER))
    if found is None:
        return json_response(404, {"error": "the inbox has no such file"}, HEADERS)
    content_type, content = found
    return Response(200, content, {"Content-Type": content_type, **HEADERS})


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    return page_files(FILES)


def page_files(folder: Path, names: Container[str] | None = None) -> dict[str, tuple[str, bytes]]:
    """Return the files of a page by name, with their types: no other file can be requested.

    ``names`` selects some of the folder's files.
    """
    return {
        path.name: (f"{_TYPES[path.suffix]}; charset=utf-8", path.read_bytes())
        for path in folder.iterdir()
        if path.suffix in _TYPES and (names is None or path.name in names)
    }
