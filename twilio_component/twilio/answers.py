"""Answers that people write: what a reply means for a question that expects a certain kind of answer.

A reply is a message as the trigger ``inboundMessage`` returns it. A tapped button counts with its payload and its text,
an item of a list with its id and its title.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twilio_component.twilio.answer_patterns import LONGEST_ANSWER, compile_pattern
from twilio_component.twilio.opt_outs import asks_help

YES = ("yes", "y", "yeah", "yep", "yup", "ok", "okay", "sure", "true", "yes please", "yes thanks", "👍", "✅")
NO = ("no", "n", "nope", "nah", "false", "no thanks", "no thank you", "👎", "❌")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,15}(?:[.,][0-9]{1,10})?|[.,][0-9]{1,10})")
_AMBIGUOUS = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_WRITTEN_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_OTHER_CONTENT = ("media", "location", "interactiveData")


def answer(expects: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``{"answer": …}`` for a reply that fits, else None.

    The answer is text, for ``yesNo`` a boolean, for ``number`` a number, for ``date`` text such as ``2026-12-24``, for
    ``choice`` one of the choices as the flow writes it.
    """
    if expects["answerType"] == "anything" and asks_help(message):
        return None  # it is for Twilio, which replies to it
    read = _READERS[expects["answerType"]]
    for text in _texts(message):
        found = read(expects, text)
        if found is not None:
            return {"answer": found}
    # A picture or a place without words is an answer where anything is.
    is_other = expects["answerType"] == "anything" and any(message.get(name) for name in _OTHER_CONTENT)
    return {"answer": ""} if is_other else None


def comparable(text: str) -> str:
    """Return a text as answers are compared: without case, and without punctuation and emoji around the words.

    One that is nothing but emoji stays as it is, but for the colour of skin and for how often it has the same one.
    """
    plain = _plain(text).casefold()
    words = _strip(plain, "PZSC")
    return words or re.sub(r"(\S)(?:\s*\1)+", r"\1", _strip(plain, "PZC"))


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the person said, the most certain first."""
    for name in ("buttonPayload", "listId", "buttonText", "listTitle", "body"):
        text = message.get(name)
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _anything(_expects: Mapping[str, Any], text: str) -> str:
    return text


def _yes_or_no(expects: Mapping[str, Any], text: str) -> bool | None:
    said = _words(text)
    # The words of the flow come first: it may use one in another sense.
    for meaning, name in ((True, "yesWords"), (False, "noWords")):
        if said in {_words(word) for word in expects.get(name, ())}:
            return meaning
    if said in YES:
        return True
    return False if said in NO else None


def _words(text: str) -> str:
    return " ".join(re.sub(r"[,.;:!?]+", " ", comparable(text)).split())


def _number(expects: Mapping[str, Any], text: str) -> int | float | None:
    written = _strip(_with_digits(text), "PZ", keep="+-.,")
    if not _NUMBER.fullmatch(written) or _AMBIGUOUS.fullmatch(written):
        return None  # 1,200 is a thousand to some, and a little more than one to others; so is 1.200
    value = float(written.replace(",", "."))
    if value < expects.get("minimum", value) or value > expects.get("maximum", value):
        return None
    return int(value) if value.is_integer() else value


def _date(expects: Mapping[str, Any], text: str) -> str | None:
    written = _strip(_with_digits(text), "PZ", keep="+-.,")
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
    said = comparable(text)
    for choice in choices:
        if comparable(choice) == said:
            return choice
    written = _with_digits(said)
    number = int(written) if written.isascii() and written.isdigit() and len(written) <= 3 else 0  # noqa: PLR2004 - see choices
    return choices[number - 1] if 1 <= number <= len(choices) else None


def _pattern(expects: Mapping[str, Any], text: str) -> str | None:
    pattern = compile_pattern(expects["pattern"])
    for written in (text, _strip(_with_digits(text), "PZ")):
        if len(written) <= LONGEST_ANSWER and pattern.fullmatch(written):
            return written
    return None


def _plain(text: str) -> str:
    """The text without what only changes how a character looks: width, joiners, variants, skin, keycaps."""
    return "".join(one for one in unicodedata.normalize("NFKC", text) if not _changes_only_looks(one))


def _changes_only_looks(character: str) -> bool:
    is_variant = "\ufe00" <= character <= "\ufe0f" or "\U0001f3fb" <= character <= "\U0001f3ff"
    return is_variant or character == "\u20e3" or unicodedata.category(character) == "Cf"


def _with_digits(text: str) -> str:
    """The text with the digits, signs and decimal points of all scripts as 0 to 9, ``-`` and ``.``."""
    digits = ((one, unicodedata.decimal(one, None)) for one in _plain(text))
    return "".join(one if digit is None else str(digit) for one, digit in digits).translate(_SIGNS)


_SIGNS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{ARABIC DECIMAL SEPARATOR}": "."})


def _strip(text: str, kinds: str, *, keep: str = "") -> str:
    """The text without characters of these kinds (the first letters of Unicode's categories) at its ends.

    At the beginning, those to ``keep`` stay.
    """
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start])[0] in kinds and text[start] not in keep:
        start += 1
    while end > start and unicodedata.category(text[end - 1])[0] in kinds:
        end -= 1
    return text[start:end]


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], Any]] = {
    "anything": _anything,
    "yesNo": _yes_or_no,
    "number": _number,
    "date": _date,
    "choice": _choice,
    "pattern": _pattern,
}
