"""The commands that serve flows. What they need is an extra of the package, imported when they run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.commands import runs
from twilio_component.cli.serve_extra import DEFAULT_DATABASE, default_database, needing_the_extra

if TYPE_CHECKING:
    import argparse

    from twilio_component.flows.runner.configuration import Configuration
    from twilio_component.serving.server import Serving


def add_parsers(commands: Any) -> None:
    """Add ``serve``, ``unregister``, ``worker`` and ``runs`` to the command line."""
    _add_serve(commands)
    _add_unregister(commands)
    _add_worker(commands)
    runs.add_parser(commands)


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve flows: webhooks in, durable runs",
        description="Serve flows. Runs survive the death of this process, and a message is never sent twice.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="a flow definition (YAML or JSON)")
    _add_config(parser)
    _add_database(parser)
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    public = parser.add_mutually_exclusive_group()
    _add_public_url(public)
    public.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="instead: believe this proxy, or network of proxies, when it says in X-Forwarded-Proto and "
        "X-Forwarded-Host where Twilio reached it; may be repeated",
    )
    public.add_argument(
        "--emulator",
        action="store_true",
        help="an emulator is Twilio to the flows; its inbox is a phone in the browser",
    )
    parser.add_argument(
        "--emulator-port", type=int, default=8010, metavar="PORT", help="the emulator's; default: %(default)s"
    )
    parser.add_argument(
        "--register",
        action="store_true",
        help="set the webhooks of the numbers and messaging services that the flows' triggers name; `unregister` sets "
        "them back",
    )
    parser.add_argument(
        "--replace-webhooks", action="store_true", help="with --register: also where they lead elsewhere already"
    )
    parser.set_defaults(run=_serve)


def _add_unregister(commands: Any) -> None:
    parser = commands.add_parser(
        "unregister",
        help="set back the webhooks that `serve --register` has set",
        description="Set back the webhooks that `serve --register` has set, as far as nobody has changed them since.",
    )
    _add_config(parser)
    _add_database(parser)
    parser.add_argument("--flow", metavar="NAME", help="only those of this flow")
    parser.set_defaults(run=_unregister)


def _add_worker(commands: Any) -> None:
    parser = commands.add_parser(
        "worker",
        help="help a serving process: carry out runs from the same Postgres database",
        description="Carry out runs that serving processes have stored. Flow files travel with the runs.",
    )
    parser.add_argument("--database", metavar="URL", required=True, help="postgresql://…, the serving process's")
    _add_config(parser)
    _add_public_url(parser)
    parser.set_defaults(run=_work)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"where runs are kept; default: the file {DEFAULT_DATABASE} below the working directory",
    )


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", type=Path, help="values of config variables, and settings")


def _add_public_url(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--public-url",
        default="",
        metavar="URL",
        help="where Twilio reaches the flows, e.g. https://flows.example.com; signatures are checked against it",
    )


def _serve(options: argparse.Namespace) -> int:
    import asyncio

    if not options.emulator:
        asyncio.run(_serving(options, options.database or default_database()).run())
        return exit_codes.DONE
    from twilio_component.serving.emulated import Phone

    # What was begun with a phone must never be gone on with by a process that talks to Twilio.
    with TemporaryDirectory(prefix="twilio-component-") as folder:
        database = options.database or f"sqlite:///{folder}/runs.sqlite"
        asyncio.run(Phone(serving=_serving(options, database), port=options.emulator_port).run())
    return exit_codes.DONE


def _serving(options: argparse.Namespace, database: str) -> Serving:
    with needing_the_extra():
        from twilio_component.serving.server import Serving
    return Serving(
        files=options.files,
        database=database,
        configuration=_configuration(options),
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        trusted_proxies=options.trusted_proxy,
        register=options.register,
        replace_webhooks=options.replace_webhooks,
        say=_say,
    )


def _unregister(options: argparse.Namespace) -> int:
    import asyncio

    with needing_the_extra():
        from twilio_component.serving.webhook_registration import unregister
    removal = unregister(
        options.database or default_database(), flow=options.flow, configuration=_configuration(options), say=_say
    )
    asyncio.run(removal)
    return exit_codes.DONE


def _work(options: argparse.Namespace) -> int:
    import asyncio

    with needing_the_extra():
        from twilio_component.serving.worker import Working
    working = Working(
        database=options.database, configuration=_configuration(options), public_url=options.public_url, say=_say
    )
    asyncio.run(working.run())
    return exit_codes.DONE


def _configuration(options: argparse.Namespace) -> Configuration:
    from twilio_component.flows.runner.configuration import Configuration, read_configuration

    return read_configuration(options.config) if options.config else Configuration()


def _say(text: str) -> None:
    # At once: whoever starts us reads it while we serve.
    print(text, flush=True)
