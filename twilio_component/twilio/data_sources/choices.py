"""Lists to choose from: messages, phone numbers, messaging services and templates, searchable and of bounded length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.client import client_for
from twilio_component.twilio.pages import MAX_PAGE_SIZE
from twilio_component.twilio.parameters import parameters

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Resource = Mapping[str, Any]

_MAX_LABEL_TEXT = 40
# How many a search looks through: a user waits for the list of choices.
_MAX_SEARCHED = 5_000


async def messages(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return messages, labelled with the start of their text and their recipient; the key is the SID."""
    client = client_for(context, inputs["connection"])
    params = [*parameters(inputs, {"to": "To", "from": "From"}), _size(inputs)]
    pages = client.pages(f"{client.account_path}/Messages.json", "messages", params)
    return await _choices(pages, inputs, lambda message: f"{_start(message['body'])} ({message['to']})", "sid")


async def phone_numbers(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the account's phone numbers, labelled with number and name; the key is the number, as `from` takes it."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/IncomingPhoneNumbers.json"
    pages = client.pages(path, "incoming_phone_numbers", [_size(inputs)])
    return await _choices(pages, inputs, _number, "phone_number")


async def messaging_services(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the messaging services of the credentials' account, labelled with their names; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    pages = client.pages("/v1/Services", "services", [_size(inputs)], product="messaging")
    return await _choices(pages, inputs, lambda service: str(service["friendly_name"]), "sid")


async def content_templates(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the content templates of the credentials' account, labelled with name and language; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    pages = client.pages("/v1/Content", "contents", [_size(inputs)], product="content")
    return await _choices(pages, inputs, lambda one: f"{one['friendly_name']} ({one['language']})", "sid")


async def verify_services(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the Verify services of the credentials' account, labelled with their names; the key is the SID."""
    client = client_for(context, inputs["twilioConnection"])
    pages = client.pages("/v2/Services", "services", [_size(inputs)], product="verify")
    return await _choices(pages, inputs, lambda service: str(service["friendly_name"]), "sid")


async def _choices(
    pages: AsyncIterator[list[dict[str, Any]]],
    inputs: Mapping[str, Any],
    label: Callable[[Resource], str],
    key: str,
) -> list[dict[str, str]]:
    wanted = inputs.get("search", "").casefold()
    choices: list[dict[str, str]] = []
    searched = 0
    async for page in pages:
        for resource in page:
            choice = {"label": label(resource), "key": str(resource[key])}
            if wanted in choice["label"].casefold() or wanted == choice["key"].casefold():
                choices.append(choice)
        searched += len(page)
        if len(choices) >= inputs["limit"] or searched >= _MAX_SEARCHED:
            break
    return choices[: inputs["limit"]]


def _size(inputs: Mapping[str, Any]) -> tuple[str, str]:
    # A search looks through many; otherwise one page of the list's length is enough.
    return "PageSize", str(MAX_PAGE_SIZE if inputs.get("search") else min(inputs["limit"], MAX_PAGE_SIZE))


def _start(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= _MAX_LABEL_TEXT else f"{line[:_MAX_LABEL_TEXT]}…"


def _number(resource: Resource) -> str:
    number, name = str(resource["phone_number"]), str(resource.get("friendly_name") or "")
    return f"{number} ({name})" if name and name != number else number
