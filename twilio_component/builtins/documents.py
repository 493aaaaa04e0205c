"""Between CSV, JSON, XML and YAML. Documents are bounded, and nothing in them is resolved: no entity, no alias."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import as_bytes, as_text, parse_json
from twilio_component.builtins.xml_text import parse_xml, write_xml
from twilio_component.flows.expressions.javascript import json_text
from twilio_component.host.errors import DocumentError, PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context

MOST_BYTES = 10_000_000
Perform = Callable[["Context", dict[str, Any]], Awaitable[Any]]
_NEWLINE = re.compile(r"\r\n|\r|\n")


def _source(inputs: Mapping[str, Any]) -> str:
    data = as_bytes(inputs["data"])
    if len(data) > MOST_BYTES:
        raise PerformError(f"the data has more than {MOST_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except ValueError as error:
        raise PerformError("the data is not text in UTF-8") from error


def _parse_json(inputs: Mapping[str, Any]) -> Any:
    return parse_json(_source(inputs))


def _parse_yaml(inputs: Mapping[str, Any]) -> Any:
    from twilio_component.host.manifest.documents import parse_document  # YAML takes a while to import

    try:
        return parse_document(_source(inputs), "the data").data
    except DocumentError as error:
        raise PerformError(f"the data is not YAML: {error.problems[0].message}") from error


def _parse_xml(inputs: Mapping[str, Any]) -> Any:
    return parse_xml(_source(inputs), numbers_as_text=inputs["numbersAsStrings"])


def _parse_csv(inputs: Mapping[str, Any]) -> Any:
    rows = read_csv(_source(inputs), ",")
    if not inputs["hasHeader"]:
        return rows
    items = [dict(zip(rows[0], row, strict=False)) for row in rows[1:]] if rows else []
    return [_unflatten(item) for item in items] if inputs["unflattenKeys"] else items


def read_csv(text: str, delimiter: str) -> list[list[str]]:
    """The rows of CSV text, blank ones left out; raises ``PerformError`` for what is not CSV."""
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise PerformError(f"the text is not CSV: {error}") from error


def _unflatten(item: Mapping[str, str]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in item.items():
        *path, last = name.split("__")
        inner = whole
        for key in path:
            below = inner.setdefault(key, {})
            if not isinstance(below, dict):
                raise PerformError(f"the column '{name}' goes through '{key}', which has a value of its own")
            inner = below
        inner[last] = value
    return whole


def _write_json(value: Any) -> str:
    return json_text(value, compact=False)


def _write_yaml(value: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes each value where it stands, without anchors."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
            return True

    text: str = yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False)
    return text


def write_csv(items: Any, delimiter: str = ",", *, header: bool = True) -> str:
    """A list of objects as CSV: a column for each key, in the order in which they first occur."""
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise PerformError("CSV is written from a list of objects")
    columns = list(dict.fromkeys(key for item in items for key in item))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if header and columns:
        writer.writerow(columns)
    writer.writerows([as_text(item.get(column)) for column in columns] for item in items)
    return text.getvalue()


def _converter(read: Callable[[Mapping[str, Any]], Any], write: Callable[[Any], str] | None = None) -> Perform:
    async def perform(_context: Context, inputs: dict[str, Any]) -> Any:
        """The data in the other format; raises ``PerformError`` for data that is not in its format."""
        value = read(inputs)
        return value if write is None else write(value)

    return perform


def _value(inputs: Mapping[str, Any]) -> Any:
    return inputs["data"]


from_csv, csv_to_json = _converter(_parse_csv), _converter(_parse_csv, _write_json)
csv_to_xml, csv_to_yaml = _converter(_parse_csv, write_xml), _converter(_parse_csv, _write_yaml)
from_xml, xml_to_json = _converter(_parse_xml), _converter(_parse_xml, _write_json)
xml_to_csv, xml_to_yaml = _converter(_parse_xml, write_csv), _converter(_parse_xml, _write_yaml)
from_yaml, yaml_to_json = _converter(_parse_yaml), _converter(_parse_yaml, _write_json)
yaml_to_csv, yaml_to_xml = _converter(_parse_yaml, write_csv), _converter(_parse_yaml, write_xml)
json_to_csv, json_to_xml = _converter(_parse_json, write_csv), _converter(_parse_json, write_xml)
json_to_yaml = _converter(_parse_json, _write_yaml)
value_to_csv, value_to_json = _converter(_value, write_csv), _converter(_value, _write_json)
value_to_xml, value_to_yaml = _converter(_value, write_xml), _converter(_value, _write_yaml)


async def generate_csv(_context: Context, inputs: dict[str, Any]) -> str:
    """The objects as CSV."""
    return write_csv(inputs["inputArray"], inputs["delimiter"], header=inputs["includeHeader"])


async def parse_csv(_context: Context, inputs: dict[str, Any]) -> list[list[str]]:
    """The rows of CSV text, each a list of texts."""
    return read_csv(_source({"data": inputs["csv"]}), inputs["delimiter"])


async def split_lines(_context: Context, inputs: dict[str, Any]) -> list[str]:
    """The lines of a text, without the blank ones unless they are wanted."""
    lines = _NEWLINE.split(inputs["text"])
    return [line for line in lines if line.strip()] if inputs["filterBlankLines"] else lines
