"""Nothing public is missing from the documentation, and its links lead somewhere."""

from __future__ import annotations

import argparse
import re

import pytest
from pagewriters.errors import error_kinds
from support.pages import PAGES, ROOT, text_of

from twilio_component.cli.main import command_parser
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


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(page)):
        assert ((ROOT / page).parent / link).exists(), link
