"""Every input of the built-in components that flows take for granted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pagewriters import NOTE
from twilio_component.builtins.plugin import register_component
from twilio_component.cli.markdown import operation_section

DOCUMENTED = Path(__file__).parents[1] / "documented-built-ins.json"
_INTRODUCTION = (
    "Exported flows use these components without naming them anywhere, so they are part of this package. They are "
    "components like any other. Mock an action that they lack, or "
    "[write a component](../tutorials/first-component.md) that has it. JavaScript (`code.runCode`, and the actions "
    "that take code) does not run here; `flow check` says so."
)


_COMPARISON = (
    "Prismatic documents these components by the labels of their actions and inputs. Every action named there is here "
    "with as many inputs, but for those in the last column. Keys that exports show are the same; the others follow "
    "the labels. `http` has the connections with a key and with a password, and none of OAuth."
)


def documented() -> dict[str, list[dict[str, Any]]]:
    """What Prismatic documents, by component: ``label``, ``inputs``, and the ``key`` here, or why it is ``missing``."""
    data: dict[str, list[dict[str, Any]]] = json.loads(DOCUMENTED.read_text(encoding="utf-8"))
    return data


def _comparison() -> Iterator[str]:
    yield from ("", "## Compared with Prismatic's documents", "", _COMPARISON, "")
    yield from ("| component | documented | here | not here |", "|---|---|---|---|")
    for component, operations in documented().items():
        missing = "; ".join(f"{one['label']} ({one['missing']})" for one in operations if "missing" in one)
        here = sum("key" in one for one in operations)
        yield f"| `{component}` | {len(operations)} | {here} | {missing} |"


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    components = sorted((file.component for file in register_component()), key=lambda component: component.key)
    yield from (
        "# Built-in components",
        "",
        NOTE.format(source="twilio_component/builtins/manifests"),
        "",
        _INTRODUCTION,
    )
    yield from _comparison()
    for component in components:
        description = f"{component.display.description.rstrip('.')}."
        documentation = (component.manifest.get("documentation") or "").strip()
        yield from ("", f"## `{component.key}`", "", " ".join(filter(None, (description, documentation))))
        for operation in (*component.triggers.values(), *component.actions.values()):
            yield from operation_section(operation, "###")
