"""What a connection means for HTTP: who authenticates, for which account, at which host."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twilio_component.twilio.hosts import origin_of

API_VERSION = "2010-04-01"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials and the host of a connection. Its ``repr`` shows no secret.

    ``account_sid`` is the account to act for, ``user`` and ``secret`` the pair that authenticates, ``auth_token`` what
    can verify webhooks (None for an API key connection without ``authToken``).
    """

    account_sid: str
    user: str
    secret: str = field(repr=False)
    auth_token: str | None = field(default=None, repr=False)
    region: str | None = None
    edge: str | None = None
    base_url: str | None = None

    @classmethod
    def from_connection(cls, connection: Mapping[str, Any]) -> Credentials:
        """Return the credentials of a connection that a host has validated.

        ``connection`` is ``{"key": "basic" | "apiKeySecret", "fields": {…}}``.
        """
        fields = connection["fields"]
        if connection["key"] == "basic":
            user, secret, auth_token = fields["username"], fields["password"], fields["password"]
        else:
            user, secret, auth_token = fields["apiKey"], fields["apiSecret"], fields.get("authToken")
        return cls(
            account_sid=fields.get("accountSid") or user,
            user=user,
            secret=secret,
            auth_token=auth_token,
            region=fields.get("region"),
            edge=fields.get("edge"),
            base_url=fields.get("baseUrl"),
        )

    @property
    def basic(self) -> str:
        """User and secret as HTTP basic authentication encodes them; a secret."""
        return base64.b64encode(f"{self.user}:{self.secret}".encode()).decode("ascii")

    @property
    def authorization(self) -> str:
        """The value of the ``Authorization`` header."""
        return f"Basic {self.basic}"

    def origin(self, product: str = "api") -> str:
        """Return the origin of a product's host, such as ``https://api.twilio.com``, or the connection's base URL."""
        if self.base_url:
            return self.base_url
        return origin_of(product, self.region, self.edge)
