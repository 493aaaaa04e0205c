"""The advisory lock of Postgres that a process holds as long as it lives."""

from __future__ import annotations

import hashlib


def worker_lock(worker_id: str) -> int:
    """Return the number of the lock of the process with this id."""
    return int.from_bytes(hashlib.sha256(f"flow worker {worker_id}".encode()).digest()[:8], "big", signed=True)
