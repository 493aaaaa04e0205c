"""Nothing public is missing from the documentation, and its links lead somewhere."""

from __future__ import annotations

import argparse
import json
import re
from importlib import import_module

import pytest
from pagewriters.errors import error_kinds
from support.pages import PAGES, ROOT, blocks, needs_every_extra, text_of

from twilio_component.cli.main import command_parser
from twilio_component.durable.store.schema import metadata
from twilio_component.host import hookspecs, load_component
from twilio_component.twilio.plugin import manifest_file

EVERYTHING = "\n".join(text_of(page) for page in PAGES)


def test_every_command_is_documented() -> None:
    parsers = next(action for action in command_parser("")._actions if isinstance(action, argparse._SubParsersAction))
    missing = [
        name
        for name in parsers.choices
        if f"twilio-component {name}" not in EVERYTHING and f"make {name}" not in EVERYTHING
    ]
    assert missing == []


@needs_every_extra
def test_every_operation_every_hook_and_every_error_code_is_documented() -> None:
    component = load_component(manifest_file())
    hooks = [name for name in vars(hookspecs) if name.startswith(("perform_", "register_"))]
    keys = [*component.actions, *component.triggers, *component.data_sources, *component.connections]
    codes = [kind.code for kind in error_kinds()]
    everywhere = {
        code
        for path in (ROOT / "twilio_component").rglob("*.py")
        for code in re.findall(r'^    code = "([a-z-]+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert everywhere == set(codes)
    assert [name for name in (*hooks, *keys, *codes) if f"`{name}" not in EVERYTHING] == []


def test_every_table_of_the_database_is_documented() -> None:
    page = text_of("docs/reference/storage.md")
    assert [name for name in metadata.tables if f"| `{name}` |" not in page] == []


def test_every_key_of_the_manifest_is_documented() -> None:
    schema = json.loads((ROOT / "schemas" / "component.schema.json").read_text(encoding="utf-8"))
    parts = (schema, *(schema["$defs"][name] for name in ("connection", "operation", "input")))
    page = text_of("docs/reference/manifest.md")
    keys = {key for part in parts for key in part["properties"]}
    assert sorted(key for key in keys if not re.search(rf"`{key}\b", page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_imports_exists(page: str) -> None:
    code = "\n".join(block.code for block in blocks(page))
    for module, names in re.findall(r"^ *from (twilio_component[\w.]*) import ([\w, ]+)", code, re.MULTILINE):
        for name in names.split(", "):
            assert hasattr(import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(page)):
        assert ((ROOT / page).parent / link).exists(), link
