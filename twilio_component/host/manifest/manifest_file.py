"""A component whose manifest is read on first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.host.errors import ManifestError, Problem

if TYPE_CHECKING:
    from twilio_component.host.model import Component


@dataclass(frozen=True, kw_only=True)
class ManifestFile:
    """The component with this ``key``, declared by the manifest at ``path``, which is read when it is first needed.

    A plugin registers this instead of a ``Component`` to start fast, and answers for the manifest: discovery does not
    check it. A test of the plugin's own can, with ``check_manifest``.
    """

    key: str
    path: Path
    version: str = ""

    @cached_property
    def component(self) -> Component:
        """The component; raises ``DocumentError`` or ``ManifestError`` for a manifest that cannot be used."""
        from twilio_component.host.manifest.loader import load_component  # loads the parser

        component = load_component(self.path, version=self.version)
        if component.key != self.key:
            message = f"must be '{self.key}', the key that its plugin registers"
            raise ManifestError(
                f"{self.path} is not the manifest of '{self.key}'", [Problem("$.key", message, str(self.path))]
            )
        return component
