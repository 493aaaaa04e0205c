"""One module for each kind of generated page; each has ``page()``, which returns the page as Markdown."""

from __future__ import annotations

NOTE = "<!-- Written by `make docs` from {source}; edit that instead. -->"
