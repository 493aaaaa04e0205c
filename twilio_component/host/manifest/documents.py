"""YAML and JSON documents from untrusted authors, read with the position of every value.

PyYAML's own constructor forgets line numbers, follows YAML 1.1 (``no`` is false, ``12:30`` is a number, ``2026-01-01``
a date), lets a later key overwrite an earlier one, recurses, and expands aliases without end. Manifests, flow
definitions and connection files need none of that: this reader takes PyYAML's event stream, resolves scalars by the
core schema of YAML 1.2 (so that it agrees with what JavaScript tools write), keeps positions, and is bounded in depth
and size.

It departs from the core schema in one point: a whole number with a leading ``+`` or ``0`` stays text, because that is
how people write phone numbers, and ``+6055551212`` without its plus is a different number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import yaml

from twilio_component.host.errors import DocumentError, Problem, json_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 200
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
# Newer parsers have a limit of their own, far beyond ours, which a document of nothing but brackets reaches first.
_TOO_DEEP_FOR_THE_PARSER = "exceeded maximum nesting depth"
MAX_VALUES = 2_000_000
MAX_BYTES = 64 * 1024 * 1024

_TAG = "tag:yaml.org,2002:"
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"-?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_DIALLED = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Most texts cannot be numbers by their first character.
_BEGINNINGS = frozenset("-+.0123456789")
# A number longer than this is text: Python refuses to read integers of more than 4,300 digits.
_LONGEST_NUMBER = 400
_TAGGED = {f"{_TAG}null": type(None), f"{_TAG}bool": bool, f"{_TAG}int": int, f"{_TAG}float": float}

PathParts = tuple[str | int, ...]
# Where the parser saw something, counted from 0; of each of its two parsers, a class of its own.
_Mark = Any


class Position(NamedTuple):
    """A position in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """The content of a file and the position of each value.

    ``data`` is JSON-like; an alias (``*name``) is the same object as its anchor, so treat ``data`` as read-only.
    """

    data: Any
    file: str
    # The parser's marks, which count from 0: most are never looked at, and making positions of them costs time.
    values: dict[PathParts, _Mark] = field(default_factory=dict)
    keys: dict[PathParts, _Mark] = field(default_factory=dict)

    def position(self, path: PathParts, *, key: bool = False) -> Position:
        """Return the position of the value at ``path`` (or of its key); for a missing one, of its nearest ancestor."""
        places = self.keys if key else self.values
        if path in places:
            return _position(places[path])
        while path and path not in self.values:
            path = path[:-1]
        return _position(self.values[path]) if path in self.values else Position(1, 1)

    def value_at(self, path: PathParts) -> Any:
        """Return the value at ``path``; None where there is none."""
        value = self.data
        for part in path:
            if isinstance(value, Mapping):
                value = value.get(part)
            else:
                value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
        return value

    def problem(self, path: PathParts, message: str, *, key: bool = False) -> Problem:
        """Return a problem at ``path`` of this document."""
        place = self.position(path, key=key)
        return Problem(json_path(path), message, self.file, place.line, place.column)


def read_document(path: Path | str, mistakes: list[Problem] | None = None) -> Document:
    """Read a YAML or JSON file; raises ``DocumentError`` if it is missing, too large, not UTF-8 or not YAML.

    Mistakes after which the rest can be read, such as a key that appears twice, are added to ``mistakes`` if it is
    given, for a caller that looks for more.
    """
    file = str(path)
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"{file} cannot be read", [Problem("", error.strerror or str(error), file)]) from error
    return parse_document(content, file, mistakes)


