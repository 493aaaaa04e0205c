"""The documentation's pages, and the examples in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
# A fence, with the file name or the remark (a comment that the reader does not see) of the paragraph above it.
_FENCE = re.compile(
    r"(?:^(?:[^\n]*`(?P<file>[\w./-]+\.\w+)`[^\n`]*:|`(?P<name>[\w./-]+\.\w+)`|<!-- (?P<remark>[^\n]*?) -->)\n\n?)?"
    r"^```(?P<kind>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

# The pages name the errors of every module, and some modules need an extra.
needs_every_extra = pytest.mark.skipif(
    not all(map(find_spec, ("httpx2", "mcp", "opentelemetry", "prometheus_client"))),
    reason="an extra is not installed, as in the session with the lowest versions",
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, the file that it is the content of, the remark above it."""

    kind: str
    code: str
    file: str | None = None
    remark: str = ""


def text_of(page: str) -> str:
    """The Markdown of a page, by its path below the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [
        Block(match["kind"], match["code"], match["file"] or match["name"], match["remark"] or "")
        for match in _FENCE.finditer(text_of(page))
    ]
