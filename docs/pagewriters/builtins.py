"""Every input of the built-in components that flows take for granted."""

from __future__ import annotations

from collections.abc import Iterator

from pagewriters import NOTE
from twilio_component.builtins.plugin import register_component
from twilio_component.cli.markdown import operation_section

_INTRODUCTION = (
    "Exported flows use these components without naming them anywhere, so they are part of this package. They are "
    "components like any other. Mock an action that they lack, or "
    "[write a component](../tutorials/first-component.md) that has it. JavaScript (`code.runCode`, and the actions "
    "that take code) does not run here; `flow check` says so."
)


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    components = sorted(register_component(), key=lambda component: component.key)
    yield from (
        "# Built-in components",
        "",
        NOTE.format(source="twilio_component/builtins/manifests"),
        "",
        _INTRODUCTION,
    )
    for component in components:
        description = f"{component.display.description.rstrip('.')}."
        documentation = (component.manifest.get("documentation") or "").strip()
        yield from ("", f"## `{component.key}`", "", " ".join(filter(None, (description, documentation))))
        for operation in (*component.triggers.values(), *component.actions.values()):
            yield from operation_section(operation, "###")
