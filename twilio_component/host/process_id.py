"""The number of this process, without asking the system each time."""

from __future__ import annotations

import os

_id = os.getpid()


def process_id() -> int:
    """Return the number of this process, also in one that Python has forked."""
    return _id


def _note() -> None:
    global _id  # noqa: PLW0603 - a fork changes it
    _id = os.getpid()


if hasattr(os, "register_at_fork"):  # where there are no forks, the number never changes
    os.register_at_fork(after_in_child=_note)
