"""YAML and JSON documents from strangers, read with the place of every value.

PyYAML's own constructor forgets line numbers, follows YAML 1.1 (``no`` is false, ``12:30`` is a number, ``2026-01-01``
a date), lets a later key overwrite an earlier one, recurses, and expands aliases without end. Manifests, flow
definitions and connection files need none of it: this reader takes PyYAML's event stream, resolves scalars by the
core schema of YAML 1.2 (so that it agrees with what JavaScript tools write), keeps positions, and is bounded in depth
and size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from twilio_component.host.errors import DocumentError, Problem, json_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 200
MAX_VALUES = 2_000_000

_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# A number longer than this is text: Python refuses to read integers of more than 4,300 digits.
_LONGEST_NUMBER = 400

PathParts = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, line and column counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """What a file holds, and where.

    ``data`` is JSON-like; an alias (``*name``) is the very object of its anchor, so treat ``data`` as read-only.
    """

    data: Any
    file: str
    values: dict[PathParts, Position] = field(default_factory=dict)
    keys: dict[PathParts, Position] = field(default_factory=dict)

    def position(self, path: PathParts, *, key: bool = False) -> Position:
        """Where the value at ``path`` stands (or its key); for a missing one, its nearest ancestor."""
        places = self.keys if key else self.values
        if path in places:
            return places[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Position(1, 1))

    def problem(self, path: PathParts, message: str, *, key: bool = False) -> Problem:
        """A problem at ``path`` of this document."""
        place = self.position(path, key=key)
        return Problem(json_path(path), message, self.file, place.line, place.column)


def read_document(path: Path | str) -> Document:
    """Read a YAML or JSON file; raises ``DocumentError`` when it is absent, not UTF-8 or not YAML."""
    file = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DocumentError(f"{file} cannot be read", [Problem("", error.strerror or str(error), file)]) from error
    except UnicodeDecodeError as error:
        problem = Problem("", f"not UTF-8 text (byte {error.start})", file)
        raise DocumentError(f"{file} cannot be read", [problem]) from error
    return parse_document(text, file)


def parse_document(text: str, file: str = "<text>") -> Document:
    """Read YAML (or JSON, its subset) from ``text``; ``file`` names it in errors."""
    try:
        return _Reader(file).read(_events(text))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message = ", ".join(part for part in (error.problem, error.context) if part) or "not valid YAML"
        raise DocumentError(f"{file} is not valid YAML", [Problem("", message, file, line, column)]) from error
    except yaml.YAMLError as error:
        message = "a character that YAML does not allow" if isinstance(error, yaml.reader.ReaderError) else str(error)
        raise DocumentError(f"{file} is not valid YAML", [Problem("", message, file)]) from error


def _events(text: str) -> Iterator[yaml.Event]:
    # libyaml's parser is ten times as fast; both give the same events.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    value: Any
    path: PathParts
    position: Position
    anchor: str | None
    started_at: int
    key: str | None = None
    key_position: Position | None = None
    merged: dict[str, Any] = field(default_factory=dict)


class _Reader:
    """Builds a document from events with a stack of its own, so that depth costs no recursion."""

    def __init__(self, file: str) -> None:
        self.document = Document(None, file)
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open_anchors: set[str] = set()
        self.count = 0

    def read(self, events: Iterator[yaml.Event]) -> Document:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.fail(_at(event), "a second document; put it into a file of its own")
            elif isinstance(event, yaml.ScalarEvent):
                self.scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.end()
        return self.document

    def fail(self, position: Position, message: str) -> None:
        path = self.here() if self.stack else ()
        problem = Problem(json_path(path), message, self.document.file, position.line, position.column)
        raise DocumentError(f"{self.document.file} cannot be used", [problem])

    def here(self) -> PathParts:
        """The path of the value that comes next."""
        top = self.stack[-1]
        if isinstance(top.value, list):
            return (*top.path, len(top.value))
        return (*top.path, top.key) if top.key is not None else top.path

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def tally(self, position: Position, values: int = 1) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            self.fail(position, f"more than {MAX_VALUES:,} values, aliases counted as often as they are used")

    def scalar(self, event: yaml.ScalarEvent) -> None:
        position = _at(event)
        self.tally(position)
        if self.expects_key():
            self.take_key(event.value, position)
            return
        value = self.resolve(event, position)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.place(value, position)

    def take_key(self, key: str, position: Position) -> None:
        top = self.stack[-1]
        if key in top.value and key not in top.merged:
            self.fail(position, f"the key '{key}' stands here twice")
        top.key, top.key_position = key, position

    def resolve(self, event: yaml.ScalarEvent, position: Position) -> Any:
        text: str = event.value
        tag = (event.tag or "").removeprefix(_TAG)
        if event.tag is None or event.tag == "!":
            return _plain(text) if event.implicit[0] and event.tag is None else text
        if tag == "str":
            return text
        value = _plain(text)
        if tag in ("int", "float") and type(value) in (int, float):
            return int(value) if tag == "int" else float(value)
        if (tag == "bool" and isinstance(value, bool)) or (tag == "null" and value is None):
            return value
        self.fail(position, f"the tag !{event.tag.lstrip('!')} is not supported here; write plain values")
        raise AssertionError  # pragma: no cover - fail() always raises

    def alias(self, event: yaml.AliasEvent) -> None:
        position = _at(event)
        if self.expects_key():
            self.fail(position, "an alias cannot be a key")
        if event.anchor in self.open_anchors:
            self.fail(
                position, f"the alias *{event.anchor} stands inside its own anchor; a value cannot contain itself"
            )
        if event.anchor not in self.anchors:
            self.fail(position, f"the alias *{event.anchor} has no anchor before it")
        value, size = self.anchors[str(event.anchor)]
        self.tally(position, size)
        self.place(value, position)

    def start(self, event: yaml.CollectionStartEvent) -> None:
        position = _at(event)
        self.tally(position)
        if self.expects_key():
            self.fail(position, "a key must be plain text")
        if len(self.stack) >= MAX_DEPTH:
            self.fail(position, f"nested more than {MAX_DEPTH} levels deep")
        if event.tag and not event.tag.startswith((f"{_TAG}map", f"{_TAG}seq")):
            self.fail(position, f"the tag !{event.tag.lstrip('!')} is not supported here; write plain values")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self.here() if self.stack else ()
        if event.anchor:
            self.open_anchors.add(event.anchor)
        self.stack.append(_Open(value, path, position, event.anchor, self.count))

    def end(self) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.open_anchors.discard(done.anchor)
            self.anchors[done.anchor] = (done.value, self.count - done.started_at + 1)
        self.place(done.value, done.position)

    def place(self, value: Any, position: Position) -> None:
        if not self.stack:
            self.document.data = value
            self.document.values[()] = position
            return
        top, path = self.stack[-1], self.here()
        self.document.values[path] = position
        if isinstance(top.value, list):
            top.value.append(value)
            return
        key, key_position = top.key, top.key_position
        top.key = None
        if key == "<<":
            self.merge(top, value, position)
        elif key is not None and key_position is not None:
            top.merged.pop(key, None)
            top.value[key] = value
            self.document.keys[path] = key_position

    def merge(self, top: _Open, value: Any, position: Position) -> None:
        sources = value if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                self.fail(position, "<< takes a mapping or a list of mappings")
            for key, item in source.items():
                if key not in top.value:
                    top.value[key] = top.merged[key] = item


def _at(event: yaml.Event) -> Position:
    mark: Any = event.start_mark
    return Position(mark.line + 1, mark.column + 1)


def _plain(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if len(text) <= _LONGEST_NUMBER:
        if _INT.fullmatch(text):
            return int(text, 10) if text[0] in "+-" or text[1:2] not in ("o", "x") else int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".", "") if text[-1] in "fFnN" else text)
    return text
