"""From a file to an integration: what its shape says, and what is wrong with that shape.

Everything that can be said without knowing a component is said here; `checking` adds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twilio_component.flows import control_steps
from twilio_component.flows.findings import ERROR, Finding, Findings, FlowError
from twilio_component.flows.model import (
    Branch,
    ConfigVariable,
    Flow,
    Input,
    Integration,
    QueueConfig,
    Reference,
    Schedule,
    Source,
    Step,
    all_steps,
    camel_case,
    inner_inputs,
)
from twilio_component.flows.parsing.endpoint_config import (
    check_queue_config,
    read_endpoint_security,
    read_queue_config,
)
from twilio_component.flows.parsing.field_reader import FieldReader
from twilio_component.flows.parsing.inputs import InputReader
from twilio_component.flows.parsing.known_keys import CONFIG_VARIABLE, FLOW, INTEGRATION, SOURCE, STEP
from twilio_component.flows.parsing.limits import read_concurrency, read_order, read_valid_for
from twilio_component.flows.parsing.retry_config import read_error_config, read_retry_config
from twilio_component.flows.parsing.send_rules import read_caps_of_flow, read_quiet_hours_of
from twilio_component.host.errors import DocumentError, Problem
from twilio_component.host.inputs.messages import type_name
from twilio_component.host.manifest.documents import Document, parse_document, read_document

if TYPE_CHECKING:
    from twilio_component.flows.send_rules import QuietHours
    from twilio_component.host.manifest.documents import PathParts

_VERSION = 7


@dataclass(frozen=True, slots=True)
class Definition:
    """A file that was read: its document, what it declares (None when that cannot be read), and the findings."""

    document: Document
    integration: Integration | None
    findings: list[Finding]


def read_definition(source: Path | str, *, text: str | None = None) -> Definition:
    """Read the file ``source`` (or ``text``, which ``source`` names) and say what is wrong with its shape."""
    try:
        document = read_document(source) if text is None else parse_document(text, str(source))
    except DocumentError as error:
        return Definition(Document(None, str(source)), None, [_unreadable(error, str(source))])
    if isinstance(document.data, Mapping) and "configVars" in document.data and "flows" not in document.data:
        return Definition(document, None, [_configuration(str(source))])
    reader = _Reader(document)
    integration = reader.integration()
    return Definition(document, integration, reader.findings.in_order())


def read_text(file: Path) -> str:
    """Return the text of a flow definition; raises ``DocumentError``."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DocumentError("The flow definition could not be read", [Problem("", str(reason), str(file))]) from error


def load_integration(source: Path | str, *, text: str | None = None) -> Integration:
    """The integration in a file; raises ``FlowError`` when its shape has errors. Components are not looked at."""
    definition = read_definition(source, text=text)
    errors = [finding for finding in definition.findings if finding.severity == ERROR]
    if errors or definition.integration is None:
        raise FlowError(f"{source} is not a valid flow definition", errors)
    return definition.integration


def _unreadable(error: DocumentError, file: str) -> Finding:
    problem = error.problems[0]
    return Finding(
        code="document-unreadable",
        message=problem.message,
        file=file,
        line=problem.line or 1,
        column=problem.column or 1,
        path=problem.path or "$",
        hint="The file must be YAML (or JSON) in UTF-8; nothing else was checked.",
    )


