"""The command line: find the command's parser, run it, and turn errors into exit codes.

Results go to standard output (JSON, or a table on a terminal), everything else to standard error. Exit codes: 0 done, 1
permanent failure, 2 bad input, 3 outcome unknown, 4 not processed, safe to retry, 5 partly failed, 70 a bug, 130
interrupted.
"""

from __future__ import annotations

import argparse
import codecs
import errno
import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from twilio_component.cli import exit_codes
from twilio_component.cli.command_parser import CommandParser
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EPILOG = """\
examples:
  twilio-component demo
  twilio-component describe sendSMS
  twilio-component invoke sendSMS --emulator --input to=+15558675310 --input from=+15017122661 --input message=Hi
  twilio-component invoke listMessages --connection twilio.yaml --input limit=20
  twilio-component emulator --port 8010

exit codes: 0 done, 1 permanent failure, 2 bad input, 3 outcome unknown (it may have happened: check before you repeat
it), 4 not processed, safe to retry, 5 partly failed (some items of a list), 70 a bug, 130 interrupted
"""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

# Each command and the module below `cli.commands` whose `add_parser` adds it.
COMMANDS = {
    "describe": "describe",
    "invoke": "invoke",
    "emulator": "emulator",
    "errors": "errors",
    "why": "why",
    "connection": "connection",
    "component": "component",
    "signature": "signature",
    "trigger": "trigger",
    "flow": "flow",
    "serve": "serve",
    "unregister": "unregister",
    "worker": "worker",
    "mcp": "mcp",
    "runs": "runs",
    "opt-outs": "opt_outs",
    "people": "people",
    "ops": "ops",
    "demo": "demo",
    "completion": "completion",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if not _open_streams():
        # Before anything is done: a send whose result nobody can read would be repeated.
        print("standard output is closed; redirect it, for example to /dev/null. Nothing was done.", file=sys.stderr)
        return exit_codes.BAD_INPUT
    for stream in (sys.stdout, sys.stderr):
        _write_every_character(stream)
    words = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace()
    try:
        options = command_parser(words[0] if words else "").parse_args(words)
        run: Callable[[argparse.Namespace], int] = options.run
        code = run(options)
        sys.stdout.flush()
    except IntegrationError as error:
        print(error, file=sys.stderr)
        return exit_codes.exit_code(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        _discard_output()  # its reader has closed it
        return exit_codes.DONE
    except Exception as error:
        if getattr(options, "debug", False):
            raise
        return _report(error, has_debug=hasattr(options, "debug"))
    return code


def _open_streams() -> bool:
    """Replace streams that are closed, which Python has as None: no input, no messages. False without an output."""
    null = Path(os.devnull)
    sys.stdin = sys.stdin or null.open(encoding="utf-8")
    sys.stderr = sys.stderr or null.open("w", encoding="utf-8")
    return sys.stdout is not None


def _report(error: Exception, *, has_debug: bool) -> int:
    """Say what is wrong; the exit code for it."""
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        _discard_output()
        print(
            f"the output could not be written: {error.strerror}. The command's effects remain: check them",
            file=sys.stderr,
        )
        return exit_codes.OUTCOME_UNKNOWN
    from twilio_component.cli.unexpected import describe_unexpected

    print(describe_unexpected(error, has_debug=has_debug), file=sys.stderr)
    return exit_codes.BUG


def _discard_output() -> None:
    """Redirect the output to the null device, so that Python does not complain at exit about what is unwritten."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_every_character(stream: TextIO) -> None:
    """Let a stream take every character: what was done must not fail for one that the terminal does not have.

    An ASCII stream, as the C locale gives, becomes UTF-8, as Python itself does where it may.
    """
    if isinstance(stream, io.TextIOWrapper):
        is_ascii = codecs.lookup(stream.encoding).name == "ascii"
        stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="backslashreplace")


def command_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command, or of all commands where there is no such command.

    The modules of other commands are not imported, so that each command starts fast; ``--version`` needs none.
    """
    parser = CommandParser(
        prog="twilio-component",
        description="The Twilio component: inspect it, invoke it, run flows, and emulate Twilio.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    needed = [command] if command in COMMANDS else [] if command == "--version" else COMMANDS
    commands = parser.add_subparsers(title="commands", prog=parser.prog, required=True, metavar="COMMAND")
    for name in needed:
        import_module(f"twilio_component.cli.commands.{COMMANDS[name]}").add_parser(commands)
    return parser


class _Version(argparse.Action):
    """Prints the installed version; reading it takes milliseconds that other commands need not spend."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version

        print(f"twilio-component {version('twilio-component')}")
        parser.exit()
