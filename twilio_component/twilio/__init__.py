"""The Twilio component: everything that knows Twilio's API. Hosts load it through its entry point.

``explain`` returns what Twilio's error codes mean, ``errors`` has the exceptions, ``signatures`` verifies webhooks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.twilio import errors, signatures
    from twilio_component.twilio.error_codes import explain

__all__ = ["errors", "explain", "signatures"]


def __getattr__(name: str) -> Any:
    if name == "explain":
        return import_module(f"{__name__}.error_codes").explain
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
