"""How people opt out, in a configuration file.

::

    optOuts:
      scope: sender        # or account: a STOP to one number is one to all numbers and services of its account
      keywords: {stop: [ARRET, STOPP, BAJA], start: [DEBUT], help: [AIDE]}   # beside the service's own
      replies: {stop: "Vous ne recevrez plus de messages.", start: …, help: …}   # what confirms them
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from twilio_component.host.contacts import ContactWords
from twilio_component.host.errors import Problem, did_you_mean, join_names

_KEYS = ("scope", "keywords", "replies")
_KINDS = ("stop", "start", "help")
_SCOPES = ("sender", "account")
# What carriers and Twilio themselves make of a message of one word; no setting changes it.
_MEANINGS = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"), "stop"),
    **dict.fromkeys(("start", "unstop"), "start"),
    **dict.fromkeys(("help", "info"), "help"),
}
_LONGEST_WORD, _LONGEST_REPLY = 40, 1_600


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutSettings:
    """A deployment's own ``words``, and whether an opt-out concerns the whole account of its sender."""

    words: ContactWords = field(default_factory=ContactWords)
    account_wide: bool = False


def opt_out_settings(section: Mapping[str, Any]) -> tuple[OptOutSettings, list[Problem]]:
    """Return the settings of the section ``optOuts``, and what is wrong with it."""
    problems = list(_problems(section))
    if problems:
        return OptOutSettings(), problems
    keywords = {kind: frozenset(map(_keyword, words)) for kind, words in (section.get("keywords") or {}).items()}
    words = ContactWords(**keywords, replies=dict(section.get("replies") or {}))
    return OptOutSettings(words=words, account_wide=section.get("scope") == "account"), []


def _problems(section: Mapping[str, Any]) -> Iterator[Problem]:
    for key in section:
        if key not in _KEYS:
            yield Problem(
                f"optOuts.{key}", f"is not known{did_you_mean(key, _KEYS) or f' (known: {join_names(_KEYS)})'}"
            )
    if section.get("scope", "sender") not in _SCOPES:
        yield Problem("optOuts.scope", f"must be {join_names(_SCOPES, word='or')}")
    for key, wanted, is_right in (
        ("keywords", f"a list of words of at most {_LONGEST_WORD} characters", _are_words),
        ("replies", f"a text of at most {_LONGEST_REPLY:,} characters", _is_reply),
    ):
        found = section.get(key) or {}
        if not isinstance(found, Mapping):
            yield Problem(f"optOuts.{key}", f"must be an object with {join_names(_KINDS)}")
            continue
        for kind, value in found.items():
            if kind not in _KINDS:
                yield Problem(f"optOuts.{key}.{kind}", f"is not known (known: {join_names(_KINDS)})")
            elif not is_right(value):
                yield Problem(f"optOuts.{key}.{kind}", f"must be {wanted}")
    yield from _ambiguous(section.get("keywords") or {})


def _ambiguous(keywords: Any) -> Iterator[Problem]:
    """One word cannot mean two things."""
    seen: dict[str, str] = {}
    for kind in _KINDS:
        words = keywords.get(kind) if isinstance(keywords, Mapping) else None
        for word in words if words is not None and _are_words(words) else ():
            meaning = _MEANINGS.get(_keyword(word), kind)
            if meaning != kind:
                yield Problem(f"optOuts.keywords.{kind}", f"has the word {word.strip()}, which always means {meaning}")
            other = seen.setdefault(_keyword(word), kind)
            if other != kind:
                yield Problem(f"optOuts.keywords.{kind}", f"has a word that {other} has too")


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(word, str) and 0 < len(_keyword(word)) <= _LONGEST_WORD for word in value
    )


def _is_reply(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_REPLY


def _keyword(word: str) -> str:
    """Return a keyword as messages are compared with it."""
    return unicodedata.normalize("NFKC", word).strip().casefold()
