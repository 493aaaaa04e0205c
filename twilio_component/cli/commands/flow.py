"""``twilio-component flow check | run | new``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.flow_output import exit_code_of_outcome
from twilio_component.cli.formats import add_formats, print_records
from twilio_component.cli.options import whole_count
from twilio_component.cli.section_check import check_sections
from twilio_component.cli.working_values import working_values
from twilio_component.host.errors import InputError, Problem, join_names

if TYPE_CHECKING:
    from twilio_component.cli.log_output import PlainFormatter
    from twilio_component.flows import Finding, Outcome

_RUN_EPILOG = """\
The payload is merged over a default one, e.g. {"body": {"data": {"phone": "+15558675310"}}}. A configuration file has
  configVars: {Sender: "+15017122661", Twilio Connection: {key: apiKeySecret, fields: {accountSid: AC…, …}}}
  httpHosts: [api.example.com]
and the environment takes precedence: FLOW_SENDER is the config variable Sender, FLOW_TWILIO_CONNECTION a connection as
JSON. Without either, a connection's fields come from the component's own variables (TWILIO_ACCOUNT_SID …).

A mock replaces an action: --mock slack.postMessage='{"ok": true}'. Without a value it returns the action's example, or
null; that of a trigger may be {"payload": …, "branch": …}, and --mock crm.decide:Urgent=JSON takes a branch. With
--emulator waiting takes no time.
"""


def add_parser(commands: Any) -> None:
    """Add ``flow`` and what it can do to the command line."""
    flow = commands.add_parser("flow", help="check and run flow definitions", description="Check and run flows.")
    subcommands = flow.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = subcommands.add_parser(
        "check",
        help="list the mistakes in flow definitions that can be found before they run",
        description="List the mistakes in flow definitions that can be found before they run. "
        "Exit code 2 if one is an error.",
    )
    check.add_argument("files", nargs="+", metavar="FILE", help="a flow definition (YAML or JSON)")
    add_formats(check)
    check.add_argument("--mock", action="append", default=[], metavar="COMPONENT.ACTION", help="as for flow run")
    check.set_defaults(run=_check)
    run = subcommands.add_parser(
        "run",
        help="run a flow in this process",
        description="Run a flow to its end and print what each step returns.",
        epilog=_RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("file", metavar="FILE", help="a flow definition (YAML or JSON)")
    run.add_argument("--flow", metavar="NAME", help="which flow, if there are several")
    run.add_argument("--payload", metavar="FILE|JSON", help="the trigger's payload; - reads standard input")
    run.add_argument("--config", metavar="FILE", help="values of config variables; see below")
    where = run.add_mutually_exclusive_group()
    where.add_argument("--emulator", action="store_true", help="send to the embedded emulator instead of Twilio")
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="send and change nothing, and print who would get what, and when: one JSON object per line for each "
        "message; with --emulator, its connection stands in for yours",
    )
    run.add_argument(
        "--sample",
        metavar="N",
        type=whole_count,
        help="with --dry-run: print N of the messages, chosen at random; the totals are of all",
    )
    run.add_argument(
        "--database",
        metavar="URL",
        help="with --dry-run: the opt-outs and the messages of the last day are those in it",
    )
    where.add_argument("--live", action="store_true", help="really send, without asking")
    run.add_argument("--mock", action="append", default=[], metavar="COMPONENT.ACTION[=JSON]", help="repeatable")
    run.add_argument(
        "--trace",
        action="store_true",
        help="show the inputs of each step, secrets hidden, and each iteration of a loop",
    )
    add_formats(run)
    run.add_argument(
        "--debug", action="store_true", help="log requests and responses: secrets are hidden, numbers and texts are not"
    )
    run.set_defaults(run=_run)
    new = subcommands.add_parser("new", help="write a starter flow", description="Write a starter flow that runs.")
    new.add_argument("file", metavar="FILE", help="the file to write")
    new.set_defaults(run=_new)


def _check(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import discover_host
    from twilio_component.flows import check_integration, read_definition
    from twilio_component.flows.checking.flow_names import same_paths
    from twilio_component.flows.model import all_operations
    from twilio_component.flows.runner.mocks import Mocks

    components = discover_host().components
    mocked = [_mock(text)[0] for text in options.mock]
    definitions = [read_definition(file) for file in options.files]
    integrations = [definition.integration for definition in definitions]
    if all(integrations):  # else nobody knows what the steps of the others use
        flows = [flow for integration in integrations if integration is not None for flow in integration.flows]
        Mocks(dict.fromkeys(mocked)).check(operation for flow in flows for operation in all_operations(flow.steps))
    findings = [
        finding for definition in definitions for finding in check_integration(definition, components, mocked=mocked)
    ]
    findings += same_paths(definitions)
    if not print_records(options, [finding.as_json() for finding in findings], key="findings"):
        for finding in findings:
            print(finding)
        print(_summary(findings, len(options.files)), file=sys.stderr)
    return exit_codes.BAD_INPUT if _errors(findings) else exit_codes.DONE


def _errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _summary(findings: list[Finding], files: int) -> str:
    errors = len(_errors(findings))
    counts = ((files, "file"), (errors, "error"), (len(findings) - errors, "warning"))
    words = [f"{count} {word}{'s' * (count != 1)}" for count, word in counts]
    return f"{words[0]}: {words[1]}, {words[2]}"


def _new(options: argparse.Namespace) -> int:
    path, starter = Path(options.file), Path(__file__).parents[1] / "starter_flow.yaml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter.read_text(encoding="utf-8").replace("FILE", shlex.quote(options.file)))
    except OSError as error:
        reason = "the file exists already" if isinstance(error, FileExistsError) else error.strerror
        raise InputError("The flow could not be written", [Problem("", str(reason), options.file)]) from error
    print(f"Wrote {path}; its first lines say how to check and run it.", file=sys.stderr)
    return exit_codes.DONE


def _run(options: argparse.Namespace) -> int:
    from twilio_component.cli.interruptible import run_interruptibly

    if options.dry_run:
        if options.live:
            raise InputError(
                "The options are not valid", [Problem("--live", "really sends, and --dry-run sends nothing")]
            )
        from twilio_component.cli.dry_run import dry_run

        return run_interruptibly(dry_run(options))
    for name in ("database", "sample"):
        if getattr(options, name) is not None:
            raise InputError("The options are not valid", [Problem(f"--{name}", "is only for --dry-run")])
    outcome = run_interruptibly(_run_flow(options))
    return exit_codes.BAD_INPUT if outcome is None else exit_code_of_outcome(outcome)


async def _run_flow(options: argparse.Namespace) -> Outcome | None:
    """Return the outcome; None when the flow was not started, for a reason that has been printed."""
    from twilio_component.cli.components import discover_host, print_to_standard_error
    from twilio_component.cli.emulated_request import as_twilio_sends
    from twilio_component.cli.flow_output import view_for
    from twilio_component.cli.payloads import payload_hint, payload_of
    from twilio_component.flows import (
        Configuration,
        FlowRunner,
        check_integration,
        read_configuration,
        read_definition,
    )
    from twilio_component.flows.checking.reachability import reachable_flows, side_effects
    from twilio_component.flows.findings import unexpected_effects
    from twilio_component.flows.model import find_flow

    mocks = dict(_mock(text) for text in options.mock)
    payload = payload_of(options.payload)
    configuration = read_configuration(options.config) if options.config else Configuration()
    definition = read_definition(options.file)
    emulator, times = None, dict[str, Any]()
    if options.emulator:
        from twilio_component.emulator import Emulator
        from twilio_component.serving.emulator_connections import twilio_connections, with_emulator

        emulator = Emulator()
        # Nobody waits, neither steps of the flow nor actions that ask or look again.
        times = {"sleep": emulator.clock.advance, "clock": emulator.clock.now}
    log = _log_to_standard_error(options)
    transport = emulator.transport if emulator else None
    async with discover_host(transport=transport, debug=options.debug, **times) as host:
        integration = definition.integration
        if integration is None:
            _print_findings(definition.findings)
            return None
        flow = find_flow(integration, options.flow)
        # The flow and those that it starts; the file's other flows may be as they are.
        reachable = reachable_flows(integration, flow)
        findings = check_integration(definition, host.components, mocked=mocks, flows=reachable)
        if errors := _errors(findings):
            _print_findings(errors)
            return None
        for warning in unexpected_effects(findings):
            print(warning, file=sys.stderr)
        if emulator is not None:
            configuration = with_emulator(configuration, twilio_connections(integration))
        values = working_values(integration, configuration, host)
        check_sections(configuration, host)
        if options.debug:
            log.redact = values.redactor.text
        if emulator is not None:
            payload = as_twilio_sends(payload, flow, host.components, values.by_name)
        if emulator is None and not options.live and not _confirm(side_effects(reachable, host.components, mocks)):
            return None
        view = view_for(sys.stdout, options)
        runner = FlowRunner(
            integration=integration,
            host=host,
            configuration=configuration,
            mocks=mocks,
            listener=view.event,
            trace=options.trace,
            **times,
        )
        with print_to_standard_error():
            outcome = await runner.run(flow.name, payload)
        view.outcome(outcome)
        if hint := payload_hint(flow, outcome.error):
            print(hint, file=sys.stderr)
        return outcome


def _log_to_standard_error(options: argparse.Namespace) -> PlainFormatter:
    import logging

    from twilio_component.cli.components import EMULATED
    from twilio_component.cli.log_output import log_plainly

    hint = "The exception's text is not shown, since it may repeat what people wrote; --debug shows it."
    debug = options.debug
    if debug and options.emulator:
        print(EMULATED, file=sys.stderr)
    formatter = log_plainly(logging.DEBUG if debug else logging.WARNING, hint=hint)
    # What a flow itself writes to its log is always shown.
    logging.getLogger("twilio_component.execution").setLevel(logging.DEBUG if debug else logging.INFO)
    return formatter


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        print(finding, file=sys.stderr)
    print(_summary(findings, 1), file=sys.stderr)


def _confirm(sending: list[str]) -> bool:
    """Return whether the flow may really run: a person at a terminal is asked, a script has to give --live."""
    if not sending:
        return True
    what = f"This flow really does {join_names(sending)}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(f"{what}; add --live to run it, --emulator to try it, or --mock {sending[0]}.", file=sys.stderr)
        return False
    print(f"{what}. Run it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _mock(text: str) -> tuple[str, Any]:
    from twilio_component.flows import EXAMPLE

    name, equals, value = text.partition("=")
    operation, colon, branch = name.partition(":")
    if not all(operation.partition(".")):
        raise InputError("The mock is not valid", [Problem(f"--mock {name}", "must be COMPONENT.ACTION, or that=JSON")])
    if not equals:
        return operation, {"data": None, "branch": branch} if colon else EXAMPLE
    try:
        data = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InputError("The mock is not valid", [Problem(f"--mock {operation}", "its value is not JSON")]) from error
    return operation, {"data": data, "branch": branch} if colon else data
