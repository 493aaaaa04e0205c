from __future__ import annotations

import re

from support.flow_runs import FIXTURES

from twilio_component.builtins.plugin import register_component
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.flows.findings import CODES

DOCS = FIXTURES.parents[1] / "docs"
PAGE = (DOCS / "reference" / "flow-language.md").read_text(encoding="utf-8")


def test_the_page_lists_every_code_with_its_severity_and_meaning() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert listed == [(code, severity, meaning) for code, (severity, meaning) in CODES.items()]


def test_the_page_names_every_operator() -> None:
    assert [name for name in OPERATORS if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_built_in_component_action_and_trigger() -> None:
    built_ins = (DOCS / "reference" / "built-ins.md").read_text(encoding="utf-8")
    for component in register_component():
        section = built_ins.partition(f"\n## `{component.key}`\n")[2].partition("\n## ")[0]
        for key in (*component.actions, *component.triggers):
            assert f"\n### `{key}`\n" in section, key
