"""What a check finds in a flow definition: each finding with a code, a place and a hint.

The codes are stable: scripts and editors go by them. ``CODES`` says what each means and how grave it is; the
documentation lists them from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import IntegrationError, json_path

if TYPE_CHECKING:
    from twilio_component.host.manifest.documents import Document, PathParts

ERROR, WARNING = "error", "warning"

CODES: dict[str, tuple[str, str]] = {
    "document-unreadable": (ERROR, "The file is absent, not UTF-8, not YAML, nested too deeply or too large."),
    "definition-version": (WARNING, "The definition has another version than 7; it is read as if it were 7."),
    "unknown-key": (WARNING, "A key that the format does not have; it is ignored."),
    "misspelt-key": (ERROR, "A key that the format does not have, close to one that it has."),
    "missing-key": (ERROR, "A key that the format requires is absent."),
    "wrong-type": (ERROR, "A value of the wrong kind, such as text where a list belongs."),
    "duplicate-name": (
        ERROR,
        "Two flows, two steps of a flow or two config variables of one name, or two flows of one path.",
    ),
    "shared-webhook": (ERROR, "Two triggers that name the same number or service, whose webhook leads to one flow."),
    "same-path": (WARNING, "Flows of two files with one path, which cannot be served together."),
    "trigger-misplaced": (ERROR, "A flow whose first step is not a trigger, or with a second trigger."),
    "missing-schedule": (WARNING, "A scheduled trigger without a schedule: it runs only when it is started by hand."),
    "invalid-endpoint": (ERROR, "A flow's endpoint security or queue that cannot be honoured as it is written."),
    "invalid-schedule": (
        ERROR,
        "A schedule that is neither a cron expression nor a config variable, or an unknown time zone.",
    ),
    "uneven-schedule": (WARNING, "A step such as */45, which starts again with each hour or day."),
    "component-not-installed": (ERROR, "A component that no installed package provides; named at its first use."),
    "unknown-action": (ERROR, "An installed component has no such action, trigger or connection."),
    "code-native": (ERROR, "A code-native integration: its flows are JavaScript, which is not run here."),
    "javascript-not-run": (ERROR, "The step is JavaScript, which is not run here; it can be mocked."),
    "unknown-input": (ERROR, "An input that the action does not have."),
    "unused-input": (WARNING, "An input that the action does not have, left empty; it is ignored."),
    "missing-input": (ERROR, "An input that the action requires is absent or empty."),
    "invalid-input": (ERROR, "A value that the action's schema does not allow."),
    "unknown-input-type": (ERROR, "An input type other than value, reference, configVar, template and complex."),
    "invalid-reference": (ERROR, "A reference that is not of the form step.results.path or loop.currentItem.path."),
    "malformed-placeholder": (WARNING, "Braces in a template that look like a placeholder but are text."),
    "unknown-path": (WARNING, "A path into a step's results that, by the step's output schema, they do not have."),
    "unknown-step-reference": (ERROR, "A reference to a step that the flow does not have."),
    "later-step-reference": (ERROR, "A reference to a step that has not run yet."),
    "other-branch-reference": (ERROR, "A reference into a branch or a loop from outside it."),
    "loop-item-outside-loop": (ERROR, "currentItem or index of a step that is not a loop around the reference."),
    "undeclared-config-variable": (ERROR, "A config variable that requiredConfigVars does not declare."),
    "unused-config-variable": (WARNING, "A config variable that is declared but never used."),
    "branch-without-else": (ERROR, "A branch step without a branch named Else."),
    "unknown-branch": (ERROR, "A condition or a mapping for a branch that the step does not have."),
    "unexpected-branches": (ERROR, "Branches of an action that never branches; their steps would never run."),
    "branch-never-taken": (WARNING, "A branch that no condition and no mapping selects."),
    "invalid-condition": (ERROR, "A condition with an unknown operator or the wrong number of terms."),
    "invalid-loop": (ERROR, "A loop with items from two places, or with steps that cannot run concurrently."),
    "unreadable-items": (WARNING, "A loop's file of items is absent or cannot be read beside the flow's file."),
    "invalid-send-rule": (ERROR, "quietHours or frequencyCaps that say nothing that can be followed."),
    "invalid-limit": (
        ERROR,
        "A concurrency, a validFor or an order that is not allowed, or has no effect there.",
    ),
    "break-outside-loop": (ERROR, "breakLoop outside a loop."),
    "invalid-error-handling": (ERROR, "An errorConfig or retryConfig with a value that is not allowed."),
    "unknown-flow": (ERROR, "invokeFlow names a flow that the integration does not have."),
}
# Warnings about what a flow does or sends, not only about how it is written; they are shown where it runs, too.
_EFFECTS = ("malformed-placeholder", "unknown-path", "uneven-schedule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a file. ``line`` and ``column`` count from 1; ``hint`` says what to do."""

    code: str
    message: str
    file: str
    line: int
    column: int
    path: str = "$"
    hint: str = ""

    @property
    def severity(self) -> str:
        """``error`` or ``warning``: whether the flow cannot be relied upon, or may be meant so."""
        return CODES[self.code][0]

    def __str__(self) -> str:
        """``file:line:column: severity: message (code)``, the hint on a line of its own."""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} ({self.code}){hint}"

    def as_json(self) -> dict[str, Any]:
        """The finding as ``flow check --json`` prints it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


class Findings:
    """Collects the findings of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Finding] = []

    def add(self, code: str, at: PathParts, message: str, hint: str = "", *, key: bool = False) -> None:
        """Add a finding about the value at the path ``at``, or about its key; the code's meaning is a hint too."""
        place = self.document.position(at, key=key)
        self.found.append(
            Finding(
                code=code,
                message=message,
                file=self.document.file,
                line=place.line,
                column=place.column,
                path=json_path(at),
                hint=hint or CODES[code][1],
            )
        )

    def in_order(self) -> list[Finding]:
        """The findings in the order of the file, each once."""
        return sorted(dict.fromkeys(self.found), key=lambda finding: (finding.line, finding.column))


def unexpected_effects(findings: Iterable[Finding]) -> list[Finding]:
    """The warnings that concern what a flow does or sends: those to show where it runs, without a check before."""
    return [finding for finding in findings if finding.code in _EFFECTS]


class FlowError(IntegrationError):
    """A flow definition that cannot be used; ``findings`` say why."""

    code = "flow-invalid"

    def __init__(self, summary: str, findings: Iterable[Finding] = ()) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join([summary, *(f"  {finding}" for finding in self.findings)]))


class EvaluationError(IntegrationError):
    """An input that cannot be computed while a flow runs. Doing it again would end the same way."""

    code = "flow-evaluation"
