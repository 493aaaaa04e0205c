"""XML text and values. Document types, and with them entities, are refused, and documents are bounded.

An element with text alone is that text; one with children is an object, an element that repeats a list. Attributes are
members named ``@_name``, and text beside them is ``#text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from twilio_component.flows.expressions.javascript import to_number
from twilio_component.flows.nesting import DEEPEST
from twilio_component.host.errors import PerformError

MOST_ELEMENTS = 200_000
_NAME = re.compile(r"[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_xml(text: str, *, numbers_as_text: bool) -> dict[str, Any]:
    """The value of an XML document, ``{root: …}``; raises ``PerformError`` for what is not XML, or too large."""
    reader = _Reader(numbers_as_text=numbers_as_text)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = reader.characters, _refuse_doctype
    try:
        parser.Parse(text.encode("utf-8", "surrogatepass"), True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        where = f"line {error.lineno} column {error.offset + 1}"
        raise PerformError(f"the text is not XML: {expat.ErrorString(error.code)}, {where}") from error
    return reader.root


def _refuse_doctype(*_about: Any) -> None:
    raise PerformError("the XML has a document type, which is not read: entities could be declared there")


class _Reader:
    def __init__(self, *, numbers_as_text: bool) -> None:
        self.root: dict[str, Any] = {}
        self._numbers_as_text = numbers_as_text
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            bounds = f"{MOST_ELEMENTS:,} elements, or is nested more than {DEEPEST} levels deep"
            raise PerformError(f"the XML has more than {bounds}")
        self._open.append((name, {f"@_{key}": self._value(value) for key, value in attributes.items()}, []))

    def characters(self, text: str) -> None:
        self._open[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, members, texts = self._open.pop()
        text = "".join(texts).strip()
        value: Any = members
        if not members:
            value = self._value(text)
        elif text:
            members["#text"] = self._value(text)
        around = self._open[-1][1] if self._open else self.root
        if name not in around:
            around[name] = value
        elif isinstance(around[name], list):
            around[name].append(value)
        else:
            around[name] = [around[name], value]

    def _value(self, text: str) -> Any:
        if self._numbers_as_text or not _NUMBER.fullmatch(text):
            return text
        number = to_number(text)
        return int(number) if float(number).is_integer() and "." not in text else number


def write_xml(value: Any) -> str:
    """A value as an XML document; one with several members, or none, gets the root element ``root``."""
    if not isinstance(value, Mapping) or len(value) != 1 or isinstance(next(iter(value.values())), list):
        value = {"root": value if isinstance(value, Mapping) else {"item": value}}
    return "".join(_elements(value))


def _elements(members: Mapping[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        if name == "#text":
            yield escape(_text(value))
        elif not name.startswith("@_"):
            for item in value if isinstance(value, list) else [value]:
                yield from _element(name, item)


def _element(name: str, value: Any) -> Iterator[str]:
    _check_name(name)
    inside = value if isinstance(value, Mapping) else {"item": value} if isinstance(value, list) else None
    attributes = "".join(
        f" {_check_name(key[2:])}={quoteattr(_text(part))}"
        for key, part in (inside or {}).items()
        if key.startswith("@_")
    )
    yield f"<{name}{attributes}>"
    if inside is None:
        yield escape(_text(value))
    else:
        yield from _elements(inside)
    yield f"</{name}>"


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PerformError("a key is not the name of an XML element: letters, digits, _, - and dots")
    return name


def _text(value: Any) -> str:
    from twilio_component.builtins.formats import as_text

    text = as_text(value)
    if _FORBIDDEN.search(text):
        raise PerformError("a text has a character that XML cannot hold")
    return text
