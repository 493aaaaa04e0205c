"""The digest of a definition, by which runs and schedules refer to it."""

from __future__ import annotations

import hashlib


def definition_digest(file: str, text: str) -> str:
    """Return the digest of a definition with this text in this file."""
    return hashlib.sha256(f"{file}\0{text}".encode()).hexdigest()
