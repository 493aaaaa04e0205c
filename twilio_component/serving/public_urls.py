"""The URL under which Twilio reaches the flows, and how it relates to the paths of requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from twilio_component.host.errors import InputError, Problem

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """A public URL, which may have a path, the prefix of all webhooks.

    A proxy that ``strips_prefix`` removes the prefix from the path of each request, and any other keeps it.
    """

    origin: str
    prefix: str = ""
    strips_prefix: bool = False

    @classmethod
    def parse(cls, url: str, *, strips_prefix: bool = False) -> PublicUrl:
        """Return the parts of a URL; raises ``InputError`` for one that cannot be the beginning of webhooks."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        is_bare = not (parts.query or parts.fragment or "?" in url or "#" in url)
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or port == 0 or not is_bare:
            wanted = "must be a URL such as https://flows.example.com or https://example.com/flows, without ? and #"
            raise InputError("The public URL is not valid", [Problem("--public-url", wanted)])
        prefix = parts.path.rstrip("/")
        if strips_prefix and not prefix:
            wanted = "needs a --public-url with a path, such as https://example.com/flows"
            raise InputError("The public URL is not valid", [Problem("--proxy-strips-prefix", wanted)])
        return cls(f"{parts.scheme}://{parts.netloc}", prefix, strips_prefix)

    def __str__(self) -> str:
        """The URL, without a slash at its end."""
        return self.origin + self.prefix

    @property
    def mount(self) -> str:
        """Where the paths of requests begin: the prefix, unless a proxy strips it."""
        return "" if self.strips_prefix else self.prefix

    def public_path(self, path: str) -> str:
        """Return the path of the URL that Twilio was given, of a request that arrived with ``path``."""
        return self.prefix + path if self.strips_prefix else path
