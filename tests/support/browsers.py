"""A browser for tests of pages: Debian's Chromium, where it is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser, ended with the block; while it runs, this thread has an event loop that others would meet."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)}): apt-get install chromium")
    from playwright.sync_api import sync_playwright

    # Chromium's sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


@contextmanager
def empty_page(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """An empty page for this URL and what is below it; in the end nothing may have gone wrong in it."""
    problems: list[str] = []
    opened = browser.new_context(**({"viewport": {"width": 1360, "height": 820}} | context))
    opened.set_default_timeout(20_000)
    page = opened.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    # The browser itself writes down violations of the page's policy.
    page.on("console", lambda told: problems.append(told.text) if "Policy" in told.text else None)
    page.on("request", lambda one: None if one.url.startswith(url.partition("#")[0]) else problems.append(one.url))
    yield page
    opened.close()
    assert problems == []
