"""Files that are at the top of a checkout, and inside the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]


def shipped_file(name: str) -> Path:
    """Return the path of ``component.yaml``, ``schemas/…`` or ``fixtures/payloads/…`` in this installation."""
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parent / name
