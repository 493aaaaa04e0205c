"""A content template: a text with numbered blanks that is sent by its SID."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model.messaging_service import iso_date
from twilio_component.emulator.model.sids import new_sid

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANK = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(eq=False, slots=True)
class ContentTemplate:
    """A template. ``types`` maps Twilio's content types to what they hold: ``{"twilio/text": {"body": "Hi {{1}}"}}``.

    ``variables`` are the default fillings of the blanks.
    """

    account_sid: str
    friendly_name: str
    created: float
    types: dict[str, dict[str, Any]]
    variables: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    sid: str = field(default_factory=lambda: new_sid("HX"))

    def body(self, variables: Mapping[str, str]) -> str:
        """Return the text with its blanks filled in; `ApiError` 21656 where nothing fills one."""
        filling = {**self.variables, **variables}
        text = next((content["body"] for content in self.types.values() if content.get("body")), "")

        def fill(blank: re.Match[str]) -> str:
            if blank[1] not in filling:
                raise ApiError(21656)
            return filling[blank[1]]

        return _BLANK.sub(fill, text)

    def media(self) -> list[str]:
        """Return the URLs of the files that go with it."""
        return [url for content in self.types.values() for url in content.get("media", [])]

    def representation(self, base_url: str) -> dict[str, Any]:
        """Return the Content resource."""
        url = f"{base_url}/v1/Content/{self.sid}"
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "friendly_name": self.friendly_name,
            "language": self.language,
            "variables": self.variables,
            "types": self.types,
            "date_created": iso_date(self.created),
            "date_updated": iso_date(self.created),
            "url": url,
            "links": {
                "approval_create": f"{url}/ApprovalRequests/whatsapp",
                "approval_fetch": f"{url}/ApprovalRequests",
            },
        }
