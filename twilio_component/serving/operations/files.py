"""The files of the page, and the policy that the browser enforces: those of the emulator's inbox, and its parts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.responses import Response

from twilio_component.emulator.control import static

FOLDER = Path(__file__).with_name("page")
# What both pages are made with: elements, dialogs, notices, themes.
SHARED = ("base.css", "dialogs.js", "dom.js", "icons.js", "notices.js", "theme.js", "themes.js")


def file_response(name: str) -> Response:
    """The file of the page with this name, or a 404."""
    found = _files().get(name)
    if found is None:
        return Response(status_code=404, headers=static.HEADERS)
    content_type, content = found
    return Response(content, headers={**static.HEADERS, "Content-Type": content_type})


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    return {**static.page_files(static.FILES, SHARED), **static.page_files(FOLDER)}
