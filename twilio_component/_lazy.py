"""Names that a package exports without importing their modules, so that importing the package costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__getattr__`` and ``__dir__``.

    ``homes`` maps each exported name to the module that defines it: ``host``, of the package itself, or a full name,
    ``twilio_component.host.host``. A name is imported when it is first used and kept in the package from then on;
    ``dir()`` and completion list all of them.
    """
    namespace = vars(sys.modules[package])

    def get_attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        module = import_module(home if home.startswith("twilio_component.") else f"{package}.{home}")
        value = getattr(module, name)
        namespace[name] = value
        return value

    def list_names() -> list[str]:
        return sorted({*namespace, *homes})

    return get_attribute, list_names
