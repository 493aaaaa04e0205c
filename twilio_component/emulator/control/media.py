"""Files of messages, as a browser may be shown them: only what can do no harm is shown, the rest is saved."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Literal

from twilio_component.emulator.api.media import HARMLESS
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.webhooks.transports import UndeliverableError, WebhookRequest

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Media
    from twilio_component.emulator.webhooks.transports import WebhookTransport

# What a browser decodes without running anything; SVG and HTML are programs.
_INLINE: dict[str, Literal["image", "audio", "video"]] = {
    **dict.fromkeys(("image/png", "image/jpeg", "image/gif", "image/webp"), "image"),
    **dict.fromkeys(("audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav"), "audio"),
    **dict.fromkeys(("video/mp4", "video/webm", "video/3gpp"), "video"),
}
_HEADERS = {
    **HARMLESS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LARGEST = 16 * 1024 * 1024
_CONNECT_SECONDS, _READ_SECONDS = 2.0, 5.0


def inline_kind(content_type: str) -> Literal["image", "audio", "video"] | None:
    """Return how a browser may show a file of this type; None where it may only be saved."""
    return _INLINE.get(_media_type(content_type))


async def media_response(media: Media, transport: WebhookTransport) -> Response:
    """Return a file. One that the application keeps is fetched from it, if webhooks may go there, and nowhere else."""
    if media.url is None:
        return _file_response(media, media.content, media.content_type)
    try:
        found = await transport.send(WebhookRequest("GET", media.url, (), {}, _CONNECT_SECONDS, _READ_SECONDS))
    except UndeliverableError as failure:
        return json_response(502, {"error": f"the file is not shown: {failure}"}, _HEADERS)
    if found.status != 200 or len(found.body) > LARGEST:  # noqa: PLR2004 - HTTP's OK
        return json_response(
            502, {"error": f"the file is not shown: HTTP {found.status}, {len(found.body)} bytes"}, _HEADERS
        )
    actual_type = next(
        (value for name, value in found.headers.items() if name.lower() == "content-type"), media.content_type
    )
    return _file_response(media, found.body, actual_type)


def _file_response(media: Media, content: bytes, content_type: str) -> Response:
    media_type = _media_type(content_type)
    if media_type in _INLINE:
        kind, disposition = media_type, "inline"
    else:
        kind, disposition = "application/octet-stream", "attachment"
    name = f"{media.sid}{mimetypes.guess_extension(media_type) or ''}"
    headers = {"Content-Type": kind, "Content-Disposition": f'{disposition}; filename="{name}"', **_HEADERS}
    return Response(200, content, headers)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
