"""The trigger ``statusCallback``: a verified webhook, with the status that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.results import Result
from twilio_component.twilio.message_status import FINAL, PROGRESS
from twilio_component.twilio.signatures.verification import WebhookRefusedError
from twilio_component.twilio.triggers.webhook import receive
from twilio_component.twilio.triggers.webhook_parameters import WebhookParameters, channel_of
from twilio_component.twilio.twiml import messaging_response, response_of

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_STATE = "statusCallback"
_MAX_REMEMBERED = 1_000


async def receive_status(context: Context, payload: Mapping[str, Any], inputs: Mapping[str, Any]) -> Result:
    """Verify the request, add ``status`` to the payload, and respond with empty TwiML.

    ``status`` is described by `schemas/message-status.schema.json`; a value that Twilio did not send is null. Its
    ``final`` says that no other status follows, except ``read`` after ``delivered``; ``stale`` says that a later status
    of the message was received before. Raises ``WebhookRefusedError`` for a request that is not provably Twilio's, and
    for another request of Twilio's.
    """
    received = await receive(context, payload, inputs)
    parameters = WebhookParameters(received)
    status = parameters.text("MessageStatus") or parameters.text("SmsStatus")
    sid = parameters.text("MessageSid") or parameters.text("SmsSid")
    if sid is None or status is None or status in ("received", "receiving"):
        raise WebhookRefusedError(
            "Refused: this request of Twilio's is not a status callback. Give this URL as statusCallback when a "
            "message is sent, or to the messaging service."
        )
    seen: dict[str, int] = dict(context.instance_state.get(_STATE) or {})
    # A status that precedes an earlier one is late. An unknown status (Twilio may add one) never is.
    progress = PROGRESS.get(status, seen.get(sid, 0))
    stale = progress < seen.get(sid, -1)
    # The latest message goes to the end, so that the one without news for longest is forgotten first.
    seen[sid] = max(progress, seen.pop(sid, progress))
    while len(seen) > _MAX_REMEMBERED:
        del seen[next(iter(seen))]
    details = {"status": status, **_details(parameters, sid), "final": status in FINAL, "stale": stale}
    return Result(
        value={**received, "status": details},
        instance_state={_STATE: seen},
        response=response_of(messaging_response()),
    )


def _details(parameters: WebhookParameters, sid: str) -> dict[str, Any]:
    text = parameters.text
    return {
        "messageSid": sid,
        "accountSid": text("AccountSid"),
        "messagingServiceSid": text("MessagingServiceSid"),
        "from": text("From"),
        "to": text("To"),
        "channel": channel_of(text("To"), text("From"), text("ChannelToAddress")),
        **parameters.error(),
        "channelStatusMessage": text("ChannelStatusMessage"),
        "channelInstallSid": text("ChannelInstallSid"),
        "channelToAddress": text("ChannelToAddress"),
        "eventType": text("EventType"),
        # The carrier's clock without a time zone (YYMMDDhhmm): it stays as it is.
        "rawDlrDoneDate": text("RawDlrDoneDate"),
    }
