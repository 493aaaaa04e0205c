"""``twilio-component completion``: a script by which a shell completes commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\
to have it in each new shell:
  bash  twilio-component completion bash > ~/.local/share/bash-completion/completions/twilio-component
  zsh   twilio-component completion zsh > ~/.zfunc/_twilio-component    (with ~/.zfunc in fpath)
  fish  twilio-component completion fish > ~/.config/fish/completions/twilio-component.fish
"""


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    import argparse

    parser = commands.add_parser(
        "completion",
        help="print a script that lets a shell complete commands and options",
        description="Print a script that lets a shell complete commands and options.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from twilio_component.cli.main import command_parser

    print(shtab.complete(command_parser(""), shell=options.shell))
    return exit_codes.DONE
