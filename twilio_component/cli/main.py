"""The command line: parse, call, print.

Results go to standard output (JSON, or a table where a person looks), everything else to standard error. Exit codes: 0
done, 1 failed for good, 2 bad input, 3 outcome unknown, 4 try later, 70 a bug, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import CONNECTION_HELP, add_inputs, connection_of, inputs_of
from twilio_component.host.errors import InputError, IntegrationError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.host.model import Component

_EPILOG = """\
examples:
  twilio-component demo
  twilio-component describe sendSMS
  twilio-component invoke sendSMS --emulator --input to=+15558675310 --input from=+15017122661 --input message=Hi
  twilio-component invoke listMessages --connection twilio.yaml --input limit=20
  twilio-component emulator --port 8010

exit codes: 0 done, 1 failed for good, 2 bad input, 3 outcome unknown (it may have happened: look before you repeat),
4 did not happen, try later
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser(given[0] if given else "").parse_args(given)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A message that is sent must not fail for a character that the terminal does not have.
            sys.stdout.reconfigure(errors="backslashreplace")
        code = run(options)
        sys.stdout.flush()
    except IntegrationError as error:
        print(error, file=sys.stderr)
        return exit_codes.exit_code(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has seen enough; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        print(f"unexpected {type(error).__name__}; --debug shows where. Please report it.", file=sys.stderr)
        return exit_codes.BUG
    return code


def _parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command, or of all of them where it is none: what is not asked for is not even imported."""
    parser = argparse.ArgumentParser(
        prog="twilio-component",
        description="The Twilio component: look at it, invoke it, and emulate Twilio.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    known = any(command in names for names in _PARSERS)
    for names, add in _PARSERS.items():
        if command in names or not known:
            add(commands)
    return parser


def _demo_parser(commands: Any) -> None:
    demo = commands.add_parser("demo", help="send, fetch, list and ask raw, against the embedded emulator")
    demo.set_defaults(run=_demo)


def _signature_parser(commands: Any) -> None:
    from twilio_component.cli.commands import signature

    signature.add_parser(commands, argparse.RawDescriptionHelpFormatter)


def _trigger_parser(commands: Any) -> None:
    from twilio_component.cli.commands import trigger

    trigger.add_parser(commands, argparse.RawDescriptionHelpFormatter)


def _flow_parser(commands: Any) -> None:
    from twilio_component.cli.commands import flow

    flow.add_parser(commands)


def _serving_parsers(commands: Any) -> None:
    from twilio_component.cli.commands.serve import add_parsers

    add_parsers(commands)


def _describe_parser(commands: Any) -> None:
    parser = commands.add_parser("describe", help="what the component offers", description="What the component offers.")
    parser.add_argument(
        "operation", nargs="?", metavar="KEY", help="one action, trigger or data source, with its inputs"
    )
    parser.add_argument("--json", action="store_true", help="the complete manifest, input schemas included")
    parser.set_defaults(run=_describe)


def _invoke_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "invoke",
        help="run an action",
        description="Run an action and print its result.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", metavar="ACTION", help="the action's key, e.g. sendSMS")
    add_inputs(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--connection", metavar="FILE", help="the connection; see below")
    source.add_argument("--emulator", action="store_true", help="use the embedded emulator instead of Twilio")
    parser.add_argument("--json", action="store_true", help="print JSON on a terminal too")
    parser.add_argument("--debug", action="store_true", help="log requests and answers, secrets hidden")
    parser.set_defaults(run=_invoke)


def _emulator_parser(commands: Any) -> None:
    parser = commands.add_parser("emulator", help="serve Twilio's API on this machine", description="Emulate Twilio.")
    parser.add_argument("--port", type=int, default=8010, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that requests may use for this machine, besides localhost and addresses; repeatable",
    )
    parser.add_argument(
        "--webhook-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another machine that webhooks may go to; repeatable",
    )
    parser.set_defaults(run=_emulator)


def _errors_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "errors", help="explain a Twilio error code", description="Explain Twilio's error codes."
    )
    parser.add_argument("code", nargs="?", metavar="CODE", help="e.g. 21610; without one, all of them on a line each")
    parser.set_defaults(run=_errors)


def _connection_parser(commands: Any) -> None:
    group = commands.add_parser("connection", help="whether a connection works, and if not, why")
    parser = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check",
        help="ask Twilio, changing nothing",
        description="Check a connection: its fields, credentials, permissions, account, and the way to Twilio.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
    parser.set_defaults(run=_check_connection)


def _component() -> Component:
    from twilio_component.host.manifest.loader import load_component
    from twilio_component.twilio.plugin import manifest_file

    return load_component(manifest_file())


def _describe(options: argparse.Namespace) -> int:
    from twilio_component.cli.commands.describe import described, of_component

    component = _component()
    if options.json:
        print(described(component, options.operation))
    else:
        print(of_component(component, options.operation))
    return exit_codes.DONE


def _invoke(options: argparse.Namespace) -> int:
    import asyncio

    from twilio_component.cli.output import printed

    result = asyncio.run(_invoked(options))
    print(printed(result, as_json=options.json or not sys.stdout.isatty()))
    return exit_codes.DONE


async def _invoked(options: argparse.Namespace) -> dict[str, Any]:
    from twilio_component.host import Host

    inputs = inputs_of(options)
    transport = None
    if options.emulator:
        from twilio_component.emulator import Emulator

        transport = Emulator().transport
    if options.debug:
        import logging

        logging.basicConfig(stream=sys.stderr)
        logging.getLogger("twilio_component").setLevel(logging.DEBUG)
    async with Host.discover(transport=transport, debug=options.debug) as host:
        host.find_action("twilio", options.action)
        if "twilioConnection" not in inputs:
            if options.emulator:
                from twilio_component.emulator.connection import emulator_connection

                inputs["twilioConnection"] = emulator_connection()
            else:
                inputs["twilioConnection"] = connection_of(options, host.components["twilio"])
        return await host.invoke_action("twilio", options.action, inputs)


def _check_connection(options: argparse.Namespace) -> int:
    import asyncio

    from twilio_component.host import Host
    from twilio_component.twilio.connection_check import check_connection

    async def check() -> int:
        async with Host.discover() as host:
            findings = await check_connection(host, connection_of(options, host.components["twilio"]))
        for finding in findings:
            print(finding)
        errors = [finding for finding in findings if finding.level == "error"]
        if not errors:
            return exit_codes.DONE
        return exit_codes.TRY_LATER if all(error.retryable for error in errors) else exit_codes.FAILED

    return asyncio.run(check())


def _errors(options: argparse.Namespace) -> int:
    from twilio_component.twilio.error_codes import DOCS, explain, explanations

    if options.code is None:
        for entry in explanations():
            print(f"{entry.code}  {entry.kind:<9}  {entry.meaning}")
        return exit_codes.DONE
    found = explain(options.code)
    if found is None:
        link = DOCS.format(code=options.code)
        known = f"the catalogue has no '{options.code}'; if it is a code of Twilio's, see {link}"
        raise InputError("There is no explanation", [Problem("", known)])
    print(found)
    return exit_codes.DONE


def _emulator(options: argparse.Namespace) -> int:
    from twilio_component.emulator.server.server import run

    names = {"allowed_hosts": options.allow_host, "webhook_hosts": options.webhook_host}
    try:
        run(host=options.host, port=options.port, **names)
    except OSError as error:
        problem = Problem("--port", f"{options.port} cannot be listened on: {error.strerror}")
        raise InputError("The emulator cannot begin", [problem]) from error
    return exit_codes.DONE


def _demo(_options: argparse.Namespace) -> int:
    import asyncio

    from twilio_component.cli.commands.demo import demonstrate

    asyncio.run(demonstrate())
    return exit_codes.DONE


_PARSERS: dict[tuple[str, ...], Callable[[Any], None]] = {
    ("describe",): _describe_parser,
    ("invoke",): _invoke_parser,
    ("emulator",): _emulator_parser,
    ("errors",): _errors_parser,
    ("connection",): _connection_parser,
    ("signature",): _signature_parser,
    ("trigger",): _trigger_parser,
    ("flow",): _flow_parser,
    ("serve", "unregister", "worker", "runs"): _serving_parsers,
    ("demo",): _demo_parser,
}
