"""``twilio-component emulator``: serve Twilio's API on this machine."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.options import port_number
from twilio_component.host.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from twilio_component.emulator import Emulator, Server


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
    parser.add_argument(
        "--seed", type=Path, metavar="FILE", help="start with the accounts, numbers, messages and faults of this file"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep accounts and messages in this file; once it exists, only faults, delivery rules and timings are the "
        "seed's",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve an emulator until SIGINT or SIGTERM. Raises ``InputError`` for a port that is taken or a bad file."""
    names = {"allowed_hosts": options.allow_host, "webhook_hosts": options.webhook_host}
    try:
        serve_emulator(host=options.host, port=options.port, seed=options.seed, state=options.state, **names)
    except OSError as error:
        from twilio_component.serving.ports import port_problem

        raise InputError("The emulator could not start", [port_problem("--port", options.port, error)]) from error
    return exit_codes.DONE


def serve_emulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8010,
    allowed_hosts: Iterable[str] = (),
    webhook_hosts: Iterable[str] = (),
    seed: Path | None = None,
    state: Path | None = None,
) -> None:
    """Serve an emulator until Ctrl-C or SIGTERM; prints to stderr where it listens and what it does not do.

    ``allowed_hosts`` are names that requests may use for this machine, ``webhook_hosts`` other machines that webhooks
    may go to. ``state`` is a file that keeps accounts and messages; where it does not exist yet, the emulator starts
    with everything that the file ``seed`` has, and otherwise with its faults, delivery rules and timings. Raises
    OSError where the port is taken, ``IntegrationError`` for the files.
    """
    import asyncio

    from twilio_component.emulator import Emulator

    emulator = Emulator(webhook_hosts=webhook_hosts)
    continues = state is not None and state.exists()
    if state is not None and continues:
        emulator.load_state(state)
        if seed is not None:
            emulator.load_seed_conditions(seed)
    elif seed is not None:
        emulator.load_seed(seed)
    server = emulator.serve(host, port, allowed_hosts=allowed_hosts)
    asyncio.run(_run_until_signal(server, emulator, state, seed if continues else None))


async def _run_until_signal(server: Server, emulator: Emulator, state: Path | None, partial_seed: Path | None) -> None:
    """Serve until a signal. ``partial_seed`` is the seed of which only the conditions apply, for the greeting."""
    import asyncio
    import signal

    from twilio_component.emulator.state_file import keep_state, save_state

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop has no signal handlers: Ctrl-C interrupts `asyncio.run` there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    async with server:
        if state is not None:
            save_state(emulator.state, state)  # a file that cannot be written must not be noticed at the end
        greeting = _greeting(
            server.url,
            is_local=server.is_local,
            state=state,
            partial_seed=partial_seed,
            is_strict=emulator.accounts.strict,
        )
        sys.stderr.write(greeting)
        sys.stderr.flush()
        waiting = asyncio.create_task(stop.wait())
        # Where the state cannot be kept, the server does not continue as if it were.
        keeping = [asyncio.create_task(keep_state(emulator.state, state))] if state is not None else []
        await asyncio.wait([waiting, *keeping], return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, *keeping):
            task.cancel()
        results = await asyncio.gather(waiting, *keeping, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _greeting(
    url: str,
    *,
    is_local: bool,
    state: Path | None = None,
    partial_seed: Path | None = None,
    is_strict: bool = False,
) -> str:
    from twilio_component.emulator.api.unsupported import NOT_EMULATED

    lines = [
        f"Twilio emulator at {url} (Ctrl-C ends it)",
        f"Its inbox, with every message as a conversation that you can reply to: {url}/",
        "It listens to this machine only."
        if is_local
        else "OTHER MACHINES CAN REACH IT: their users can read every message and send in everybody's name.",
        "Only the declared accounts exist, with their own Auth Tokens and API keys; nothing is sent to anyone."
        if is_strict
        else "Any Account SID or API key with any secret works until accounts are declared; nothing is sent to anyone.",
        "Nothing is kept when it ends." if state is None else f"Accounts and messages are kept in {state}.",
        *(
            [f"It continues from there: of {partial_seed} only faults, delivery rules and timings apply."]
            if partial_seed
            else []
        ),
        f"Direct it over {url}/_emulator: time, failures, faults, inbound messages, requests and webhooks",
        "It does not emulate:",
        *(f"  - {sentence}" for sentence in NOT_EMULATED),
    ]
    return "\n".join(lines) + "\n"
