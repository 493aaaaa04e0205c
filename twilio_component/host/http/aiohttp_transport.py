"""The host's default transport: aiohttp.

httpx's own asynchronous pool slows down with the number of requests in flight, and its request and response objects
cost more than everything else in a call. Proxies and certificate authorities come from the environment
(``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE`` …). Cookies, ``.netrc``, redirects and
aiohttp's own repetition of requests are off: one call sends one request.
"""

from __future__ import annotations

import os
import ssl
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
from yarl import URL

from twilio_component.host.http.bodies import read_body
from twilio_component.host.http.messages import NotWrittenError, Request, Response, ResponseLostError

# Shorter than the idle time after which servers and load balancers close a connection (60 s and more): a request
# written into a connection that is just being closed is one whose outcome nobody knows.
_IDLE_SECONDS = 10.0
_MOST_CONNECTIONS = 256
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
# Certificate authorities that other HTTP tools take from the environment, beside OpenSSL's own variables.
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_AUTHENTICATION = 407
_CURRENT: ContextVar[Request] = ContextVar("the current request")


class AiohttpTransport:
    """The transport over aiohttp; belongs to the event loop in which it is first used.

    ``tls`` replaces the environment's certificate authorities.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def send(self, request: Request) -> Response:
        """Send a request and return its response; raises ``NotWrittenError`` or ``ResponseLostError``."""
        session = self._session or self._open()
        request.written = False
        _CURRENT.set(request)
        url = _parse_url(request.url)
        try:
            async with session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.content,
                allow_redirects=False,
                proxy=self._proxy(url),
                ssl=self._tls_context() if url.scheme == "https" else True,
                timeout=aiohttp.ClientTimeout(total=request.seconds, sock_connect=request.connect_seconds),
            ) as response:
                content = await read_body(response.content.iter_any(), response.status, response.headers, request)
        except _FAILURES as error:
            if request.written:
                raise ResponseLostError(_reason(error, request)) from error
            # There was no connection yet, not even a tunnel through the proxy.
            reason = _reason(error, request)
            if self._proxy(url) is not None and not isinstance(error, aiohttp.ClientConnectorError):
                reason = f"the proxy made no connection ({reason})"
            raise NotWrittenError(reason, transient=_is_transient(error)) from error
        return Response(response.status, response.headers, content)

    async def aclose(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=_MOST_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # `read_body` decompresses, because it limits the size.
            auto_decompress=False,
            skip_auto_headers=("Accept", "User-Agent", "Content-Type"),
        )
        # aiohttp repeats a GET whose kept connection was dropped; whether to repeat is the caller's decision.
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch; a test holds it
        return self._session

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            # OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself, or the system's authorities, which may be missing.
            self._tls = ssl.create_default_context()
            if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
                self._tls.load_verify_locations(certifi.where())
            for variable in _AUTHORITIES:
                if path := os.environ.get(variable):
                    _load_authorities(self._tls, variable, path)
        return self._tls

    def _proxy(self, url: URL) -> str | None:
        place = (url.scheme, url.host or "")
        if place not in self._proxies:
            proxies = getproxies()
            proxy = None if proxy_bypass(place[1]) else proxies.get(place[0]) or proxies.get("all")
            self._proxies[place] = proxy if proxy is None or "://" in proxy else f"http://{proxy}"
        return self._proxies[place]


class _Connector(aiohttp.TCPConnector):
    """Marks the current request as written once it has a connection: it may then be written at any moment."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        _CURRENT.get().written = True
        return connection


@lru_cache(maxsize=256)
def _parse_url(url: str) -> URL:
    return URL(url, encoded=True)


def _load_authorities(tls: ssl.SSLContext, variable: str, path: str) -> None:
    try:
        tls.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
    except OSError as error:
        words = error.strerror or "it holds no certificates"
        raise NotWrittenError(f"{variable} names {path}, which cannot be used: {words}", transient=False) from error


def _is_transient(error: Exception) -> bool:
    """Whether a later attempt may succeed: an invalid certificate, URL or proxy password stays invalid."""
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == _PROXY_AUTHENTICATION:
        return False
    return not isinstance(
        error, (aiohttp.ClientConnectorCertificateError, aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL)
    )


def _reason(error: Exception, request: Request) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        words = getattr(error.certificate_error, "verify_message", error.certificate_error)
        return f"the certificate is not valid: {words}"
    if isinstance(error, TimeoutError):
        if request.written:
            return f"no complete response within {request.seconds:g} s"
        return f"no connection within {min(request.connect_seconds, request.seconds):g} s"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status}"
    if isinstance(error, aiohttp.ClientResponseError):
        # Its text quotes what the server sent; the first line says what is wrong with it.
        return error.message.partition("\n")[0].rstrip(":")
    return str(error) or type(error).__name__
