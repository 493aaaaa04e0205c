"""Signs and verifies webhooks; usable without the rest of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component._lazy import lazy_exports

if TYPE_CHECKING:
    from twilio_component.twilio.signatures.verification import (
        WebhookRefusedError,
        body_sha256,
        sign,
        sign_with_shared_key,
        verify,
    )

__all__ = ["WebhookRefusedError", "body_sha256", "sign", "sign_with_shared_key", "verify"]

if not TYPE_CHECKING:  # a checker would take any name for one that `__getattr__` knows
    __getattr__, __dir__ = lazy_exports(__name__, dict.fromkeys(__all__, "verification"))
