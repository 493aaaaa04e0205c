"""Text, cut, joined and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import as_text

if TYPE_CHECKING:
    from twilio_component.host.context import Context


async def split(_context: Context, inputs: dict[str, Any]) -> list[str]:
    """The parts between separators."""
    parts: list[str] = inputs["text"].split(inputs["separator"])
    return parts


async def join(_context: Context, inputs: dict[str, Any]) -> str:
    """The texts, with the separator between them."""
    separator: str = inputs["separator"]
    return separator.join(as_text(item) for item in inputs["strings"])


async def join_lines(_context: Context, inputs: dict[str, Any]) -> str:
    """The texts, with newlines between them."""
    newlines: str = inputs["newlineType"] * inputs["numberOfNewlines"]
    return newlines.join(as_text(item) for item in inputs["strings"])


async def replace(_context: Context, inputs: dict[str, Any]) -> str:
    """The text with every occurrence replaced."""
    text: str = inputs["text"].replace(inputs["find"], inputs["replace"])
    return text


async def upper_case(_context: Context, inputs: dict[str, Any]) -> str:
    """The text in capitals."""
    text: str = inputs["text"].upper()
    return text


async def lower_case(_context: Context, inputs: dict[str, Any]) -> str:
    """The text in small letters."""
    text: str = inputs["text"].lower()
    return text


async def trim(_context: Context, inputs: dict[str, Any]) -> str:
    """The text without white space at its ends."""
    text: str = inputs["text"].strip()
    return text