def parse_document(text: str | bytes, file: str = "<text>", mistakes: list[Problem] | None = None) -> Document:
    """Read YAML or JSON from text, or from bytes in UTF-8; ``file`` names it in errors. See ``read_document``."""
    if len(text) > MAX_BYTES:
        problem = Problem("", f"larger than {MAX_BYTES // 1024 // 1024} MB", file)
        raise DocumentError(f"{file} cannot be read", [problem])
    if isinstance(text, bytes):
        text = _decode(text, file)
    try:
        return _Reader(file, mistakes).read(_events(text))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, column = _unclosed_line(error, text) or ((mark.line + 1, mark.column + 1) if mark else (None, None))
        message = ", ".join(part for part in (error.problem, error.context) if part) or "not valid YAML"
        if error.context == "while scanning a quoted scalar" and "end of stream" in (error.problem or ""):
            message, begin = "a text in quotes is not closed", error.context_mark
            line, column = (begin.line + 1, begin.column + 1) if begin else (line, column)
        elif error.problem == _TOO_DEEP_FOR_THE_PARSER:
            message = _TOO_DEEP
        elif line is not None and "\t" in _indentation(text.split("\n")[line - 1 : line]):
            message = "indented with a tab; YAML is indented with spaces only"
        elif (error.context or "").startswith("while parsing a block"):
            message += "; are the lines around it indented as they should be?"
        raise DocumentError(
            f"{file} is not valid {_language(text)}", [Problem("", _in_plain_words(message), file, line, column)]
        ) from error
    except yaml.reader.ReaderError as error:
        before = text[: _index_of(error.character, text)].split("\n")
        problem = Problem("", "a character that YAML does not allow", file, len(before), len(before[-1]) + 1)
        raise DocumentError(f"{file} is not valid YAML", [problem]) from error


def _language(text: str) -> str:
    """Return what somebody meant to write: JSON is YAML too, but nobody who writes it thinks of that."""
    return "JSON" if text.lstrip().startswith(("{", "[")) else "YAML"


def _in_plain_words(message: str) -> str:
    return (
        message.replace("a flow mapping", "an object")
        .replace("a flow sequence", "a list")
        .replace("did not find expected node content, while parsing a flow node", "a value is missing")
    )


def _unclosed_line(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int] | None:
    """Return where a bracket is missing at the end of a line: YAML notices only in a later one. None if none is."""
    begin, end = error.context_mark, error.problem_mark
    if begin is None or end is None or not (error.context or "").startswith("while parsing a flow"):
        return None
    lines = text.split("\n")
    for number in range(begin.line, end.line):
        line = lines[number].partition(" #")[0].rstrip()
        following = next((later.lstrip() for later in lines[number + 1 :] if later.strip()), "")
        if line and not line.endswith((",", "{", "[", ":")) and not following.startswith(("}", "]", ",")):
            return number + 1, len(line) + 1
    return None


def _indentation(lines: list[str]) -> str:
    return "".join(line[: len(line) - len(line.lstrip())] for line in lines)


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem("", f"not UTF-8 text (byte {error.start})", file, line)
        raise DocumentError(f"{file} cannot be read", [problem]) from error


def _events(text: str) -> Iterator[yaml.Event]:
    if _language(text) == "JSON":
        from twilio_component.host.manifest.json_events import is_json, json_events  # most documents need neither

        if is_json(text):
            return json_events(text)
    # libyaml's parser is ten times as fast; both give the same events.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)


def _index_of(character: int | str, text: str) -> int:
    # The two parsers count its position in different units; what it is, they agree on.
    return text.index(character if isinstance(character, str) else chr(character))


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    value: Any
    path: PathParts
    mark: _Mark
    anchor: str | None
    started_at: int
    is_mapping: bool
    key: str | None = None
    key_mark: _Mark | None = None
    merging: bool = False
    merged: set[str] = field(default_factory=set)


