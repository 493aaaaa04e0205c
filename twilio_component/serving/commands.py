"""The commands that serve flows. What they need is an extra of the package, imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component import exit_codes
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    import argparse

_STATE_FOLDER = Path(".twilio-component")


class ExtraMissingError(IntegrationError):
    """A command of an extra that is not installed."""

    code = "extra-missing"


def add_parsers(commands: Any) -> None:
    """Add ``serve`` to the command line."""
    parser = commands.add_parser(
        "serve",
        help="serve flows: webhooks in, durable runs",
        description="Serve flows. Runs survive the death of this process, and a message is never sent twice.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="a flow definition (YAML or JSON)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="values of config variables, and settings")
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"where runs are kept; default: the file {_STATE_FOLDER / 'runs.sqlite'} below the working directory",
    )
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    parser.add_argument(
        "--public-url",
        default="",
        metavar="URL",
        help="where Twilio reaches this process, e.g. https://flows.example.com; signatures are checked against it",
    )
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    import asyncio
    import logging
    from functools import partial

    try:
        from twilio_component.serving.process import Serving
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"'{error.name}' is not installed: pip install 'twilio-component[serve]' has what serving needs"
        ) from error
    from twilio_component.flows.configuration import Configuration, read_configuration

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dbos").setLevel(logging.WARNING)
    serving = Serving(
        files=options.files,
        database=options.database or f"sqlite:///{(_STATE_FOLDER / 'runs.sqlite').absolute()}",
        configuration=read_configuration(options.config) if options.config else Configuration(),
        host=options.host,
        port=options.port,
        public_url=options.public_url,
        say=partial(print, flush=True),  # whoever starts us reads it while we serve
    )
    asyncio.run(serving.run())
    return exit_codes.DONE
