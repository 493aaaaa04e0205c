"""States that outlive an invocation: how changes apply to them, and a file that holds one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from twilio_component.host.errors import DocumentError, InputError, Problem
from twilio_component.host.manifest.documents import read_document


def apply_changes(state: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state after changes, key by key; None removes a key."""
    return {key: value for key, value in {**state, **changes}.items() if value is not None}


class StateFile:
    """A state in a JSON file that only its owner may read, since it may contain credentials within URLs.

    Raises ``DocumentError`` or ``InputError`` for a file that does not hold a JSON object.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state: dict[str, Any] = {}
        if path.exists():
            document = read_document(path)
            if not isinstance(document.data, dict):
                raise InputError("The state file is not valid", [document.problem((), "must be a JSON object")])
            self.state = document.data

    async def keep(self, changes: Mapping[str, Any]) -> None:
        """Write changes to the file; when this returns they are on disk."""
        state = apply_changes(self.state, changes)
        try:
            self._write(json.dumps(state, ensure_ascii=False, indent=2))
        except OSError as error:
            problem = Problem("", error.strerror or str(error), str(self._path))
            raise DocumentError("The state file cannot be written", [problem]) from error
        self.state = state

    def _write(self, text: str) -> None:
        with NamedTemporaryFile("w", dir=self._path.parent, encoding="utf-8", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
