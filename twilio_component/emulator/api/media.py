"""The files of inbound messages, on another host: it needs no credentials, and rejects requests that carry any."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response

if TYPE_CHECKING:
    from twilio_component.emulator.model.message import Media
    from twilio_component.emulator.state import ApiCall

PATH = "/media/{account}/{media}"

_HOST = "media.twiliocdn.com"

# A server shows files from its own address: what strangers have sent must not run there.
HARMLESS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


def url(call: ApiCall, media: Media) -> str:
    """Return where the file is. A server on a port has no second host: there it is another name of this machine."""
    api = urlsplit(call.request.base_url)
    host = _HOST if api.port is None else f"{_other_name(api.hostname)}:{api.port}"
    return f"{api.scheme}://{host}{PATH.format(account=call.account.sid, media=media.sid)}"


def fetch(call: ApiCall) -> Response:
    """Return the file, for anybody who knows where it is."""
    if "authorization" in call.request.headers:
        return Response(400, b"<Error><Code>InvalidArgument</Code></Error>", {"Content-Type": "application/xml"})
    found = [one for message in call.account.messages for one in message.media if one.sid == call.names["media"]]
    if not found or found[0].url is not None:
        raise ApiError(20404, path=call.request.path)
    return Response(200, found[0].content, {"Content-Type": found[0].content_type, **HARMLESS})


def _other_name(host: str | None) -> str:
    return "127.0.0.1" if host == "localhost" else "localhost"
