"""The media of messages: listed, and downloaded from wherever Twilio keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from twilio_component.host.http.messages import Request
from twilio_component.host.pagination import collect_pages
from twilio_component.host.results import Result
from twilio_component.twilio import pages
from twilio_component.twilio.client import REDIRECTS, TwilioClient, client_for
from twilio_component.twilio.errors import RequestRefusedError, UnexpectedAnswerError
from twilio_component.twilio.inputs.urls import is_this_machine
from twilio_component.twilio.payloads import resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.results import Page

# Twilio redirects to its store of media, which may redirect to the store behind it.
_MOST_REDIRECTS = 3


async def list_page(context: Context, inputs: Mapping[str, Any], after: str | None) -> Page:
    """A page of a message's media; raises ``NotFoundError`` when the account has no such message."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Media.json"
    return await pages.list_page(client, path, "media_list", resource, after=after)


list_all = collect_pages(list_page)


async def download(context: Context, inputs: Mapping[str, Any]) -> Result:
    """A file of a message: its bytes as ``data``, and its type beside them as ``contentType``.

    Twilio redirects to another host for it, which is asked without credentials, and over HTTPS only. Raises
    ``TooLargeError`` for a file of more than ``maxBytes``, of which no more is read, ``NotFoundError`` for one that
    does not exist, and ``RequestRefusedError`` for a redirection that is not followed.
    """
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['messageSid']}/Media/{inputs['mediaSid']}"
    # Packed, a file's announced size would say nothing.
    plain = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": client.headers["User-Agent"]}
    headers = {**plain, "Authorization": client.headers["Authorization"]}
    url = client.origin + path
    for _ in range(_MOST_REDIRECTS + 1):
        request = Request("GET", url, headers, largest=inputs["maxBytes"])
        answer = await client.send(request, idempotent=True, redirects=True)
        if answer.status not in REDIRECTS:
            return Result(value=answer.content, extra={"contentType": answer.headers.get("content-type", "")})
        url, headers = _followed(client, url, answer.headers["location"]), plain
    raise UnexpectedAnswerError(
        f"The file was not found after {_MOST_REDIRECTS} redirections from one host to the next", status=answer.status
    )


def _followed(client: TwilioClient, url: str, location: str) -> str:
    """Where a redirection leads, if that may be asked: over HTTPS, or this machine when it is the connection's API."""
    try:
        target = urljoin(url, location)
        parts, own = urlsplit(target), urlsplit(client.origin)
        plainly_written = target.isascii() and target.isprintable() and " " not in target and "\\" not in target
        local = parts.scheme == own.scheme == "http" and is_this_machine(parts) and is_this_machine(own)
        if plainly_written and parts.hostname and "@" not in parts.netloc and (parts.scheme == "https" or local):
            _ = parts.port
            return target
    except ValueError:
        pass
    raise RequestRefusedError("Twilio's redirection to the file does not lead to a host over HTTPS; it is not followed")
