"""``twilio-component invoke``: run an action or a data source and print its result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import add_formats
from twilio_component.cli.options import CONNECTION_HELP, add_inputs, inputs_of

if TYPE_CHECKING:
    from twilio_component.host import Host
    from twilio_component.host.model import Component, Operation
    from twilio_component.host.results import Page


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "invoke",
        help="run an action or a data source",
        description="Run an action or a data source of an installed component and print its result.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action",
        metavar="KEY",
        help="an action or data source of the Twilio component, such as sendSMS, or COMPONENT.KEY",
    )
    add_inputs(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--connection", metavar="FILE", help="the connection; see below")
    source.add_argument("--emulator", action="store_true", help="use the embedded emulator instead of Twilio")
    add_formats(parser, rows=True)
    parser.add_argument(
        "--debug", action="store_true", help="log requests and responses: secrets are hidden, numbers and texts are not"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the operation and print its result: JSON, or a table on a terminal; records as lines or rows on request."""
    from twilio_component.cli.interruptible import run_interruptibly

    return run_interruptibly(_invoke(options))


async def _invoke(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import (
        EMULATED,
        complete_connection,
        discover_host,
        find_operation,
        secrets_in,
    )
    from twilio_component.host import IntegrationError, UnknownKeyError
    from twilio_component.host.redaction import Redactor

    inputs = inputs_of(options)
    transport = None
    if options.emulator:
        from twilio_component.emulator import Emulator

        transport = Emulator().transport
    if options.debug:
        import logging

        from twilio_component.cli.log_output import log_plainly

        log_plainly(logging.WARNING)
        logging.getLogger("twilio_component").setLevel(logging.DEBUG)
        if options.emulator:
            print(EMULATED, file=sys.stderr)
    async with discover_host(transport=transport, debug=options.debug) as host:
        component, operation = find_operation(host.components, options.action)
        if operation.kind == "trigger":
            raise UnknownKeyError(
                f"{component.key}.{operation.key} is a trigger, which needs a request: run a flow with it (flow run)"
            )
        complete_connection(inputs, component, operation, options)
        try:
            await _perform(options, host, component, operation, inputs)
        except IntegrationError as error:
            # A component of somebody else's may say in its error what it was given.
            print(Redactor(secrets_in(inputs, component, operation)).text(str(error)), file=sys.stderr)
            return exit_codes.exit_code(error)
    return exit_codes.DONE


async def _perform(
    options: argparse.Namespace, host: Host, component: Component, operation: Operation, inputs: dict[str, Any]
) -> None:
    from twilio_component.cli.components import print_to_standard_error
    from twilio_component.host.model import Action

    if (options.jsonl or options.csv) and isinstance(operation, Action) and operation.page_function is not None:
        from twilio_component.cli.records import print_pages

        await print_pages(options, operation, _only_results(host.list_pages(component.key, operation.key, inputs)))
        return
    invoke = host.invoke_action if operation.kind == "action" else host.invoke_data_source
    with print_to_standard_error():
        result = await invoke(component.key, operation.key, inputs)
    _print(options, operation, result)


async def _only_results(pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
    """Yield the pages; what the component prints meanwhile goes to standard error."""
    from twilio_component.cli.components import print_to_standard_error

    async with aclosing(pages):
        while True:
            with print_to_standard_error():
                page = await anext(pages, None)
            if page is None:
                return
            yield page


def _print(options: argparse.Namespace, operation: Operation, result: Mapping[str, Any]) -> None:
    if options.jsonl or options.csv:
        from twilio_component.cli.records import print_result

        print_result(options, operation, result)
        return
    from twilio_component.cli.output import format_result

    print(format_result(result, as_json=options.json or not sys.stdout.isatty()))
