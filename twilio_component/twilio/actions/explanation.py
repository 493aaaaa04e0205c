"""Why a message was not delivered: what Twilio knows about the message, its sender and its recipient, as one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.twilio.client import TwilioClient, client_for
from twilio_component.twilio.error_codes import DOCS, explain
from twilio_component.twilio.errors import NotFoundError, TwilioAPIError
from twilio_component.twilio.message_status import FINAL
from twilio_component.twilio.opt_outs import OPTED_OUT, START_WORDS, STOP_WORDS
from twilio_component.twilio.payloads import message as message_payload
from twilio_component.twilio.whatsapp_numbers import all_forms

if TYPE_CHECKING:
    from twilio_component.host.context import Context

# Keywords are looked for in the newest messages from the recipient, as many as one page can have.
_MAX_MESSAGES = 1_000
_DELIVERED = frozenset({"delivered", "read"})
_SENTENCES = {
    "inbound": "It is a message that was received, not one that was sent.",
    "delivered": "It was delivered (status {status}).",
    "sent": "The carrier has taken it. No delivery receipt has come; some carriers and channels send none.",
    "in-progress": "Twilio has not finished with it (status {status}).",
}


async def explain_delivery(context: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a message ended and why: a ``summary`` in a sentence, and what it is based on.

    Beside the message it reads the sender and the recipient's newest messages, which change nothing. What the
    credentials may not read is null. Raises ``NotFoundError`` for a message that does not exist.
    """
    client = client_for(context, inputs["twilioConnection"])
    message = message_payload(await client.call("GET", f"{client.account_path}/Messages/{inputs['sid']}.json"))
    error = _error(message)
    recipient = await _recipient(client, message)
    sender = await _sender(client, message)
    return {
        "sid": message["sid"],
        "status": message["status"],
        "outcome": _outcome(message),
        "summary": _summary(message, error, recipient, sender),
        "error": error,
        "recipient": recipient,
        "sender": sender,
        "message": message,
    }


def _outcome(message: Mapping[str, Any]) -> str:
    status = message["status"]
    if str(message["direction"]).startswith("inbound"):
        return "inbound"
    if status in _DELIVERED:
        return "delivered"
    if status == "sent":
        return "sent"
    return "not-delivered" if status in FINAL else "in-progress"


def _error(message: Mapping[str, Any]) -> dict[str, Any] | None:
    code = message["errorCode"]
    if code is None:
        return None
    entry = explain(code)
    return {
        "code": code,
        "message": message["errorMessage"],
        "meaning": entry.meaning if entry else None,
        "remedy": entry.remedy if entry else None,
        "retryable": entry.retryable if entry else None,
        "link": DOCS.format(code=code),
    }


async def _recipient(client: TwilioClient, message: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the recipient has opted out of the sender, by the newest keyword that the recipient wrote."""
    unknown = {"optedOut": True if message["errorCode"] == OPTED_OUT else None, "keyword": None, "since": None}
    if not (message["from"] and message["to"]) or _outcome(message) == "inbound":
        return unknown
    written: list[dict[str, Any]] = []
    for person in all_forms(message["to"]):
        params = [("From", person), ("To", message["from"]), ("PageSize", str(_MAX_MESSAGES))]
        try:
            page, _ = await client.page(f"{client.account_path}/Messages.json", "messages", params)
        except TwilioAPIError:
            return unknown
        written += [message_payload(resource) for resource in page]
    for reply in sorted(written, key=lambda one: str(one["dateCreated"]), reverse=True):
        keyword = str(reply["body"] or "").strip().lower()
        if keyword in STOP_WORDS or keyword in START_WORDS:
            return {"optedOut": keyword in STOP_WORDS, "keyword": keyword.upper(), "since": reply["dateCreated"]}
    return unknown


async def _sender(client: TwilioClient, message: Mapping[str, Any]) -> dict[str, Any]:
    """The sender: its kind, its identifier, and whether the account has it now (``state``)."""
    service, address = message["messagingServiceSid"], message["from"]
    if service:
        return await _service(client, service)
    if address and address.startswith("+"):
        return await _phone_number(client, address)
    kind = None
    if address:
        kind = "channel" if ":" in address else "short-code" if address.isdigit() else "sender-id"
    return {"kind": kind, "sid": None, "state": None}


async def _phone_number(client: TwilioClient, address: str) -> dict[str, Any]:
    path, params = f"{client.account_path}/IncomingPhoneNumbers.json", [("PhoneNumber", address)]
    try:
        numbers, _ = await client.page(path, "incoming_phone_numbers", params)
    except TwilioAPIError:
        return {"kind": "phone-number", "sid": None, "state": None}
    found = next((one for one in numbers if one.get("phone_number") == address), None)
    if found is None:
        return {"kind": "phone-number", "sid": None, "state": "not-in-account"}
    capabilities = found.get("capabilities") or {}
    can_send = capabilities.get("sms", capabilities.get("SMS", True))
    return {"kind": "phone-number", "sid": found.get("sid"), "state": "ready" if can_send else "without-sms"}


async def _service(client: TwilioClient, sid: str) -> dict[str, Any]:
    state: str | None = "ready"
    try:
        await client.call("GET", f"/v1/Services/{sid}", product="messaging")
    except NotFoundError:
        state = "not-in-account"
    except TwilioAPIError:
        state = None
    return {"kind": "messaging-service", "sid": sid, "state": state}


def _summary(
    message: Mapping[str, Any],
    error: Mapping[str, Any] | None,
    recipient: Mapping[str, Any],
    sender: Mapping[str, Any],
) -> str:
    outcome, status = _outcome(message), message["status"]
    if outcome != "not-delivered":
        sentence = _SENTENCES[outcome].format(status=status)
        return f"{sentence}{_sender_problem(sender)}" if outcome == "in-progress" else sentence
    if status == "canceled":
        return "It was canceled before it was sent."
    if error is None:
        return f"It was not delivered (status {status}), and Twilio gives no reason.{_sender_problem(sender)}"
    meaning = error["meaning"] or error["message"] or "Twilio's page about the code says more."
    remedy = error["remedy"] or f"See {error['link']}."
    opted_out = " The recipient has opted out." if recipient["optedOut"] and error["code"] != OPTED_OUT else ""
    reason = f"It was not delivered: {meaning} (error {error['code']}) {remedy}"
    return f"{reason}{opted_out}{_sender_problem(sender)}"


def _sender_problem(sender: Mapping[str, Any]) -> str:
    problems = {
        "not-in-account": " The sender is not in the account.",
        "without-sms": " The sender's number cannot send SMS.",
    }
    return problems.get(str(sender["state"]), "")
