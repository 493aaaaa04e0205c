"""``twilio-component serve``: serve flows over HTTP, with the modules of the extra ``serve``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import add_logging, port_number
from twilio_component.cli.serve_extra import (
    OPERATIONS_TOKEN,
    add_config,
    add_database,
    add_health,
    add_public_url,
    configuration_of,
    database_of,
    environment_value,
    health_of,
    import_the_extra,
    report,
)
from twilio_component.durable.store.default_database import DATABASE_VARIABLE
from twilio_component.host.errors import InputError, Problem

if TYPE_CHECKING:
    import argparse

    from twilio_component.serving.server import Server


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "serve",
        help="serve flows: webhooks in, durable runs",
        description="Serve flows. Runs survive the death of this process, and a send whose outcome is unknown is not "
        "repeated automatically, unless the configuration sets `resend`.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path, help="a flow definition (YAML or JSON)")
    add_config(parser)
    add_database(parser)
    parser.add_argument("--port", type=port_number, default=8000, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    public = parser.add_mutually_exclusive_group()
    add_public_url(public)
    public.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="trust X-Forwarded-Proto, -Host, -Port and -Prefix, or Forwarded, from this proxy address or network "
        "(instead of --public-url); repeatable",
    )
    parser.add_argument(
        "--proxy-strips-prefix",
        action="store_true",
        help="the proxy in front removes the path of --public-url from requests; otherwise requests must contain it",
    )
    public.add_argument(
        "--emulator",
        action="store_true",
        help="send to a built-in Twilio emulator and serve its inbox in the browser; runs are kept until the command "
        f"ends, or in the database that --database or the environment variable {DATABASE_VARIABLE} names",
    )
    parser.add_argument(
        "--emulator-port",
        type=port_number,
        default=8010,
        metavar="PORT",
        help="the port of the emulator; default: %(default)s",
    )
    parser.add_argument(
        "--register",
        action="store_true",
        help="set the webhooks of the numbers and messaging services that the flows' triggers name; `unregister` "
        "restores them",
    )
    parser.add_argument(
        "--replace-webhooks", action="store_true", help="with --register: replace existing webhooks too"
    )
    parser.add_argument(
        "--migrate-only",
        action="store_true",
        help="bring the database to the format of this release and exit; FILE is not needed",
    )
    parser.add_argument(
        "--operations-port",
        type=port_number,
        metavar="PORT",
        help="serve the operations page on this port",
    )
    parser.add_argument(
        "--operations-host",
        default="127.0.0.1",
        metavar="HOST",
        help="the address on which that page listens; default: %(default)s, this machine only; any other needs a "
        f"token, in {OPERATIONS_TOKEN} or the file that {OPERATIONS_TOKEN}_FILE names",
    )
    add_health(parser)
    add_logging(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    import asyncio

    from twilio_component.serving.garbage_collection import collect_rarely

    collect_rarely()
    if options.migrate_only:
        with import_the_extra(options):
            from twilio_component.serving.database_startup import migrate_database

            database = database_of(options)
        asyncio.run(migrate_database(database, report))
        return exit_codes.DONE
    if not options.files:
        raise InputError("Nothing can be served", [Problem("FILE", "name at least one flow definition")])
    if not options.emulator:
        with import_the_extra(options):
            database = database_of(options)
        asyncio.run(_server(options, database).run())
        return exit_codes.DONE
    if options.register:
        text = "sets webhooks at Twilio; with --emulator the flows' triggers get their numbers without it"
        raise InputError("The options do not fit together", [Problem("--register", text)])
    from twilio_component.serving.emulated import EmulatedServer

    # Runs that were started against the emulator must never be continued by a process that talks to Twilio.
    with TemporaryDirectory(prefix="twilio-component-") as folder:
        with import_the_extra(options):
            database = database_of(options, forgotten := f"{folder}/runs.sqlite")
        if database.endswith(forgotten):
            report("runs are kept until this command ends; --database FILE keeps them")
        asyncio.run(EmulatedServer(server=_server(options, database), port=options.emulator_port).run())
    return exit_codes.DONE


def _server(options: argparse.Namespace, database: str) -> Server:
    with import_the_extra(options):
        from twilio_component.serving.operations.server import OperationsAddress
        from twilio_component.serving.server import Server
    operations = None
    if options.operations_port is not None:
        token = environment_value(OPERATIONS_TOKEN) or ""
        operations = OperationsAddress(host=options.operations_host, port=options.operations_port, token=token)
    return Server(
        files=options.files,
        database=database,
        configuration=configuration_of(options),
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        proxy_strips_prefix=options.proxy_strips_prefix,
        trusted_proxies=options.trusted_proxy,
        register=options.register,
        replace_webhooks=options.replace_webhooks,
        operations=operations,
        report=report,
        health=health_of(options),
    )
