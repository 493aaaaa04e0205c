"""The requests that a server accepts: those of programs, not those of other sites' pages in a browser."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class HostCheck:
    """Checks ``Host`` (a name that resolves here by trickery is refused) and ``Origin`` (another site's page is)."""

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = {"localhost", *(host.lower() for host in allowed_hosts)}

    def objection(self, headers: Mapping[str, str], *, is_page: bool = False) -> str | None:
        """Return why a request with these headers (lower-case names) is refused; None where it is not.

        ``is_page`` is true for a page that does nothing by being opened: other sites may lead to it.
        """
        authority = headers.get("host", "")
        name = _host_name(authority)
        if not self._is_allowed(name):
            allowed = ", ".join(sorted(self._allowed))
            return f"Host {authority!r} is not allowed; an IP address or one of these is: {allowed}"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != authority.lower():
            return f"Origin {origin!r} is another site"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not (is_page and _is_opened(headers)):
            return "the request comes from another site's page"
        return None

    def _is_allowed(self, name: str) -> bool:
        # An address cannot be rebound, only a name can.
        return name in self._allowed or name.endswith(".localhost") or _is_address(name)


def _is_opened(headers: Mapping[str, str]) -> bool:
    """Return whether somebody follows a link to it, as opposed to a frame or a script that fetches it."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _host_name(authority: str) -> str:
    try:
        return (urlsplit(f"//{authority}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
