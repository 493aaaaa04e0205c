"""The references of a manifest to parts of it and of files beside it, and their resolution.

A manifest may keep shared schemas and examples in files beside it::

    to: {$ref: "schemas/definitions.schema.json#/$defs/recipient", title: To}
    example: {$ref: fixtures/payloads/sendSMS.json}

Keys beside a `$ref` win over the keys of its target.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import DocumentError

if TYPE_CHECKING:
    from twilio_component.host.manifest.documents import PathParts

    Reader = Callable[[Path], tuple[Any, bool]]
    Report = Callable[[PathParts, str], None]


def read_carefully(path: Path) -> tuple[Any, bool]:
    """Return the data of a YAML or JSON file; raises ``DocumentError`` also for a key that is there twice."""
    from twilio_component.host.manifest.documents import read_document  # loads the parser of YAML

    return read_document(path).data, True


def read_quickly(path: Path) -> tuple[Any, bool]:
    """Return what ``read_carefully`` does, ten times as fast if it is JSON, and whether it may have references."""
    try:
        content = path.read_bytes()
        return json.loads(content, object_pairs_hook=_distinct), b"$ref" in content
    except (OSError, ValueError, RecursionError):
        return read_carefully(path)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice: the careful reader says where")
    return found


class References:
    """The references of one manifest.

    ``read`` reads the files of their targets, and says whether there may be references in them too; ``report`` is
    called with the place and a message for each reference that has no target or refers to itself.
    """

    def __init__(self, path: Path, data: Any, read: Reader, report: Report) -> None:
        self._read = read
        self._report = report
        self._reports = 0
        self._resolved: dict[tuple[str, str], Any] = {}
        self._data = data
        self._file = os.path.abspath(path)  # noqa: PTH100 - a text, see below
        self._files: dict[str, tuple[Any, bool]] = {self._file: (data, True)}

    def resolve(self) -> Any:
        """Return the manifest's data with the targets in the place of the references."""
        return self._inline(self._data, (), (), self._file)

    def _inline(self, value: Any, path: PathParts, via: tuple[tuple[str, str], ...], file: str) -> Any:
        if isinstance(value, list):
            return [
                self._inline(item, (*path, index), via, file) if isinstance(item, (dict, list)) else item
                for index, item in enumerate(value)
            ]
        if not isinstance(value, dict):
            return value
        if "$ref" in value and isinstance(value["$ref"], str):
            return self._follow(value, path, via, file)
        return {
            key: self._inline(item, (*path, key), via, file) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
        }

    def _follow(self, value: dict[str, Any], path: PathParts, via: tuple[tuple[str, str], ...], file: str) -> Any:
        name, _, pointer = value["$ref"].partition("#")
        # Texts, since making and comparing `Path`s takes longer than reading most of the files.
        target_file = os.path.normpath(os.path.join(os.path.dirname(file), name)) if name else file  # noqa: PTH118, PTH120
        target = (target_file, pointer)
        if target in via:
            self._tell(path, f"the $ref '{value['$ref']}' refers to itself")
            return {}
        try:
            data, has_references = self._content(target_file)
            found = _part(data, pointer)
        except (DocumentError, LookupError) as error:
            reason = error.problems[0].message if isinstance(error, DocumentError) else error
            self._tell(path, f"the $ref '{value['$ref']}' has no target: {reason}")
            return {}
        resolved = self._resolved.get(target)
        if resolved is None:
            known = self._reports
            resolved = self._inline(found, path, (*via, target), target_file) if has_references else found
            # A target without problems is the same wherever it is referred to; nobody changes a manifest's data.
            if self._reports == known:
                self._resolved[target] = resolved
        beside = {key: self._inline(item, (*path, key), via, file) for key, item in value.items() if key != "$ref"}
        return {**resolved, **beside} if beside and isinstance(resolved, dict) else resolved

    def _tell(self, path: PathParts, message: str) -> None:
        self._reports += 1
        self._report(path, message)

    def _content(self, path: str) -> tuple[Any, bool]:
        if path not in self._files:
            self._files[path] = self._read(Path(path))
        return self._files[path]


def _part(value: Any, pointer: str) -> Any:
    start, *steps = pointer.split("/")
    if start:
        raise LookupError(f"the part after # must be a path that starts with /, such as #/$defs/{start}")
    for step in steps:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            raise LookupError(f"it has no '{key}'")
    return value
