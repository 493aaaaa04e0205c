"""Answers of the emulator, held against Twilio's OpenAPI description: its schemas, formats and keys.

The description is Twilio's and not part of this project: ``TWILIO_OPENAPI`` names a file with it. ``DEPARTURES`` are
where the emulator follows what Twilio really answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from twilio_component.emulator.api.router import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

    from twilio_component.emulator.request_log import RequestRecord

DEPARTURES = {
    "the URIs of a page are relative to the host, not URIs of their own": (
        "uri",
        {"uri", "first_page_uri", "next_page_uri", "previous_page_uri"},
    ),
    "a number's URL that is not set is an empty text": ("uri", {"sms_url", "sms_fallback_url", "status_callback"}),
    "likewise for calls": ("uri", {"voice_url", "voice_fallback_url"}),
}

_FORMATS = FormatChecker(())


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@_FORMATS.checks("date-time-rfc-2822", raises=ValueError)
def _is_rfc_2822(value: object) -> bool:
    return not isinstance(value, str) or parsedate_to_datetime(value) is not None


class Description:
    """Twilio's description. ``seen`` collects the operations that were checked."""

    def __init__(self, path: Path) -> None:
        document = _with_nulls(json.loads(path.read_text()))
        self._components = document["components"]
        self._paths = [(_pattern(path), operations) for path, operations in document["paths"].items()]
        self.seen: set[str] = set()
        self.departed: set[str] = set()

    @property
    def is_covered(self) -> bool:
        """Whether every operation that the emulator has and the description describes was checked."""
        described = {
            route.name
            for route in ROUTES
            if any(
                pattern.fullmatch(re.sub(r"\{\w+\}", "x", route.path)) and route.method.lower() in operations
                for pattern, operations in self._paths
            )
        }
        return described <= self.seen

    def problems(self, record: RequestRecord) -> Iterator[str]:
        """What the description would not have; nothing for what it does not describe: errors, other products."""
        operation = self._operation(record)
        if operation is None or record.response.status >= 400 or record.fault:
            return
        response = operation["responses"].get(str(record.response.status))
        if response is None:
            yield f"{record.operation}: HTTP {record.response.status} is not described"
            return
        self.seen.add(record.operation or "")
        for content in response.get("content", {}).values():
            schema = {**content["schema"], "components": self._components}
            yield from self._mismatches(record, schema, record.response.json)

    def _operation(self, record: RequestRecord) -> Any:
        for pattern, operations in self._paths:
            if pattern.fullmatch(record.request.path):
                return operations.get(record.request.method.lower())
        return None

    def _mismatches(self, record: RequestRecord, schema: dict[str, Any], answer: Any) -> Iterator[str]:
        for error in Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(answer):
            departure = next(
                (words for words, (kind, keys) in DEPARTURES.items() if _is_about(error, kind, keys)),
                None,
            )
            if departure is None:
                yield f"{record.operation}: {error.json_path}: {error.message}"
            else:
                self.departed.add(departure)
        yield from (f"{record.operation}: {words}" for words in self._key_differences(schema, answer))

    def _key_differences(self, schema: dict[str, Any], answer: Any) -> Iterator[str]:
        """The description requires no key; Twilio gives them all, and so does the emulator."""
        described = self._resolved(schema).get("properties", {})
        if described.keys() ^ answer.keys():
            yield f"keys differ: {sorted(described.keys() ^ answer.keys())}"
        for key, value in described.items():
            for item in answer[key] if value.get("type") == "array" else ():
                item_keys = self._resolved(value["items"])["properties"].keys()
                if item_keys ^ item.keys():
                    yield f"keys of {key} differ: {sorted(item_keys ^ item.keys())}"

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        reference = schema.get("$ref")
        found: dict[str, Any] = self._components["schemas"][reference.rpartition("/")[2]] if reference else schema
        return found


def _is_about(error: Any, kind: str, keys: set[str]) -> bool:
    return error.validator == "format" and error.validator_value == kind and error.absolute_path[-1] in keys


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/.]+", re.escape(path)))


def _with_nulls(node: Any) -> Any:
    """OpenAPI 3.0 says ``nullable``, JSON Schema has a type for it."""
    if isinstance(node, list):
        return [_with_nulls(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _with_nulls(value) for key, value in node.items()}
    if made.pop("nullable", False) is True and "type" in made:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made
