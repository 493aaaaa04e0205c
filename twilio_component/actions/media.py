"""The media of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.client import client_for
from twilio_component.payloads import resource

if TYPE_CHECKING:
    from twilio_component.host.context import Context


async def list_all(context: Context, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The media of a message; raises ``NotFoundError`` when the account has no such message."""
    client = client_for(context, inputs["twilioConnection"])
    path = f"{client.account_path}/Messages/{inputs['sid']}/Media.json"
    return [resource(item) async for page in client.pages(path, "media_list", ()) for item in page]
