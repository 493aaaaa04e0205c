"""Hashes of text, in hexadecimal digits."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import as_bytes
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Perform = Callable[["Context", dict[str, Any]], Awaitable[str]]

# How Python names what the documents name otherwise.
_NAMES = {"blake2b512": "blake2b", "blake2s256": "blake2s", "sha512-224": "sha512_224", "sha512-256": "sha512_256"}


def _new(function: str, data: bytes) -> Any:
    name = function.lower()
    try:
        return hashlib.new(_NAMES.get(name, name.replace("-", "_")), data, usedforsecurity=False)
    except ValueError as error:
        raise PerformError(f"this machine's OpenSSL has no hash function '{function}'") from error


def _of(function: str) -> Perform:
    async def perform(_context: Context, inputs: dict[str, Any]) -> str:
        """The hash of the message."""
        digest: str = _new(function, as_bytes(inputs["message"])).hexdigest()
        return digest

    return perform


async def compute(_context: Context, inputs: dict[str, Any]) -> str:
    """The hash of the message by the function that the inputs name."""
    digest: str = _new(inputs["hashFunction"], as_bytes(inputs["message"])).hexdigest()
    return digest


async def compute_hmac(_context: Context, inputs: dict[str, Any]) -> str:
    """The HMAC of the message with the secret key."""
    return _hmac(inputs["hashFunction"], as_bytes(inputs["secretKey"]), as_bytes(inputs["message"])).hex()


def _hmac(function: str, key: bytes, message: bytes) -> bytes:
    _new(function, b"")  # says so where there is no such function
    name = function.lower()
    return hmac.digest(key, message, _NAMES.get(name, name.replace("-", "_")))


compute_blake2b512 = _of("blake2b512")
compute_blake2s256 = _of("blake2s256")
compute_md4 = _of("md4")
compute_md5 = _of("md5")
compute_md5_sha1 = _of("md5-sha1")
compute_ripemd160 = _of("ripemd160")
compute_sha1 = _of("sha1")
compute_sha224 = _of("sha224")
compute_sha256 = _of("sha256")
compute_sha3_224 = _of("sha3-224")
compute_sha3_256 = _of("sha3-256")
compute_sha3_384 = _of("sha3-384")
compute_sha3_512 = _of("sha3-512")
compute_sha384 = _of("sha384")
compute_sha512 = _of("sha512")
compute_sha512_224 = _of("sha512-224")
compute_sha512_256 = _of("sha512-256")
compute_sm3 = _of("sm3")
compute_whirlpool = _of("whirlpool")
