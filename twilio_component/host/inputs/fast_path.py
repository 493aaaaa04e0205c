"""A fast path around the JSON Schema validator for valid values, which nearly all are.

A check compiled here decides in microseconds that a value is certainly valid, or that it does not know; then the
validator decides, and says what is wrong. It knows the keywords that manifests use; with any other keyword it never
knows. A property test compares it with the validator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from twilio_component.host.errors import PluginError, did_you_mean, join_names

Check = Callable[[Any], bool]

# Keywords that say nothing about validity.
_ANNOTATIONS = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "format",
        "clean",
        "environment",
        "writeOnly",
        "message",
        "otherNames",
        "notInputs",
    }
)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def certainly_valid(schema: Any) -> Check:
    """Return a check that is true only for values that the schema allows."""
    if schema is True:
        return _always
    if not isinstance(schema, Mapping):
        return _never
    checks = []
    for keyword, value in schema.items():
        if keyword not in _ANNOTATIONS:
            compile_keyword = _KEYWORDS.get(keyword)
            if compile_keyword is None:
                return _never
            checks.append(compile_keyword(value, schema))
    return _all(checks)


def _always(_value: Any) -> bool:
    return True


def _never(_value: Any) -> bool:
    return False


def _all(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check_all(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 - a generator would cost as much as the checks
            if not check(value):
                return False
        return True

    return check_all


def _type(allowed: Any, _schema: Any) -> Check:
    names = allowed if isinstance(allowed, list) else [allowed]
    for name in names:
        if name not in _TYPES:
            raise PluginError(
                f"'{name}' is not a type of JSON Schema{did_you_mean(str(name), _TYPES)} (types: {join_names(_TYPES)})"
            )
    kinds = frozenset(kind for name in names for kind in _TYPES[name])
    # By exact type: in Python a boolean is an int, in JSON it is not.
    return lambda value: type(value) in kinds


def _enum(allowed: Any, _schema: Any) -> Check:
    texts = frozenset(item for item in allowed if isinstance(item, str))
    return lambda value: type(value) is str and value in texts


def _pattern(pattern: Any, _schema: Any) -> Check:
    search = re.compile(pattern).search
    return lambda value: type(value) is str and search(value) is not None


def _at_least(least: Any, _schema: Any) -> Check:
    return lambda value: type(value) in (int, float) and value >= least


def _at_most(most: Any, _schema: Any) -> Check:
    return lambda value: type(value) in (int, float) and value <= most


def _not_shorter(least: Any, _schema: Any) -> Check:
    return lambda value: type(value) in (str, list) and len(value) >= least


def _not_longer(most: Any, _schema: Any) -> Check:
    return lambda value: type(value) in (str, list) and len(value) <= most


def _items(schema: Any, _schema: Any) -> Check:
    check = certainly_valid(schema)
    return lambda value: type(value) is list and all(check(item) for item in value)


def _properties(properties: Any, schema: Any) -> Check:
    checks = {name: certainly_valid(part) for name, part in properties.items()}
    others = certainly_valid(schema.get("additionalProperties", True))

    def check_properties(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, item in value.items():  # noqa: SIM110 - a generator would cost as much as the checks
            if not checks.get(name, others)(item):
                return False
        return True

    return check_properties


def _other_properties(other: Any, schema: Any) -> Check:
    # `properties` checks them too; without it, every property is an additional one.
    return _always if "properties" in schema else _properties({}, {"additionalProperties": other})


def _required_properties(names: Any, _schema: Any) -> Check:
    wanted = frozenset(names)
    return lambda value: type(value) is dict and value.keys() >= wanted


def _dependent(needs: Any, _schema: Any) -> Check:
    wanted = {name: frozenset(others) for name, others in needs.items()}

    def check_dependent(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, others in wanted.items():  # noqa: SIM110 - a generator would cost as much as the checks
            if name in value and not value.keys() >= others:
                return False
        return True

    return check_dependent


def _all_of(schemas: Any, _schema: Any) -> Check:
    return _all([certainly_valid(schema) for schema in schemas])


def _any_of(schemas: Any, _schema: Any) -> Check:
    checks = [certainly_valid(schema) for schema in schemas]

    def check_any(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 - a generator would cost as much as the checks
            if check(value):
                return True
        return False

    return check_any


def _not(schema: Any, _schema: Any) -> Check:
    """Check inputs that exclude each other; any other `not` is left to the validator."""
    if schema.keys() == {"anyOf"}:
        return _all([_not(option, None) for option in schema["anyOf"]])
    if schema.keys() != {"required"}:
        return _never
    together = frozenset(schema["required"])
    return lambda value: type(value) is dict and not value.keys() >= together


_KEYWORDS: Mapping[str, Callable[[Any, Any], Check]] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _at_least,
    "maximum": _at_most,
    "minLength": _not_shorter,
    "maxLength": _not_longer,
    "minItems": _not_shorter,
    "maxItems": _not_longer,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _other_properties,
    "required": _required_properties,
    "dependentRequired": _dependent,
    "allOf": _all_of,
    "anyOf": _any_of,
    "not": _not,
}