def _configuration(file: str) -> Finding:
    return Finding(
        code="missing-key",
        message="this is a configuration: give it with --config",
        file=file,
        line=1,
        column=1,
        path="$",
        hint="A flow definition has name and flows. flow check takes no configuration; flow run, serve and worker do.",
    )


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings = Findings(document)
        self.fields = FieldReader(self.findings)
        self.inputs = InputReader(self.findings, ())

    def integration(self) -> Integration | None:
        data = self.document.data
        if not isinstance(data, Mapping):
            self.findings.add("wrong-type", (), f"an integration must be an object, not {type_name(data)}")
            return None
        self.fields.keys(data, (), INTEGRATION, ("name", "flows"))
        self.version(data)
        variables = self.config_variables(data.get("requiredConfigVars"))
        connections = {key for key, found in variables.items() if found.is_connection}
        self.inputs = InputReader(self.findings, connections)
        variables = {key: self.with_inputs(found) for key, found in variables.items()}
        flows: list[Flow] = []
        for at, raw in self.fields.objects(data.get("flows"), ("flows",)):
            flow = self.flow(raw, at)
            if flow is not None:
                if any(flow.name == other.name for other in flows):
                    self.findings.add("duplicate-name", (*at, "name"), f"there is another flow named '{flow.name}'")
                flows.append(flow)
        name = self.fields.text(data, "name", ())
        return Integration(name=name, flows=tuple(flows), config_variables=variables, file=self.document.file)

    def version(self, data: Mapping[str, Any]) -> None:
        version = data.get("definitionVersion", _VERSION)
        if str(version) != str(_VERSION):
            self.findings.add(
                "definition-version",
                ("definitionVersion",),
                f"definition version {str(version)[:20]} is read as version {_VERSION}",
                "Export the integration again, or check that it does what you mean.",
            )

    def config_variables(self, raw: Any) -> dict[str, ConfigVariable]:
        variables: dict[str, ConfigVariable] = {}
        for at, item in self.fields.objects(raw, ("requiredConfigVars",), optional=True):
            self.fields.keys(item, at, CONFIG_VARIABLE, ("key",))
            key = self.fields.text(item, "key", at)
            if key in variables:
                self.findings.add("duplicate-name", (*at, "key"), f"there is another config variable '{key}'")
            component, connection = self.fields.operation(item.get("connection"), (*at, "connection"), optional=True)
            variables[key] = ConfigVariable(
                key=key,
                data_type=str(item.get("dataType", "connection" if connection else "string")),
                default=item.get("defaultValue"),
                time_zone=str(item.get("timeZone") or ""),
                component=component,
                connection=connection,
                at=at,
            )
        return variables

    def with_inputs(self, variable: ConfigVariable) -> ConfigVariable:
        raw = cast("Mapping[str, Any]", self.document.value_at(variable.at)).get("inputs")
        inputs = self.step_inputs(raw, (*variable.at, "inputs"))
        return ConfigVariable(**{**vars(variable), "inputs": inputs})

    def flow(self, raw: Mapping[str, Any], at: PathParts) -> Flow | None:
        self.fields.keys(raw, at, FLOW, ("name", "steps"))
        steps = self.steps(raw.get("steps"), (*at, "steps"))
        if not steps:
            if raw.get("steps") == []:
                self.findings.add("trigger-misplaced", (*at, "steps"), "the flow has no steps", "Add a trigger.")
            return None
        if not steps[0].is_trigger:
            self.findings.add(
                "trigger-misplaced",
                steps[0].at,
                f"the first step, '{steps[0].name}' is not a trigger",
                "Say isTrigger: true there, or put a trigger before it, such as webhook-triggers.webhook.",
            )
        self.check_names(steps)
        return Flow(
            name=self.fields.text(raw, "name", at),
            steps=steps,
            is_synchronous=bool(self.fields.flag(raw, "isSynchronous", at)),
            retry=read_retry_config(self.findings, raw.get("retryConfig"), (*at, "retryConfig")),
            security=read_endpoint_security(self.findings, raw, at),
            queue=self.queue(raw, steps[0], at),
            quiet_hours=self.quiet_hours_of_flow(raw, steps[0], at),
            frequency_caps=read_caps_of_flow(self.findings, raw, at),
            at=at,
        )

    def queue(self, raw: Mapping[str, Any], trigger: Step, at: PathParts) -> QueueConfig | None:
        at_queue = (*at, "queueConfig")
        found = read_queue_config(self.findings, raw.get("queueConfig"), at_queue, self.inputs.read)
        if found is not None:
            is_scheduled = trigger.schedule is not None or trigger.operation == control_steps.SCHEDULE
            check_queue_config(
                self.findings, found, is_scheduled=is_scheduled, is_synchronous=bool(raw.get("isSynchronous"))
            )
            for part in inner_inputs(found.dedupe_id) if found.dedupe_id is not None else ():
                if isinstance(part, Reference) and part.step != trigger.key:
                    message = f"dedupeIdField must refer to the trigger's payload, {trigger.key}.results, not to {part}"
                    self.findings.add("invalid-endpoint", (*at_queue, "dedupeIdField"), message)
        return found

    def quiet_hours_of_flow(self, raw: Mapping[str, Any], trigger: Step, at: PathParts) -> QuietHours | None:
        found = read_quiet_hours_of(self.findings, raw, at, self.inputs.read)
        for part in inner_inputs(found.zone) if found is not None and found.zone is not None else ():
            if isinstance(part, Reference) and part.step != trigger.key:
                message = (
                    f"timeZone of a flow's quietHours must refer to the trigger, {trigger.key}.results, not to {part}"
                )
                hint = "Give the step quietHours of its own, with its timeZone."
                self.findings.add("invalid-send-rule", (*at, "quietHours", "timeZone"), message, hint)
        return found

    def check_names(self, steps: tuple[Step, ...]) -> None:
        seen: dict[str, Step] = {}
        for step in all_steps(steps):
            if step.is_trigger and step is not steps[0]:
                self.findings.add("trigger-misplaced", step.at, f"'{step.name}' is a trigger, but not the first step")
            if step.key in seen:
                other = self.document.position(seen[step.key].at)
                self.findings.add(
                    "duplicate-name",
                    (*step.at, "name"),
                    f"references cannot tell '{step.name}' from the step '{seen[step.key].name}' in line {other.line}",
                    f"Both are called {step.key} in references; rename one of them.",
                )
            seen.setdefault(step.key, step)

    def steps(self, raw: Any, at: PathParts) -> tuple[Step, ...]:
        found = []
        for place, item in self.fields.objects(raw, at):
            step = self.step(item, place)
            if step is not None:
                found.append(step)
        return tuple(found)

    def step(self, raw: Mapping[str, Any], at: PathParts) -> Step | None:
        self.fields.keys(raw, at, STEP, ("name", "action"))
        component, action = self.fields.operation(raw.get("action"), (*at, "action"))
        if not component or "name" not in raw:
            return None
        operation = f"{component}.{action}"
        name = self.fields.text(raw, "name", at)
        inputs, conditions = raw.get("inputs"), None
        if operation == control_steps.BRANCH_ON_EXPRESSION and isinstance(inputs, Mapping) and "conditions" in inputs:
            conditions = self.inputs.conditions(inputs["conditions"], (*at, "inputs", "conditions"))
            inputs = {key: value for key, value in inputs.items() if key != "conditions"}
        return Step(
            name=name,
            key=camel_case(name) or name,
            component=component,
            action=action,
            is_trigger=bool(self.fields.flag(raw, "isTrigger", at)),
            inputs=self.step_inputs(inputs, (*at, "inputs")),
            conditions=conditions,
            schedule=self.schedule(raw.get("schedule"), (*at, "schedule")),
            steps=self.body(raw, operation, at),
            concurrency=read_concurrency(self.findings, raw, operation, at),
            source=self.source(raw, operation, name, at),
            branches=self.branches(raw, operation, at),
            valid_for=read_valid_for(self.findings, raw, at),
            quiet_hours=read_quiet_hours_of(self.findings, raw, at, self.inputs.read),
            order=read_order(self.findings, raw, at),
            on_error=read_error_config(self.findings, raw.get("errorConfig"), (*at, "errorConfig")),
            at=at,
        )

    def body(self, raw: Mapping[str, Any], operation: str, at: PathParts) -> tuple[Step, ...] | None:
        if operation in control_steps.LOOPS:
            if "steps" not in raw:
                self.findings.add("missing-key", at, "a loop needs steps", "Add steps: with what to do each time.")
            return self.steps(raw.get("steps", []), (*at, "steps"))
        if "steps" in raw:
            self.findings.add(
                "wrong-type", (*at, "steps"), f"{operation} is not a loop, so its steps never run", key=True
            )
        return None

    def source(self, raw: Mapping[str, Any], operation: str, name: str, at: PathParts) -> Source | None:
        given, place = raw.get("itemsFrom"), (*at, "itemsFrom")
        if given is None:
            return None
        if operation != control_steps.LOOP_OVER_ITEMS:
            message = f"only {control_steps.LOOP_OVER_ITEMS} takes items, and {operation} has none"
            self.findings.add("invalid-loop", place, message, "Move itemsFrom to the loop that it is for.", key=True)
            return None
        if not isinstance(given, Mapping) or ("file" in given) == ("action" in given):
            hint = "Write {file: recipients.csv}, or {action: twilio.listMessages, inputs: {…}}."
            self.findings.add("invalid-loop", place, "itemsFrom must have a file or an action", hint)
            return None
        self.fields.keys(given, place, SOURCE, ())
        if "file" in given:
            return Source(file=self.inputs.read(given["file"], (*place, "file")), at=place)
        component, action = self.fields.operation(given["action"], (*place, "action"))
        inputs = self.step_inputs(given.get("inputs"), (*place, "inputs"))
        listing = Step(
            name=name, key=camel_case(name) or name, component=component, action=action, inputs=inputs, at=place
        )
        return Source(listing=listing, at=place) if component else None

    def branches(self, raw: Mapping[str, Any], operation: str, at: PathParts) -> tuple[Branch, ...] | None:
        if "branches" not in raw:
            if operation in control_steps.BRANCHES:
                self.findings.add(
                    "missing-key", at, "a branch step needs branches", "Add branches: with name and steps."
                )
            return None
        if not isinstance(raw["branches"], list):
            self.fields.objects(raw["branches"], (*at, "branches"))  # says that it is not a list
            return None
        branches: list[Branch] = []
        for place, item in self.fields.objects(raw["branches"], (*at, "branches")):
            self.fields.keys(item, place, ("name", "steps"), ("name",))
            name = self.fields.text(item, "name", place)
            if any(name == other.name for other in branches):
                self.findings.add("duplicate-name", (*place, "name"), f"there is another branch named '{name}'")
            steps = self.steps(item.get("steps", []), (*place, "steps"))
            branches.append(Branch(name=name, steps=steps, at=place))
        return tuple(branches)

    def schedule(self, raw: Any, at: PathParts) -> Schedule | None:
        if raw is None:
            return None
        meta = raw.get("meta") if isinstance(raw, Mapping) else None
        zone = meta.get("timeZone") if isinstance(meta, Mapping) else None
        is_short = isinstance(raw, Mapping) and "value" in raw and raw.keys() <= {"value", "meta"}
        cron = self.inputs.read(raw["value"], (*at, "value")) if is_short else self.inputs.read(raw, at)
        return Schedule(cron=cron, time_zone=str(zone or ""), at=at)

    def step_inputs(self, raw: Any, at: PathParts) -> dict[str, Input]:
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            self.findings.add("wrong-type", at, f"inputs must be an object of inputs by name, not {type_name(raw)}")
            return {}
        return {name: self.inputs.read(value, (*at, name)) for name, value in raw.items()}
