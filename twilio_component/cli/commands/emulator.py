"""``twilio-component emulator``: serve Twilio's API on this machine."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import port_number
from twilio_component.host.errors import InputError
from twilio_component.serving.ports import port_problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from twilio_component.emulator import Server


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("emulator", help="serve Twilio's API on this machine", description="Emulate Twilio.")
    parser.add_argument("--port", type=port_number, default=8010, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine only")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="extra Host header to accept (localhost and IP addresses are always accepted); repeatable",
    )
    parser.add_argument(
        "--webhook-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another machine that webhooks may be sent to; repeatable",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve a fresh emulator until SIGINT or SIGTERM. Raises ``InputError`` for a port that is taken."""
    names = {"allowed_hosts": options.allow_host, "webhook_hosts": options.webhook_host}
    try:
        serve_emulator(host=options.host, port=options.port, **names)
    except OSError as error:
        raise InputError("The emulator could not start", [port_problem("--port", options.port, error)]) from error
    return exit_codes.DONE


def serve_emulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8010,
    allowed_hosts: Iterable[str] = (),
    webhook_hosts: Iterable[str] = (),
) -> None:
    """Serve a fresh emulator until Ctrl-C or SIGTERM; prints to stderr where it listens and what it does not do.

    ``allowed_hosts`` are names that requests may use for this machine, ``webhook_hosts`` other machines that webhooks
    may go to. Raises OSError where the port is taken.
    """
    import asyncio

    from twilio_component.emulator import Emulator

    emulator = Emulator(webhook_hosts=webhook_hosts)
    asyncio.run(_run_until_signal(emulator.serve(host, port, allowed_hosts=allowed_hosts)))


async def _run_until_signal(server: Server) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop has no signal handlers: Ctrl-C interrupts `asyncio.run` there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    async with server:
        sys.stderr.write(_greeting(server.url, is_local=server.is_local))
        sys.stderr.flush()
        await stop.wait()


def _greeting(url: str, *, is_local: bool) -> str:
    from twilio_component.emulator.api.unsupported import NOT_EMULATED

    lines = [
        f"Twilio emulator at {url} (Ctrl-C ends it)",
        f"Its inbox, with every message as a conversation that you can reply to: {url}/",
        "It listens to this machine only."
        if is_local
        else "OTHER MACHINES CAN REACH IT: their users can read every message and send in everybody's name.",
        "Any Account SID or API key with any secret works; nothing is sent to anyone, and nothing is kept.",
        f"Direct it over {url}/_emulator: time, failures, faults, inbound messages, requests and webhooks",
        "It does not emulate:",
        *(f"  - {sentence}" for sentence in NOT_EMULATED),
    ]
    return "\n".join(lines) + "\n"
