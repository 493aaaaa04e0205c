"""Lists the media of messages, and downloads them from Twilio's store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from twilio_component.host.errors import InputError, Problem
from twilio_component.host.http.messages import Request
from twilio_component.host.pagination import collect_pages
from twilio_component.host.results import Result
from twilio_component.twilio import pages
from twilio_component.twilio.client import REDIRECTS, TwilioClient, client_for
from twilio_component.twilio.credentials import API_VERSION
from twilio_component.twilio.errors import RequestRefusedError, UnexpectedResponseError
from twilio_component.twilio.inputs.media import media_location
from twilio_component.twilio.inputs.urls import is_this_machine
from twilio_component.twilio.payloads import resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.results import Page

# Twilio redirects to its store of media, which may redirect to the store behind it.
_MAX_REDIRECTS = 3


async def list_page(context: Context, inputs: Mapping[str, Any], after: str | None) -> Page:
    """Return a page of a message's media; raises ``NotFoundError`` when the message does not exist."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Media.json"
    return await pages.list_page(client, path, "media_list", resource, after=after)


list_all = collect_pages(list_page)


async def download(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Return a file of a message: its bytes as ``data``, and its type beside them as ``contentType``.

    Twilio redirects to another host, which is requested without credentials and over HTTPS only. Raises
    ``TooLargeError`` for a file of more than ``maxBytes`` (no more is read), ``NotFoundError`` for a file that does not
    exist, and ``RequestRefusedError`` for a redirect that is not followed.
    """
    client = client_for(context, inputs["twilioConnection"])
    path = _path(client, inputs)
    # With compression, the announced size would not be the file's.
    plain = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": client.headers["User-Agent"]}
    headers = {**plain, "Authorization": client.headers["Authorization"]}
    url = client.origin + path
    for _ in range(_MAX_REDIRECTS + 1):
        request = Request("GET", url, headers, largest=inputs["maxBytes"])
        response = await client.send(request, idempotent=True, redirects=True)
        if response.status not in REDIRECTS:
            return Result(value=response.content, extra={"contentType": response.headers.get("content-type", "")})
        url, headers = _redirect_target(client, url, response.headers["location"]), plain
    raise UnexpectedResponseError(f"The file was not found after {_MAX_REDIRECTS} redirects", status=response.status)


def _path(client: TwilioClient, inputs: Mapping[str, Any]) -> str:
    if "media" not in inputs:
        return f"{client.account_path}/Messages/{inputs['messageSid']}/Media/{inputs['mediaSid']}"
    try:
        account, message, media = media_location(inputs["media"])
    except ValueError as error:
        raise InputError("The inputs are not valid", [Problem("$.inputs.media", str(error))]) from error
    # A message of a sub-account is read with the credentials of its parent.
    account_path = f"/{API_VERSION}/Accounts/{account}" if account else client.account_path
    return f"{account_path}/Messages/{message}/Media/{media}"


def _redirect_target(client: TwilioClient, url: str, location: str) -> str:
    """The URL that a redirect leads to, if it may be requested: HTTPS, or this machine when the API is there too.

    Raises ``RequestRefusedError`` for any other.
    """
    try:
        target = urljoin(url, location)
        parts, own = urlsplit(target), urlsplit(client.origin)
        plain = target.isascii() and target.isprintable() and " " not in target and "\\" not in target
        local = parts.scheme == own.scheme == "http" and is_this_machine(parts) and is_this_machine(own)
        if plain and parts.hostname and "@" not in parts.netloc and (parts.scheme == "https" or local):
            _ = parts.port
            return target
    except ValueError:
        pass
    raise RequestRefusedError("Twilio's redirect to the file does not lead to an HTTPS host; it is not followed")
