"""Answers that people write: what a reply means for a question that expects a certain kind of answer.

A reply is a message as the trigger ``inboundMessage`` returns it. A tapped button counts with its payload and its text,
an item of a list with its id and its title.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twilio_component.twilio.answer_patterns import LONGEST_ANSWER, compile_pattern

YES = ("yes", "y", "yeah", "yep", "yup", "ok", "okay", "sure", "true", "👍")
NO = ("no", "n", "nope", "nah", "false", "👎")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:[.,][0-9]{1,10})?")
_AMBIGUOUS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_WRITTEN_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_AROUND = " \t\r\n.!?,;:\"'()"


def answer(expects: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``{"answer": …}`` for a reply that fits, else None.

    The answer is text, for ``yesNo`` a boolean, for ``number`` a number, for ``date`` text such as ``2026-12-24``, for
    ``choice`` one of the choices as the flow writes it.
    """
    read = _READERS[expects["answerType"]]
    for text in _texts(message):
        found = read(expects, text)
        if found is not None:
            return {"answer": found}
    return None


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the person said, the most certain first."""
    for name in ("buttonPayload", "listId", "buttonText", "listTitle", "body"):
        text = message.get(name)
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _anything(_expects: Mapping[str, Any], text: str) -> str:
    return text


def _yes_or_no(expects: Mapping[str, Any], text: str) -> bool | None:
    said = _bare(text)
    if said in _words(expects, "yesWords", YES):
        return True
    return False if said in _words(expects, "noWords", NO) else None


def _words(expects: Mapping[str, Any], name: str, usual: Sequence[str]) -> set[str]:
    return {*usual, *(_bare(word) for word in expects.get(name, ()))}


def _number(expects: Mapping[str, Any], text: str) -> int | float | None:
    written = text.strip(_AROUND)
    if not _NUMBER.fullmatch(written) or _AMBIGUOUS.fullmatch(written):
        return None  # 1,200 is a thousand to some, and a little more than one to others
    value = float(written.replace(",", "."))
    if value < expects.get("minimum", value) or value > expects.get("maximum", value):
        return None
    return int(value) if value.is_integer() else value


def _date(expects: Mapping[str, Any], text: str) -> str | None:
    written = text.strip(_AROUND)
    if iso := _ISO_DATE.fullmatch(written):
        year, month, day = iso.groups()
    elif found := _WRITTEN_DATE.fullmatch(written):
        day, month, year = found.groups() if expects["dateOrder"] == "DMY" else (found[2], found[1], found[3])
    else:
        return None
    try:
        return dt.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def _choice(expects: Mapping[str, Any], text: str) -> str | None:
    choices: Sequence[str] = expects["choices"]
    said = _bare(text)
    for choice in choices:
        if _bare(choice) == said:
            return choice
    number = int(said) if said.isascii() and said.isdigit() and len(said) <= 3 else 0  # noqa: PLR2004 - see choices
    return choices[number - 1] if 1 <= number <= len(choices) else None


def _pattern(expects: Mapping[str, Any], text: str) -> str | None:
    if len(text) > LONGEST_ANSWER:
        return None
    return text if compile_pattern(expects["pattern"]).fullmatch(text) else None


def _bare(text: str) -> str:
    return text.strip(_AROUND).casefold()


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = {
    "anything": _anything,
    "yesNo": _yes_or_no,
    "number": _number,
    "date": _date,
    "choice": _choice,
    "pattern": _pattern,
}
