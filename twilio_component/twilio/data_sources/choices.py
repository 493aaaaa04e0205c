"""Messages, numbers, messaging services and templates to choose from: the newest first, bounded, searchable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.actions.messages import parameters
from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import LARGEST_PAGE

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Resource = Mapping[str, Any]

_LONGEST_TEXT = 40
# How many are looked through for a search, newest first: a list of choices must come while somebody waits for it.
_MOST_LOOKED_AT = 5_000


async def messages(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Messages by the start of their text and their recipient; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    asked = [*parameters(inputs, {"to": "To", "from": "From"}), _size(inputs)]
    pages = client.pages(f"{client.account_path}/Messages.json", "messages", asked)
    return await _choices(pages, inputs, lambda message: f"{_start(message['body'])} ({message['to']})", "sid")


async def phone_numbers(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """The account's numbers by number and name; the key is the number, as `from` takes it."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/IncomingPhoneNumbers.json"
    pages = client.pages(path, "incoming_phone_numbers", [_size(inputs)])
    return await _choices(pages, inputs, _number, "phone_number")


async def messaging_services(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messaging services of the credentials' account by name; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    pages = client.pages("/v1/Services", "services", [_size(inputs)], product="messaging")
    return await _choices(pages, inputs, lambda service: str(service["friendly_name"]), "sid")


async def content_templates(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """The content templates of the credentials' account by name and language; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    pages = client.pages("/v1/Content", "contents", [_size(inputs)], product="content")
    return await _choices(pages, inputs, lambda one: f"{one['friendly_name']} ({one['language']})", "sid")


async def _choices(
    pages: AsyncIterator[list[dict[str, Any]]],
    inputs: Mapping[str, Any],
    label: Callable[[Resource], str],
    key: str,
) -> list[dict[str, str]]:
    wanted = inputs.get("search", "").casefold()
    found: list[dict[str, str]] = []
    looked_at = 0
    async for page in pages:
        for resource in page:
            choice = {"label": label(resource), "key": str(resource[key])}
            if wanted in choice["label"].casefold() or wanted == choice["key"].casefold():
                found.append(choice)
        looked_at += len(page)
        if len(found) >= inputs["limit"] or looked_at >= _MOST_LOOKED_AT:
            break
    return found[: inputs["limit"]]


def _size(inputs: Mapping[str, Any]) -> tuple[str, str]:
    # A search looks through many; without one a page as long as the list is enough.
    return "PageSize", str(LARGEST_PAGE if inputs.get("search") else min(inputs["limit"], LARGEST_PAGE))


def _start(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"


def _number(resource: Resource) -> str:
    number, name = str(resource["phone_number"]), str(resource.get("friendly_name") or "")
    return f"{number} ({name})" if name and name != number else number
