"""Environment variables whose values may stand in files, as Docker, Kubernetes and systemd hand out secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twilio_component.host.errors import InputError, Problem

SUFFIX = "_FILE"
_SUMMARY = "The environment is not valid"


class FileEnvironment(Mapping[str, str]):
    """Variables by name, the process's own by default. ``NAME`` is also the content of the file in ``NAME_FILE``.

    A line break at the file's end does not belong to the value. A file is read each time its value is asked for, which
    raises ``InputError`` for one that cannot be read, and for a variable that is there both ways.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = dict(os.environ if variables is None else variables)

    def __getitem__(self, name: str) -> str:
        """The value of a variable, or the content of its file."""
        file = self._variables.get(f"{name}{SUFFIX}")
        if file is None:
            return self._variables[name]
        if name in self._variables:
            raise InputError(_SUMMARY, [Problem(name, f"is set, and so is {name}{SUFFIX}: keep one of them")])
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                _SUMMARY, [Problem(f"{name}{SUFFIX}", "must name a text file that can be read")]
            ) from error

    def __iter__(self) -> Iterator[str]:
        """The names of the variables as they are set."""
        return iter(self._variables)

    def __len__(self) -> int:
        """How many variables are set."""
        return len(self._variables)

    def without(self, names: set[str]) -> FileEnvironment:
        """Return the environment without the variables of these names, and without their files."""
        return FileEnvironment(
            {name: value for name, value in self._variables.items() if not {name, name.removesuffix(SUFFIX)} & names}
        )


def is_elsewhere(value: Any) -> bool:
    """Whether a value in a configuration says where a secret is: ``{environment: NAME}`` or ``{file: PATH}``."""
    return isinstance(value, Mapping) and set(value) in ({"environment"}, {"file"})


def read_elsewhere(value: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The text at such a place, without blanks around it; raises ``ValueError`` that says which place lacks it."""
    if "environment" in value:
        text = environment.get(str(value["environment"]))
        if text is None:
            raise ValueError(f"the environment variable {value['environment']} is not set")
        return text.strip()
    try:
        return Path(str(value["file"])).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ValueError(f"its file {value['file']} cannot be read: {reason}") from error
