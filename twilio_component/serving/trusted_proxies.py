"""Proxies that are trusted to name the URL under which a request reached them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    from starlette.requests import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SCHEMES = ("http", "https")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII
)


class TrustedProxies:
    """Proxies by their addresses and networks, such as ``10.0.0.7``, ``10.0.0.0/8`` and ``::1``.

    Raises ``InputError`` for text that is neither.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks = [_network(text) for text in trusted]

    def public_url(self, request: Request) -> str | None:
        """Where the webhook's URL begins, as a trusted proxy says: ``https://flows.example.com``.

        None where the peer is no trusted proxy, or does not say both the scheme and the host, or says nonsense. A peer
        without an address, as on a Unix socket, is not trusted.
        """
        if request.client is None or not self.trusts(request.client.host):
            return None
        scheme = _last(request, "x-forwarded-proto").lower()
        host = _last(request, "x-forwarded-host")
        return f"{scheme}://{host}" if scheme in _SCHEMES and _HOST.fullmatch(host) else None

    def trusts(self, peer: str) -> bool:
        """Return whether the address of a peer is that of a trusted proxy."""
        try:
            address: _Address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # how a socket for both families shows an IPv4 peer
        return any(address in network for network in self._networks)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        wanted = "must be an address or a network, such as 10.0.0.7, 10.0.0.0/8 or ::1"
        raise InputError("The proxy is not valid", [Problem("--trusted-proxy", wanted)]) from error


def _last(request: Request, name: str) -> str:
    """Return the value of the nearest hop: each proxy appends to what it received, maybe from a stranger."""
    return ",".join(request.headers.getlist(name)).rpartition(",")[2].strip()