class _Reader:
    """Builds a document from events with a stack of its own, so that depth costs no recursion."""

    def __init__(self, file: str, mistakes: list[Problem] | None = None) -> None:
        self.document = Document(None, file)
        self.raises_mistakes = mistakes is None
        self.mistakes: list[Problem] = [] if mistakes is None else mistakes
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open_anchors: set[str] = set()
        self.count = 0

    def read(self, events: Iterator[yaml.Event]) -> Document:
        documents = 0
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self.scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.end()
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.fail(event.start_mark, "a second document; put it into a file of its own")
        if self.mistakes and self.raises_mistakes:
            raise self.unusable()
        return self.document

    def unusable(self) -> DocumentError:
        return DocumentError(f"{self.document.file} cannot be used", self.mistakes)

    def note(self, mark: _Mark, message: str) -> None:
        """Note a mistake after which the rest can be read."""
        path = self.here() if self.stack else ()
        position = _position(mark)
        self.mistakes.append(Problem(json_path(path), message, self.document.file, position.line, position.column))

    def fail(self, mark: _Mark, message: str) -> NoReturn:
        self.note(mark, message)
        raise self.unusable()

    def here(self) -> PathParts:
        """The path of the value that comes next."""
        top = self.stack[-1]
        if not top.is_mapping:
            return (*top.path, len(top.value))
        return (*top.path, top.key) if top.key is not None else top.path

    def expects_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].is_mapping and self.stack[-1].key is None

    def tally(self, mark: _Mark, values: int = 1) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            self.fail(mark, f"more than {MAX_VALUES:,} values, aliases counted as often as they are used")

    def scalar(self, event: yaml.ScalarEvent) -> None:
        # Most events are scalars: a call of another method would cost more here than what it does.
        mark, text = event.start_mark, event.value
        self.count += 1
        if self.count > MAX_VALUES:
            self.tally(mark, 0)
        top = self.stack[-1] if self.stack else None
        if top is not None and top.is_mapping and top.key is None:
            self.take_key(top, event)
            return
        plain_value = _plain(text) if event.implicit[0] else text
        value = plain_value if event.tag is None else self.resolve(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.place(value, mark)

    def take_key(self, top: _Open, event: yaml.ScalarEvent) -> None:
        key = event.value
        # Quoted, and in JSON, `<<` is a key like any other.
        top.merging = key == "<<" and event.implicit[0]
        if key in top.value and key not in top.merged:
            self.note(event.start_mark, f"the key '{key}' appears twice")
        top.key, top.key_mark = key, event.start_mark

    def resolve(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if event.tag in ("!", f"{_TAG}str"):
            return text
        value = _plain(text)
        if event.tag not in _TAGGED or type(value) is not _TAGGED[event.tag]:
            self.note_tag(event.start_mark, event.tag)
        return value

    def note_tag(self, mark: _Mark, tag: str | None) -> None:
        short_tag = str(tag).replace(_TAG, "!!")
        self.note(mark, f"the tag {short_tag} is not supported here; write plain values")

    def alias(self, event: yaml.AliasEvent) -> None:
        mark = event.start_mark
        if self.expects_key():
            self.fail(mark, "an alias cannot be a key")
        if event.anchor in self.open_anchors:
            self.fail(mark, f"the alias *{event.anchor} is inside its own anchor; a value cannot contain itself")
        if event.anchor not in self.anchors:
            self.fail(mark, f"the alias *{event.anchor} has no anchor before it")
        value, size = self.anchors[str(event.anchor)]
        self.tally(mark, size)
        self.place(value, mark)

    def start(self, event: yaml.CollectionStartEvent) -> None:
        mark = event.start_mark
        self.tally(mark)
        if self.expects_key():
            self.fail(mark, "a key must be plain text")
        if len(self.stack) >= MAX_DEPTH:
            self.fail(mark, _TOO_DEEP)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}{'map' if is_mapping else 'seq'}"):
            self.note_tag(mark, event.tag)
        value: Any = {} if is_mapping else []
        path = self.here() if self.stack else ()
        if event.anchor:
            self.open_anchors.add(event.anchor)
        self.stack.append(_Open(value, path, mark, event.anchor, self.count, is_mapping))

    def end(self) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.open_anchors.discard(done.anchor)
            self.anchors[done.anchor] = (done.value, self.count - done.started_at + 1)
        self.place(done.value, done.mark)

    def place(self, value: Any, mark: _Mark) -> None:
        if not self.stack:
            self.document.data = value
            self.document.values[()] = mark
            return
        top = self.stack[-1]
        if not top.is_mapping:
            self.document.values[*top.path, len(top.value)] = mark
            top.value.append(value)
            return
        if top.merging:
            self.merge(top, value, mark)
            return
        key: Any = top.key
        path = (*top.path, key)
        if top.merged:
            top.merged.discard(key)
        top.value[key] = value
        self.document.values[path] = mark
        self.document.keys[path] = top.key_mark or mark
        top.key = None

    def merge(self, top: _Open, value: Any, mark: _Mark) -> None:
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                self.fail(mark, "<< takes a mapping or a list of mappings")
            for key, item in source.items():
                if key not in top.value:
                    top.value[key] = item
                    top.merged.add(key)
                    self.document.values[*top.path, key] = mark
        top.key, top.merging = None, False


def _position(mark: _Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _plain(text: str) -> Any:
    """Return a plain scalar by the core schema of YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _BEGINNINGS or len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and not _DIALLED.fullmatch(text):
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)
    return text
