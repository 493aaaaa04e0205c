"""The files that stand at the top of a checkout and inside the package once it is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]


def shipped_file(name: str) -> Path:
    """``component.yaml``, ``schemas/…`` or ``fixtures/payloads/…``, wherever this installation keeps it."""
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parent / name
