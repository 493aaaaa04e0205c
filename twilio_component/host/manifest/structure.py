"""A quick look for misspelt keys and types in a manifest, without a JSON Schema validator.

The validator costs 100 ms to import. This look takes less than one, and decides only whether the validator is needed to
say what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

# The keywords of JSON Schema that a manifest may use in inputs and outputs.
_ABOUT_DOCUMENTS = {"$ref", "$defs", "$comment", "$schema", "$id", "title", "description", "default", "examples"}
_ABOUT_VALUES = {"type", "enum", "const", "format", "deprecated", "readOnly", "writeOnly"}
_ABOUT_TEXT = {"pattern", "minLength", "maxLength", "contentEncoding", "contentMediaType"}
_ABOUT_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_ABOUT_LISTS = {"minItems", "maxItems", "uniqueItems", "minContains", "maxContains"}
_ABOUT_OBJECTS = {"required", "dependentRequired", "minProperties", "maxProperties"}
_OF_ONE_SCHEMA = {"items", "contains", "unevaluatedItems", "additionalProperties", "unevaluatedProperties"}
_OF_ONE_SCHEMA |= {"propertyNames", "not", "if", "then", "else"}
_OF_A_LIST = {"allOf", "anyOf", "oneOf", "prefixItems"}
_OF_NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs"}
_WITHOUT_SCHEMAS = _ABOUT_DOCUMENTS - {"$defs"} | _ABOUT_VALUES | _ABOUT_TEXT | _ABOUT_NUMBERS
KEYWORDS = frozenset[str]().union(
    _ABOUT_DOCUMENTS,
    _ABOUT_VALUES,
    _ABOUT_TEXT,
    _ABOUT_NUMBERS,
    _ABOUT_LISTS,
    _ABOUT_OBJECTS,
    _OF_ONE_SCHEMA,
    _OF_A_LIST,
    _OF_NAMED,
)
# Other formats are allowed, and say nothing to a host.
FORMATS = frozenset(
    ("connection", "keyvaluelist", "text", "date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6")
) | {"uri", "uri-reference", "uuid", "json-pointer", "regex"}
TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_OPERATIONS = ("actions", "triggers", "dataSources")

Words = Iterator[tuple[tuple[str | int, ...], str]]


def own_keywords(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the keywords that inputs may have beside JSON Schema's; ``schema`` is that of manifests."""
    definitions = schema["$defs"]
    return frozenset(definitions["input"]["properties"]) | {*definitions["inputs"]["properties"]}


def has_unknown_words(manifest: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether the manifest has a key or a type that ``schema``, the schema of manifests, does not know.

    Raises ``AttributeError``, ``KeyError`` or ``TypeError`` for a manifest whose values have other types.
    """
    definitions = schema["$defs"]
    connections = [(part, definitions["connection"]) for part in manifest.get("connections", {}).values()]
    operations = [
        (part, definitions["operation"]) for section in _OPERATIONS for part in manifest.get(section, {}).values()
    ]
    parts = [(manifest, schema), *connections, *operations]
    if any(not part.keys() <= known["properties"].keys() for part, known in parts):
        return True
    own = own_keywords(schema)
    seen: set[int] = set()  # most schemas are references to a few, which are the same object wherever they are
    schemas = (part.get(name, {}) for part, _ in parts for name in ("inputs", "outputSchema"))
    return next(chain.from_iterable(unknown_words(inner, own, seen=seen) for inner in schemas), None) is not None


def unknown_words(
    schema: Any, own: frozenset[str], path: tuple[str | int, ...] = (), *, seen: set[int] | None = None
) -> Words:
    """Yield the path and the word of every keyword and type in ``schema`` that JSON Schema does not have.

    ``own`` are the keywords of manifests beside JSON Schema's; those that start with ``x-`` are free. Schemas whose
    ``id`` is in ``seen`` are left out, and those that were looked through are added.
    """
    if not isinstance(schema, dict):
        return
    if seen is not None:
        if id(schema) in seen:
            return
        seen.add(id(schema))
    for keyword, value in schema.items():
        if keyword == "type":
            yield from _unknown_types(value, (*path, keyword))
        elif keyword not in KEYWORDS and keyword not in own and not str(keyword).startswith("x-"):
            yield (*path, keyword), str(keyword)
        if keyword in _WITHOUT_SCHEMAS:
            continue
        for name, inner in _inner_schemas(keyword, value):
            yield from unknown_words(inner, own, (*path, keyword, *name), seen=seen)


def _unknown_types(value: Any, path: tuple[str | int, ...]) -> Words:
    named = [((*path, index), name) for index, name in enumerate(value)] if isinstance(value, list) else [(path, value)]
    yield from ((place, str(name)) for place, name in named if not isinstance(name, str) or name not in TYPES)


def _inner_schemas(keyword: str, value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if keyword in _OF_ONE_SCHEMA:
        yield (), value
    elif keyword in _OF_A_LIST and isinstance(value, list):
        yield from (((index,), inner) for index, inner in enumerate(value))
    elif keyword in _OF_NAMED and isinstance(value, Mapping):
        yield from (((name,), inner) for name, inner in value.items())
