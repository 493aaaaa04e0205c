"""An httpx transport over aiohttp that tells apart what a safe sender must tell apart.

httpx's own asynchronous connection pool slows down with the number of requests in flight; aiohttp's does not. And the
one question that decides whether a request may be repeated (were any of its bytes written?) has a certain answer here:

- ``httpx.ConnectError``, ``ConnectTimeout``, ``ProxyError``, ``UnsupportedProtocol``, ``LocalProtocolError``: no byte
  of the request was written;
- every other ``httpx.TransportError``: the request, or part of it, may have arrived;
- a cancelled call: ``request.extensions["written"]`` says which of the two.

Proxies and certificate authorities come from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` …).
Cookies, ``.netrc``, redirects and aiohttp's own repetition of requests are off: nothing happens behind the caller's
back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

if TYPE_CHECKING:
    import ssl

# Shorter than the idle time after which servers and load balancers close a connection (60 s and more): a request
# written into a connection that is just being closed is one whose outcome nobody knows.
_IDLE_SECONDS = 10.0
_MOST_CONNECTIONS = 256
_CHUNK = 64 * 1024


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Carries httpx requests over aiohttp; belongs to the event loop in which it is first used."""

    def __init__(self, *, verify: ssl.SSLContext | None = None, trust_env: bool = True) -> None:
        self._verify = verify
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response with the body still to be read."""
        session = self._session or self._open()
        extensions = request.extensions
        extensions["written"] = False
        timeout = extensions.get("timeout", {})
        try:
            answer = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                proxy=self._proxy(request.url.scheme, request.url.host),
                ssl=self._tls() if request.url.scheme == "https" else True,
                server_hostname=extensions.get("sni_hostname"),
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("pool"), sock_connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
                trace_request_ctx=extensions,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _translated(error, request, written=extensions["written"]) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer, request), request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_mark_written)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[trace],
        )
        # aiohttp repeats a GET whose kept connection was dropped; whether to repeat is the caller's decision.
        self._session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch; a test holds it
        return self._session

    def _tls(self) -> ssl.SSLContext:
        if self._verify is None:
            self._verify = httpx.create_ssl_context(trust_env=self._trust_env)
        return self._verify

    def _proxy(self, scheme: str, host: str) -> str | None:
        if not self._trust_env:
            return None
        if (scheme, host) not in self._proxies:
            proxies = getproxies()
            proxy = None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
            self._proxies[scheme, host] = proxy if proxy is None or "://" in proxy else f"http://{proxy}"
        return self._proxies[scheme, host]


class _Body(httpx.AsyncByteStream):
    """The body of a response, read as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_chunked(_CHUNK):
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error, self._request, written=True) from error

    async def aclose(self) -> None:
        # After a complete body the connection goes back to the pool; after a partial one it is closed.
        with suppress(aiohttp.ClientError):
            self._answer.release()


async def _mark_written(
    _session: aiohttp.ClientSession, context: Any, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx["written"] = True


def _translated(error: Exception, request: httpx.Request, *, written: bool) -> httpx.TransportError:
    """Aiohttp's error as httpx's, chosen by whether the request may have arrived."""
    kind: type[httpx.TransportError]
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        kind = httpx.UnsupportedProtocol
    elif isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        kind = httpx.ProxyError
    elif isinstance(error, ValueError) and not isinstance(error, OSError):  # a certificate error is both
        kind = httpx.LocalProtocolError
    elif not written:
        kind = httpx.ConnectTimeout if isinstance(error, TimeoutError) else httpx.ConnectError
    elif isinstance(error, TimeoutError):
        kind = httpx.ReadTimeout
    elif isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError)):
        kind = httpx.RemoteProtocolError
    else:
        kind = httpx.ReadError
    return kind(_words(error), request=request)


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", error.certificate_error)
        return f"the certificate is not valid: {reason}"
    if isinstance(error, aiohttp.ClientResponseError):
        # Its text quotes what the server sent; the first line says what is wrong with it.
        return error.message.partition("\n")[0].rstrip(":")
    return str(error) or type(error).__name__
