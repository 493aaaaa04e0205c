"""What the command ``twilio-component`` calls: Ctrl-C leaves no traceback, even while modules are imported."""

import os
import sys

_INTERRUPTED = 130  # as in `exit_codes`, which is among what is imported


def main() -> int:
    """Import the command line, run it, and return its exit code."""
    try:
        _keep_output_for_results()
        # It takes most of the time that a command takes to start.
        from twilio_component.cli.main import main as run_command

        return run_command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED


def _keep_output_for_results() -> None:
    """Give Python's standard output a descriptor of its own, and let descriptor 1 be standard error.

    A library in C that a component uses prints there, perhaps not before the process ends, and that must not get
    between the results.
    """
    output, errors = sys.stdout, sys.stderr
    if output is None or errors is None:  # they are closed; the command says what follows
        return
    own = os.dup(output.fileno())
    os.dup2(errors.fileno(), output.fileno())
    # A line at a time, where Python would write so: on a terminal, and with -u.
    lines = 1 if output.isatty() or getattr(output, "write_through", False) else -1
    # Whoever asks for the width of the terminal asks the second one.
    sys.stdout = sys.__stdout__ = os.fdopen(own, "w", lines, encoding=output.encoding, errors=output.errors)  # type: ignore[misc]
