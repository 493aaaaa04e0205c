from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest
from support.pages import DOCS, PAGES, blocks, text_of

from twilio_component.builtins.plugin import register_component
from twilio_component.durable.settings import settings_from
from twilio_component.flows import check_file
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.findings import CODES
from twilio_component.flows.runner.configuration import read_configuration
from twilio_component.host import Host

PAGE = (DOCS / "reference" / "flow-language.md").read_text(encoding="utf-8")
HEAD = """\
name: Page
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: twilio.basic}
  - {key: Twilio Connection, dataType: connection, connection: twilio.basic}
  - {key: Sender, dataType: string}
  - {key: GitHub Secret, dataType: string}
"""
TRIGGER = "- {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}\n"
# What a part may leave to the rest of its file: the steps and variables that it refers to, and a step's inputs.
LEFT_OUT = frozenset({"unknown-step-reference", "unknown-config-variable"})
SECTIONS = ("configVars", "frequencyCaps", "optOuts", "endpointKeys", "senders", "quietHours", "sending", "lists")
FLOW_FILES = re.compile(r"^flows:$", re.MULTILINE)


def test_the_page_lists_every_code_with_its_severity_and_meaning() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert listed == [(code, severity, meaning) for code, (severity, meaning) in CODES.items()]


@pytest.mark.parametrize("page", [page for page in PAGES if FLOW_FILES.search(text_of(page))])
def test_every_flow_file_in_the_documentation_has_no_mistakes(page: str) -> None:
    components = Host.discover().components
    files = [block.code for block in blocks(page) if block.kind == "yaml" and FLOW_FILES.search(block.code)]
    findings = [one for text in files for one in check_file("flow.yaml", components, text=text)]
    assert [str(one) for one in findings if one.severity == "error"] == []


def fragments(page: str) -> list[str]:
    """The parts of flow files on a page, each in a flow that has what its rest would have."""
    code = [dedent(block.code) for block in blocks(page) if block.kind == "yaml" and not FLOW_FILES.search(block.code)]
    parts = [re.sub(r"^#.*\n", "", text, flags=re.MULTILINE) for text in code]
    return [_whole(part) for part in parts if part.startswith("- name:")]


def _whole(part: str) -> str:
    trigger = "" if "isTrigger: true" in part else indent(TRIGGER, " " * 6)
    if re.search(r"^  action:", part, re.MULTILINE):
        return f"{HEAD}flows:\n  - name: Page\n    steps:\n{trigger}{indent(part, ' ' * 6)}"
    return f"{HEAD}flows:\n{indent(part, '  ')}    steps:\n{trigger}"


@pytest.mark.parametrize("page", [page for page in PAGES if fragments(page)])
def test_every_part_of_a_flow_in_the_documentation_has_no_mistakes(page: str) -> None:
    components = Host.discover().components
    found = [(text, one) for text in fragments(page) for one in check_file("flow.yaml", components, text=text)]
    wrong = [(text, one) for text, one in found if one.severity == "error" and one.code not in LEFT_OUT]
    assert [str(one) for text, one in wrong if one.code != "missing-input" or "inputs:" in text] == []


def configurations(page: str) -> list[str]:
    """The configurations on a page, whole or in part."""
    code = [block.code for block in blocks(page) if block.kind == "yaml" and block.file is None]
    return [text for text in code if text.partition(":")[0] in SECTIONS]


@pytest.mark.parametrize("page", [page for page in PAGES if configurations(page)])
def test_every_configuration_in_the_documentation_is_valid(page: str, tmp_path: Path) -> None:
    for text in configurations(page):
        file = tmp_path / "configuration.yaml"
        file.write_text(text, encoding="utf-8")
        settings_from(read_configuration(file).durability)


def test_the_page_names_every_operator() -> None:
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_built_in_component_action_and_trigger() -> None:
    built_ins = (DOCS / "reference" / "built-ins.md").read_text(encoding="utf-8")
    for component in (file.component for file in register_component()):
        section = built_ins.partition(f"\n## `{component.key}`\n")[2].partition("\n## ")[0]
        for key in (*component.actions, *component.triggers):
            assert f"\n### `{key}`\n" in section, key
