from __future__ import annotations

import re

import pytest
from support.pages import DOCS, PAGES, blocks, text_of

from twilio_component.builtins.plugin import register_component
from twilio_component.flows import check_file
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.findings import CODES
from twilio_component.host import Host

PAGE = (DOCS / "reference" / "flow-language.md").read_text(encoding="utf-8")
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


def test_the_page_names_every_operator() -> None:
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_built_in_component_action_and_trigger() -> None:
    built_ins = (DOCS / "reference" / "built-ins.md").read_text(encoding="utf-8")
    for component in (file.component for file in register_component()):
        section = built_ins.partition(f"\n## `{component.key}`\n")[2].partition("\n## ")[0]
        for key in (*component.actions, *component.triggers):
            assert f"\n### `{key}`\n" in section, key
