"""What the command ``twilio-component`` calls: Ctrl-C leaves no traceback, even while modules are imported."""

import sys

_INTERRUPTED = 130  # as in `exit_codes`, which is among what is imported


def main() -> int:
    """Import the command line, run it, and return its exit code."""
    try:
        # It takes most of the time that a command takes to start.
        from twilio_component.cli.main import main as run_command

        return run_command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
