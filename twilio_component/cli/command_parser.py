"""A parser that says what would have worked where a command is missing, misspelt, or comes after its options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

_CHOICE = re.compile(r"argument COMMAND: invalid choice: '(.*?)' \(choose from ", re.DOTALL)


class CommandParser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose commands are named ``COMMAND``; those below it are of the same kind."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Remember the first word, and parse."""
        self._first = next(iter(args or ()), "")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with the message, in our words where it is about a command."""
        commands = [
            name
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - it has no public name
            for name in action.choices
        ]
        super().error(self._reword(message, commands) if commands else message)

    def _reword(self, message: str, commands: Sequence[str]) -> str:
        from twilio_component.host.errors import did_you_mean, join_names

        if message == "the following arguments are required: COMMAND":
            return f"which command? There are {join_names(commands, word='and')}"
        found = _CHOICE.match(message)
        if found is None:
            return message
        if self._first.startswith("-"):
            return f"options come after the command: {self.prog} COMMAND {self._first} …"
        hint = did_you_mean(found[1], commands) or f" (there are {join_names(commands, word='and')})"
        return f"there is no command '{found[1]}'{hint}"
