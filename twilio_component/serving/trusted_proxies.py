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
_PARTS = ("proto", "host", "port", "prefix")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*", re.ASCII)
_PAIR = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s";,]*)""")
_BETWEEN_ELEMENTS = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
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
        """Return where the webhook's URL begins, as a trusted proxy says: ``https://flows.example.com/prefix``.

        The scheme comes from ``X-Forwarded-Proto``, the host from ``X-Forwarded-Host`` or ``Host``, with
        ``X-Forwarded-Port`` and ``X-Forwarded-Prefix`` where the proxy sends them; or all of it from ``Forwarded`` (RFC
        7239). None where the peer is not a trusted proxy, or does not name the scheme, or where a part is not valid. A
        peer without an address, as on a Unix socket, is not trusted.
        """
        if request.client is None or not self.trusts(request.client.host):
            return None
        names = [name for name in _PARTS if f"x-forwarded-{name}" in request.headers]
        forwarded = {name: _last(request, f"x-forwarded-{name}") for name in names} or _rfc_7239(request)
        scheme, prefix = forwarded.get("proto", "").lower(), forwarded.get("prefix", "").rstrip("/")
        host = forwarded.get("host", request.headers.get("host", ""))
        host = _with_port(host, forwarded.get("port", ""), scheme)
        if scheme not in _SCHEMES or not _HOST.fullmatch(host) or not _PREFIX.fullmatch(prefix):
            return None
        return f"{scheme}://{host}{prefix}"

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


def _rfc_7239(request: Request) -> dict[str, str]:
    """Return ``proto`` and ``host`` of the nearest hop in the header ``Forwarded``."""
    nearest = _BETWEEN_ELEMENTS.split(",".join(request.headers.getlist("forwarded")))[-1]
    pairs = {name.lower(): value.strip('"').replace("\\", "") for name, value in _PAIR.findall(nearest)}
    return {name: pairs[name] for name in ("proto", "host") if name in pairs}


def _with_port(host: str, port: str, scheme: str) -> str:
    has_port = re.search(r":[0-9]+$", host) is not None
    if has_port or not port or port == _DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{port}"
