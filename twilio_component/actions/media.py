"""The media of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component import lists
from twilio_component.client import client_for
from twilio_component.host.paging import whole
from twilio_component.payloads import resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.host.model import Page


async def list_page(context: Context, inputs: Mapping[str, Any], after: str | None) -> Page:
    """A page of a message's media; raises ``NotFoundError`` when the account has no such message."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Media.json"
    return await lists.list_page(client, path, "media_list", resource, after=after)


list_all = whole(list_page)
