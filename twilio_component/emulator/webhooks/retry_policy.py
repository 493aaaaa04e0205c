"""When a webhook is repeated: as the fragment of its URL asks (``#rc=3&rp=all``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urldefrag

CONNECT_FAILED = "ct"
READ_FAILED = "rt"
_ALL = frozenset({"4xx", "5xx", CONNECT_FAILED, READ_FAILED})
_MOST_RETRIES = 5
_MOST_CONNECT, _MOST_READ, _MOST_TOTAL = 10_000, 15_000, 15_000  # milliseconds; Twilio takes no more


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """``url`` goes on the wire; ``retries`` so many times after one of ``failures``; times in seconds.

    All attempts together have ``total_seconds``.
    """

    url: str
    retries: int = 1
    failures: frozenset[str] = frozenset({CONNECT_FAILED})
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 15.0

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read the fragment; without one, Twilio tries once more when the connection fails."""
        bare, fragment = urldefrag(url)
        asked = {name: values[-1] for name, values in parse_qs(fragment).items()}
        wanted = {one.strip().lower() for one in asked.get("rp", CONNECT_FAILED).split(",")}
        return cls(
            bare,
            min(_number(asked.get("rc"), 1), _MOST_RETRIES),
            _ALL if "all" in wanted else _ALL & wanted,
            min(_number(asked.get("ct"), 5000), _MOST_CONNECT) / 1000,
            min(_number(asked.get("rt"), _MOST_READ), _MOST_READ) / 1000,
            min(_number(asked.get("tt"), _MOST_TOTAL), _MOST_TOTAL) / 1000,
        )

    def repeats_after(self, outcome: int | str) -> bool:
        """Return whether ``outcome``, an HTTP status or one of the two failures, is worth another try."""
        kind = f"{outcome // 100}xx" if isinstance(outcome, int) else outcome
        return kind in self.failures


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default
