"""The page about the design names modules, functions and folders that exist."""

from __future__ import annotations

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest
from support.pages import ROOT, text_of

import twilio_component

PAGE = text_of("docs/explanation/design.md")
PACKAGE = Path(twilio_component.__file__).parent
NAMES = sorted(set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)*):([A-Za-z_.]+)`", PAGE)) - {("package.module", "function")})
MODULES = sorted(set(re.findall(r"`((?:host|flows|durable|serving|emulator|twilio|cli)(?:\.[a-z_]+)+)`", PAGE)))


@pytest.mark.parametrize(("module", "name"), [pair for pair in NAMES if pair[0] != "module"])
def test_a_name_on_the_page_exists(module: str, name: str) -> None:
    reduce(getattr, name.split("."), import_module(f"twilio_component.{module}"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_on_the_page_exists(module: str) -> None:
    import_module(f"twilio_component.{module}")


def test_the_layout_is_that_of_the_repository() -> None:
    tree = PAGE.partition("## Package layout")[2].partition("```text\n")[2].partition("```")[0]
    folder, named = ROOT, set()
    inner: set[Path] = set()
    for line in tree.splitlines():
        entries = line.strip().partition("  ")[0].split()
        depth = len(line) - len(line.lstrip())
        parent = {0: ROOT, 2: PACKAGE}.get(depth, folder)
        assert [entry for entry in entries if not (parent / entry).exists()] == []
        if depth == 2:
            folder = PACKAGE / entries[0]
            named.add(folder.name)
        elif depth > 2:
            inner.update(folder / entry.rstrip("/") for entry in entries)
    assert named == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    packages = {path.parent for path in PACKAGE.glob("*/*/__init__.py")}
    assert packages - inner == {PACKAGE / "cli" / "commands"}  # named beside `cli/`
