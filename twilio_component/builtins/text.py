"""Text, cut, joined and changed."""

from __future__ import annotations

import base64
import binascii
import html
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.formats import as_bytes, as_text
from twilio_component.host.errors import PerformError

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


async def replace_several(_context: Context, inputs: dict[str, Any]) -> str:
    """The text with every occurrence of each key replaced by its value, one key after the other."""
    text: str = inputs["text"]
    for pair in inputs["replaceWith"]:
        text = text.replace(pair["key"], pair["value"])
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


async def substring(_context: Context, inputs: dict[str, Any]) -> str:
    """The part of the text from one index to before another; negative ones count from its end."""
    text: str = inputs["text"][inputs["sliceStart"] : inputs.get("sliceStop")]
    return text


async def length(_context: Context, inputs: dict[str, Any]) -> int:
    """The number of characters, as JavaScript counts them: an emoji is two."""
    return len(inputs["text"].encode("utf-16-le")) // 2


async def encode_html(_context: Context, inputs: dict[str, Any]) -> str:
    """The text with the characters that HTML reads as markup written as references."""
    return html.escape(inputs["text"])


async def decode_html(_context: Context, inputs: dict[str, Any]) -> str:
    """The text that HTML with character references stands for."""
    return html.unescape(inputs["text"])


async def encode_base64(_context: Context, inputs: dict[str, Any]) -> str:
    """The text, or the bytes of a file, in Base64."""
    return base64.b64encode(as_bytes(inputs["text"])).decode()


async def decode_base64(_context: Context, inputs: dict[str, Any]) -> str:
    """The text that Base64 holds; raises ``PerformError`` for what is not Base64 or not text in UTF-8."""
    text = "".join(inputs["text"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise PerformError("the text is not Base64 of text in UTF-8") from error
