"""Twilio for integration flows: a component, its host, its test harness and its emulator.

``Host`` and ``BlockingHost`` invoke components, ``verify`` checks the signature of a webhook, and ``explain`` says what
an error code of Twilio's means. Everything else is in the sub-packages ``host``, ``flows``, ``emulator``, ``testing``
and ``twilio``; the page on stability lists what is public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component._version import __version__
    from twilio_component.host.blocking import BlockingHost
    from twilio_component.host.host import Host
    from twilio_component.twilio.error_codes import explain
    from twilio_component.twilio.signatures.verification import verify

_HOMES = {
    "BlockingHost": "host.blocking",
    "Host": "host.host",
    "__version__": "_version",
    "explain": "twilio.error_codes",
    "verify": "twilio.signatures.verification",
}

__all__ = ["BlockingHost", "Host", "__version__", "explain", "verify"]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
