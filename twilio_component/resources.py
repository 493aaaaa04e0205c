"""Where the component's own files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.files import shipped_file

if TYPE_CHECKING:
    from pathlib import Path

project_file = shipped_file


def manifest_file() -> Path:
    """The component's manifest."""
    return project_file("component.yaml")
