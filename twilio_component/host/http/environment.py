"""What the environment says about connections: proxies, and certificate authorities beside the system's own."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

from twilio_component.host.http.messages import NotWrittenError

# Certificate authorities that other HTTP tools take from the environment, beside OpenSSL's own variables.
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SYSTEMS_WITH_SETTINGS = ("darwin", "win32")


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the URL of the proxy for a server, from ``HTTPS_PROXY``, ``NO_PROXY`` … or the system's settings."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform not in _SYSTEMS_WITH_SETTINGS:
        return None
    from urllib.request import getproxies, proxy_bypass  # takes longer to import than everything else here

    proxies = getproxies()
    proxy = None if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the environment's certificate authorities.

    Raises ``NotWrittenError`` for a file that cannot be used.
    """
    # OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR itself, or the system's authorities, which may be missing.
    tls = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        import certifi

        tls.load_verify_locations(certifi.where())
    for variable in _AUTHORITIES:
        if path := os.environ.get(variable):
            _load_authorities(tls, variable, path)
    return tls


def _load_authorities(tls: ssl.SSLContext, variable: str, path: str) -> None:
    try:
        tls.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
    except OSError as error:
        words = error.strerror or "it holds no certificates"
        raise NotWrittenError(f"{variable} names {path}, which cannot be used: {words}", transient=False) from error
