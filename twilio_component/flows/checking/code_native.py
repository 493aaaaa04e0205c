"""Code-native integrations: exported, they are a frame around JavaScript that is not in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings

_PERFORMS = ("_onTrigger", "_onExecution")


def is_code_native(data: Any) -> bool:
    """Whether a definition says ``isCodeNative`` and its flows call the JavaScript of a component of their own."""
    if not isinstance(data, Mapping) or data.get("isCodeNative") is not True:
        return False
    return any(str(key).endswith(_PERFORMS) for key in _action_keys(data))


def _action_keys(data: Mapping[str, Any]) -> Iterator[Any]:
    for flow in data.get("flows") or []:
        steps = flow.get("steps") if isinstance(flow, Mapping) else None
        for step in steps if isinstance(steps, list) else []:
            action = step.get("action") if isinstance(step, Mapping) else None
            yield action.get("key") if isinstance(action, Mapping) else action


def report_code_native(findings: Findings) -> None:
    """Say once that the definition cannot run here, instead of once for each of its steps."""
    findings.add(
        "code-native",
        ("isCodeNative",),
        "this is a code-native integration: what its flows do is JavaScript, which is not run here",
        "Write the flows as steps of components, or keep the integration where JavaScript runs.",
        key=True,
    )
