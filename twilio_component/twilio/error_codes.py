"""Twilio's error codes: what each means, what to do, and whether trying again can help.

The texts are data, `error_codes.json`, sorted by code. The same codes come in responses to requests, as a message's
``errorCode`` and in status callbacks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOCS = "https://www.twilio.com/docs/errors/{code}"

FAMILIES = {
    "account": "Account, credentials and requests",
    "messaging": "Messages",
    "channels": "WhatsApp, RCS and other channels",
    "content": "Content templates",
    "verify": "Verify",
    "lookup": "Lookup",
    "webhooks": "Webhooks and TwiML",
    "links": "Short links",
    "registration": "Registration of senders: A2P 10DLC and toll-free numbers",
}
"""The families of codes, with their titles."""

_LONGEST_CODE = 6
_SHORTEST_STEM = 4
_ENDINGS = ("ations", "ation", "ions", "ion", "ings", "ing", "ures", "ure", "ed", "es", "s")
# Twilio's words, and behind the colon ours.
_SYNONYMS = """
a2p: 10dlc
accept allow permitt authoriz authoris: may not, does not accept
alpha alphanumeric alphasender: sender id
authenticate authentication unauthorized denied forbidden: does not accept, may not
blacklist blocklist unsubscrib unsubscribe: opted out, block
body: text
carrier: network
cost: price
destination: recipient, country
disallow prohibit: not allowed
duplicate: already, twice, too often
exceed limit max maximum quota reach: too many, too often, used up, more than, longer than, larger than, limit
exist found: does not exist, already, not found
expir expire ttl: over, time to live, valid for longer, older than
fail: failed, could not
find: not found, does not exist
freeform session window: 24 hours
geo: country
handset device: phone
http: webhook
insufficient: not enough, no
landline: not a mobile
locale: language
media: file
mismatch: does not fit, do not fit, another
missing requir require: missing, needs, has no, no recipient, requires
otp: code
parameter: variables, input, request
rate ratelimit throttle throttled: too many
short shortcode: short code
sna: silent network
spam: filter
subaccount: sub-account
unable: cannot, could not
unreachable: cannot be reached
unregister: not registered, registered
unsupported: not support, does not cover, not supported
unverified: not verified
url: website, link
valid validation: valid, could not be verified
vetting: was rejected
waba: whatsapp business account
"""
_DATA = Path(__file__).with_name("error_codes.json")
_RETRY = {
    "permanent": "Trying again without a change does not help.",
    "temporary": "Trying again later can help.",
    "recipient": "The recipient decided so: do not try again.",
}
_WHERE = {
    "response": "the response to a request",
    "message": "a message's errorCode and its status callback",
    "webhook": "Twilio's debugger",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The catalogue's entry for one code.

    ``kind`` is ``permanent`` (the same call fails again), ``temporary`` (it may succeed later) or ``recipient`` (the
    recipient decided so); ``arrives`` is ``response``, ``message`` or ``webhook``. ``family`` is what it is about, one
    of ``FAMILIES``. ``confirmed`` says where Twilio describes the code: in its error ``dictionary`` (as of February
    2025) or in other ``documentation``.
    """

    code: int
    family: str
    kind: str
    arrives: str
    confirmed: str
    meaning: str
    remedy: str

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.kind == "temporary"

    @property
    def link(self) -> str:
        """Twilio's own page about the code."""
        return DOCS.format(code=self.code)

    @property
    def guidance(self) -> str:
        """Meaning and remedy, on two lines."""
        return f"What it means: {self.meaning}\nWhat to do: {self.remedy}"

    @property
    def advice(self) -> str:
        """The guidance, and on a third line whether trying again can help."""
        return f"{self.guidance}\n{_RETRY[self.kind]}"

    def __str__(self) -> str:
        """The whole entry, for a terminal."""
        return f"{self.code} ({self.family}, in {_WHERE[self.arrives]})\n{self.advice}\n{self.link}"


def explain(code: int | str | None) -> Explanation | None:
    """Return the entry for a code, given as a number or as text (callbacks have text), or None without an entry."""
    if isinstance(code, str):
        code = int(code) if code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE else None
    return None if code is None else _catalogue().get(code)


def explanations() -> Iterator[Explanation]:
    """Yield every entry, in the order of the codes."""
    yield from _catalogue().values()


def search(words: Iterable[str]) -> list[Explanation]:
    """Return the entries that contain all words, in any case, in their code, family, meaning or remedy.

    A word also stands for its other forms (``rejection`` for rejected), and a word of Twilio's for ours.
    """
    wanted = [_other_words(word.casefold()) for word in words]

    def text_of(entry: Explanation) -> str:
        text = f"{entry.code} {entry.family} {FAMILIES[entry.family]} {entry.meaning} {entry.remedy}"
        return text.casefold()

    return [entry for entry in explanations() if all(any(one in text_of(entry) for one in word) for word in wanted)]


def _other_words(word: str) -> tuple[str, ...]:
    """A word, its stem, and what the entries say in its place."""
    stem = next((word.removesuffix(end) for end in _ENDINGS if word.endswith(end)), word)
    forms = (word, stem) if len(stem) >= _SHORTEST_STEM else (word,)
    return (*forms, *(ours for form in forms for ours in _synonyms().get(form, ())))


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    """What the entries say for a word that Twilio's dictionary has."""
    lines = (line.partition(": ") for line in _SYNONYMS.strip().splitlines())
    return {word: tuple(ours.split(", ")) for words, _, ours in lines for word in words.split()}


def vocabulary() -> frozenset[str]:
    """Return the words of meanings and remedies, in lower case, of which a misspelt one can be a neighbour."""
    texts = (f"{entry.meaning} {entry.remedy}" for entry in explanations())
    return frozenset(re.findall(r"[a-z]{4,}", " ".join(texts).casefold()))


def by_family(entries: Iterable[Explanation]) -> dict[str, list[Explanation]]:
    """Return entries by family, in the order of ``FAMILIES``, without empty families."""
    families: dict[str, list[Explanation]] = {family: [] for family in FAMILIES}
    for entry in entries:
        families[entry.family].append(entry)
    return {family: listed for family, listed in families.items() if listed}


@cache
def _catalogue() -> dict[int, Explanation]:
    entries = json.loads(_DATA.read_text(encoding="utf-8"))
    return {entry["code"]: Explanation(**entry) for entry in entries}
