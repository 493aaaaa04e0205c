"""Who may use the page: people of this machine, or those who have the token; never another page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from twilio_component.host.errors import InputError, Problem
from twilio_component.serving.connection_bounds import is_loopback

if TYPE_CHECKING:
    from starlette.requests import Request

COOKIE = "operations"
CSRF_HEADER = "x-csrf-token"
SHORTEST_TOKEN = 16
_SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 1_000


class Access:
    """Decides about requests. Without a ``token`` only names of this machine itself are addresses of the page.

    Raises ``InputError`` for a token that is too short, and for a ``host`` that others reach when there is no token.
    """

    def __init__(self, host: str, token: str = "") -> None:
        if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
            problem = Problem("the operations token", f"must be at least {SHORTEST_TOKEN} printable ASCII characters")
            raise InputError("The page of operations cannot be protected", [problem])
        if not token and not is_loopback(host):
            raise InputError(
                "The page of operations cannot be protected",
                [
                    Problem(
                        "--operations-host",
                        f"{host} can be reached from elsewhere: set TWILIO_COMPONENT_OPERATIONS_TOKEN, or "
                        "TWILIO_COMPONENT_OPERATIONS_TOKEN_FILE to the path of a file with the token",
                    )
                ],
            )
        self._token = token
        # Sessions and the token against forged requests are this process's: a restart signs everybody out.
        self._key = secrets.token_bytes(32)
        self._sessions: dict[str, float] = {}

    @property
    def needs_token(self) -> bool:
        """Whether people have to sign in."""
        return bool(self._token)

    def is_addressed(self, request: Request) -> bool:
        """Whether the request names this page, and not a name that somebody lets point at this machine."""
        if self._token:
            return True  # a session's cookie is sent to the name that it was given by
        host = _split(f"//{request.headers.get('host', '')}")
        return host is not None and is_loopback(host.hostname or "")

    def is_same_origin(self, request: Request) -> bool:
        """Whether this page, or no page at all, sent the request; what changes something must name its origin."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = request.headers.get("origin")
        if origin is None:
            return request.method in ("GET", "HEAD")
        parts = _split(origin)
        return parts is not None and parts.netloc == request.headers.get("host")

    def is_encrypted(self, request: Request) -> bool:
        """Whether the browser reaches the page by HTTPS, of this process or of a proxy in front of it.

        The proxy's word is enough: all that follows from it is that the session's cookie is never sent without TLS.
        """
        told = (request.headers.get("x-forwarded-proto", ""), request.headers.get("forwarded", ""))
        proxied = told[0].split(",")[0].strip().lower() == "https" or "proto=https" in told[1].lower()
        return request.url.scheme == "https" or proxied

    def is_signed_in(self, request: Request) -> bool:
        """Whether the request has a session, or needs none."""
        if not self._token:
            return True
        ends = self._sessions.get(_digest(request.cookies.get(COOKIE, "")))
        return ends is not None and ends > time.monotonic()

    def sign_in(self, token: str) -> str | None:
        """The cookie of a new session; None for another token than ours."""
        if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token.encode()):
            return None
        now = time.monotonic()
        self._sessions = {digest: ends for digest, ends in self._sessions.items() if ends > now}
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = now + _SESSION_SECONDS
        return cookie

    def sign_out(self, request: Request) -> None:
        """End the session of the request."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def csrf_token(self, request: Request) -> str:
        """What requests of this session that change something have to show; no other page can read it."""
        session = request.cookies.get(COOKIE, "") if self._token else ""
        return hmac.new(self._key, session.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def has_csrf_token(self, request: Request) -> bool:
        """Whether the request shows it."""
        shown = request.headers.get(CSRF_HEADER, "")
        return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self.csrf_token(request).encode())


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that somebody has sent; None for one that has none."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
