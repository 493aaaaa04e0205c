"""Verifications: a code goes out over a channel, and somebody types it in again, in time or not."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message import Message
from twilio_component.emulator.model.sids import new_sid
from twilio_component.emulator.model.verification import MOST_CHECKS, MOST_SENDS, Verification

if TYPE_CHECKING:
    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.model.verify_service import VerifyService
    from twilio_component.emulator.state import EmulatorState

CHANNELS = ("sms", "call", "whatsapp", "email")
_CODE = re.compile(r"[0-9]{4,10}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class _Start:
    """A request to verify somebody, after the checks of its form."""

    to: str
    channel: str
    code: str | None
    amount: str | None
    payee: str | None
    rate_limits: dict[str, str]

    @classmethod
    def parse(cls, form: Fields, service: VerifyService) -> _Start:
        """Read the form. Raises `ApiError` 60200 and those of features that the service does not have."""
        channel = form.get("Channel") or ""
        if channel not in CHANNELS:
            raise ApiError(60200, name="Channel", reason=f"the emulator has {', '.join(CHANNELS)}")
        to = form.get("To") or ""
        is_fit = _EMAIL.fullmatch(to) if channel == "email" else addresses.is_number(to)
        if not is_fit:
            wanted = "an email address" if channel == "email" else "a number in E.164 form, its + written as %2B,"
            raise ApiError(60200, name="To", reason=f"{wanted} is required")
        amount, payee = form.get("Amount"), form.get("Payee")
        if service.settings["psd2_enabled"] and not (amount and payee):
            raise ApiError(60206)
        return cls(to, channel, _custom_code(form, service), amount, payee, _rate_limits(form))


def start_verification(state: EmulatorState, account: Account, service: VerifyService, form: Fields) -> Verification:
    """Send a code, the same one again while it can still be checked. Raises `ApiError` where Twilio would.

    60203: it was sent five times already. 60202: a wrong code was tried five times. 60207: a rate limit of the service.
    60205: SMS to a number that `Lookups` knows as a landline.
    """
    wanted, now = _Start.parse(form, service), state.clock.now()
    if wanted.channel == "sms" and state.lookups.line_type(wanted.to) == "landline":
        raise ApiError(60205)
    verification = find_verification(service, wanted.to, now)
    if verification is not None and verification.status == "max_attempts_reached":
        raise ApiError(60202)
    if verification is not None and len(verification.sends) >= MOST_SENDS:
        raise ApiError(60203)
    service.count(wanted.rate_limits, now)
    if verification is None:
        code = wanted.code or _new_code(service.settings["code_length"])
        verification = Verification(account.sid, service.sid, wanted.to, wanted.channel, code, now)
        service.verifications[verification.sid] = verification
    verification.channel, verification.updated = wanted.channel, now
    verification.amount, verification.payee = wanted.amount, wanted.payee
    _send_code(state, account, service, verification)
    return verification


def check_verification(service: VerifyService, form: Fields, now: float) -> Verification:
    """Compare a code with the one that was sent: the verification is approved, or stays pending.

    Raises `ApiError` 20404 where nothing is to be checked (any more), 60200 for a code that cannot be one, and 60202
    after five wrong ones.
    """
    name = form.get("VerificationSid") or form.get("To")
    if not name:
        raise ApiError(60200, name="To", reason="To or VerificationSid is required")
    code = form.get("Code") or ""
    if not _CODE.fullmatch(code):
        raise ApiError(60200, name="Code", reason="4 to 10 digits are required")
    verification = find_verification(service, name, now)
    if verification is None:
        raise ApiError(20404, path=f"/Services/{service.sid}/VerificationCheck")
    if verification.status == "max_attempts_reached":
        raise ApiError(60202)
    if verification.amount != form.get("Amount") or verification.payee != form.get("Payee"):
        raise ApiError(60206)
    verification.checks += 1
    if secrets.compare_digest(verification.code, code):
        verification.become("approved", now)
    elif verification.checks >= MOST_CHECKS:
        verification.become("max_attempts_reached", now)
    return verification


def find_verification(service: VerifyService, name: str, now: float) -> Verification | None:
    """Return the verification that can still be checked with the SID, or of the address, ``name``."""
    found = [one for one in service.verifications.values() if name in (one.sid, one.to) and one.is_active(now)]
    return found[-1] if found else None


def _send_code(state: EmulatorState, account: Account, service: VerifyService, verification: Verification) -> None:
    """Let the code arrive as a message would. Twilio does not list it among the account's messages."""
    message = Message(
        sid=new_sid("VL"),
        account_sid=account.sid,
        to=f"whatsapp:{verification.to}" if verification.channel == "whatsapp" else verification.to,
        sender=service.friendly_name,
        body=_text(service, verification),
        status="queued",
        created=state.clock.now(),
        channel=verification.channel,
    )
    verification.sends.append(message)
    account.code_messages.append(message)
    state.lifecycle.begin(message, account.code_messages)


def _text(service: VerifyService, verification: Verification) -> str:
    code = ". ".join(verification.code) if verification.channel == "call" else verification.code
    text = f"Your {service.friendly_name} verification code is: {code}"
    if verification.amount:
        text += f", to pay {verification.amount} to {verification.payee}"
    return f"{text}. Don't share this code with anyone." if service.settings["do_not_share_warning_enabled"] else text


def _new_code(length: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(length))


def _custom_code(form: Fields, service: VerifyService) -> str | None:
    code = form.get("CustomCode") or None
    if code is None:
        return None
    if not service.settings["custom_code_enabled"]:
        raise ApiError(60204)
    if not _CODE.fullmatch(code):
        raise ApiError(60200, name="CustomCode", reason="4 to 10 digits are required")
    return code


def _rate_limits(form: Fields) -> dict[str, str]:
    try:
        keys = json.loads(form.get("RateLimits") or "{}")
    except ValueError:
        keys = None
    if not isinstance(keys, dict):
        raise ApiError(60200, name="RateLimits", reason="a JSON object of keys is required")
    return {str(name): str(key) for name, key in keys.items()}
