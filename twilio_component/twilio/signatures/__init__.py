"""Webhook signatures, made and verified; usable without the rest of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.host.exports import lazily

if TYPE_CHECKING:
    from twilio_component.twilio.signatures.verification import (
        WebhookRefusedError,
        body_sha256,
        sign,
        sign_with_shared_key,
        verify,
    )

__all__ = ["WebhookRefusedError", "body_sha256", "sign", "sign_with_shared_key", "verify"]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "verification"))
