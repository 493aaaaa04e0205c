"""Points phone numbers and messaging services at the webhook of a deployed flow, and restores them on removal.

Twilio has no conditional update, and a process may die at any moment. So before a webhook is changed, its former value
is stored, together with the new one. After a crash Twilio has one of three values, the former one, one of ours, or
somebody else's, and the record tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import PerformError
from twilio_component.host.results import Result
from twilio_component.twilio.client import client_for
from twilio_component.twilio.errors import NotFoundError
from twilio_component.twilio.triggers.webhook_targets import (
    KINDS,
    NUMBER,
    SERVICE,
    SERVICE_STATUS,
    TargetKind,
    WebhookSettings,
    WebhookTarget,
    find_number_target,
    service_target,
)

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.twilio.client import TwilioClient

_STATE = "registrations"
Report = list[dict[str, str]]


class RegistrationError(PerformError):
    """A webhook cannot be registered or restored; the text says why."""

    code = "webhook-registration"


class WebhookConflictError(RegistrationError):
    """A phone number or messaging service has another webhook already; replacing it has to be confirmed."""

    code = "webhook-conflict"


@dataclass(frozen=True, slots=True)
class _Record:
    """The webhook that a target had before, and those that we have set or are about to set."""

    target: WebhookTarget
    account_sid: str
    former: WebhookSettings
    ours: tuple[WebhookSettings, ...]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> _Record:
        target = WebhookTarget(KINDS[stored["kind"]], stored["sid"], stored["name"])
        return cls(target, stored["accountSid"], stored["former"], tuple(stored["ours"]))

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.target.kind.name,
            "sid": self.target.sid,
            "name": self.target.name,
            "accountSid": self.account_sid,
            "former": self.former,
            "ours": list(self.ours),
        }

    def is_ours(self, settings: WebhookSettings) -> bool:
        destination = self.target.kind.destination
        return destination(settings) in map(destination, self.ours)

    def is_former(self, settings: WebhookSettings) -> bool:
        return self.target.kind.destination(settings) == self.target.kind.destination(self.former)


class _Records:
    """The records of one trigger's registrations. Every change is stored before anything else happens."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.stored: dict[str, Any] = dict(context.instance_state.get(_STATE) or {})

    def find(self, target: WebhookTarget) -> _Record | None:
        stored = self.stored.get(target.key)
        return None if stored is None else _Record.from_json(stored)

    def all(self) -> list[_Record]:
        return [_Record.from_json(stored) for stored in self.stored.values()]

    async def put(self, record: _Record) -> None:
        self.stored[record.target.key] = record.to_json()
        await self._context.keep_instance_state(self.state())

    async def drop(self, record: _Record) -> None:
        del self.stored[record.target.key]
        await self._context.keep_instance_state(self.state())

    def state(self) -> dict[str, Any]:
        return {_STATE: dict(self.stored) or None}


async def register_inbound(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Point ``phoneNumber`` and ``messagingServiceSid`` at the flow's webhook for incoming messages.

    The result is a list with one entry per target: kind, sid, outcome (``registered``, ``unchanged``; ``restored``,
    ``left`` or ``gone`` for a target that is no longer chosen) and text, a sentence. Raises ``WebhookConflictError``,
    before anything is changed, when a target has another webhook and ``replaceWebhook`` is not true.
    """
    return await _register(context, inputs, (NUMBER, SERVICE))


async def register_status(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Point ``messagingServiceSid`` at the flow's webhook for status callbacks.

    The result and the errors are those of ``register_inbound``.
    """
    return await _register(context, inputs, (SERVICE_STATUS,))


async def unregister(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Restore the former webhook of every registered target, except where somebody else has changed it since.

    The result is a list of the same entries as ``register_inbound`` returns, with the outcomes ``restored``, ``left``
    and ``gone``.
    """
    records = _Records(context)
    report: Report = []
    for record in records.all():
        report.append(await _restore(_client(context, inputs), records, record))
    return Result(value=report, instance_state=records.state())


async def _register(context: Context, inputs: Mapping[str, Any], kinds: tuple[TargetKind, ...]) -> Result:
    records = _Records(context)
    report: Report = []
    targets = [target for kind in kinds if (target := await _find_target(context, inputs, kind)) is not None]
    found = [(target, await target.read(_client(context, inputs))) for target in targets]
    wanted = {target.key: target.kind.settings_for(_url(context)) for target in targets}
    for target, current in found:
        if not inputs.get("replaceWebhook"):
            _check(target, current, wanted[target.key], records.find(target))
    for record in records.all():
        if record.target.key not in wanted:
            report.append(await _restore(_client(context, inputs), records, record))
    for target, current in found:
        report.append(await _set(_client(context, inputs), records, target, current, wanted[target.key]))
    return Result(value=report, instance_state=records.state())


async def _find_target(context: Context, inputs: Mapping[str, Any], kind: TargetKind) -> WebhookTarget | None:
    chosen = inputs.get("phoneNumber" if kind is NUMBER else "messagingServiceSid")
    if chosen is None:
        return None
    if kind is not NUMBER:
        return service_target(chosen, kind)
    target = await find_number_target(_client(context, inputs), chosen)
    if target is None:
        raise RegistrationError(
            "The account does not have the number in phoneNumber; selectPhoneNumber lists its numbers"
        )
    return target


def _check(target: WebhookTarget, current: WebhookSettings, wanted: WebhookSettings, record: _Record | None) -> None:
    """Raise ``WebhookConflictError`` for a target with somebody else's webhook."""
    if record is not None and (record.is_ours(current) or record.is_former(current)):
        return  # it was checked when the record was made
    now = target.kind.display(current)
    if now is not None and target.kind.destination(current) != target.kind.destination(wanted):
        raise WebhookConflictError(
            f"{target.name} already points to {now}. Set replaceWebhook to true (serve has --replace-webhooks) to "
            "point it to this flow; the present webhook is restored when the flow is removed"
        )


async def _set(
    client: TwilioClient, records: _Records, target: WebhookTarget, current: WebhookSettings, wanted: WebhookSettings
) -> dict[str, str]:
    record = records.find(target)
    former, ours = _history(record, current, wanted)
    account_sid = client.credentials.account_sid
    settled = _Record(target, account_sid, former, (wanted,))
    if current == wanted:
        if record != settled:
            await records.put(settled)
        return _report_entry(target, "unchanged", "already points to this flow")
    await records.put(_Record(target, account_sid, former, (*ours, wanted)))
    stored = await target.write(client, wanted)
    if stored != wanted:
        # Twilio may normalise the value; the record must recognise its form too.
        settled = _Record(target, account_sid, former, (wanted, stored))
    await records.put(settled)
    return _report_entry(target, "registered", "now points to this flow")


def _history(
    record: _Record | None, current: WebhookSettings, wanted: WebhookSettings
) -> tuple[WebhookSettings, tuple[WebhookSettings, ...]]:
    """The settings to restore later, and our other settings that Twilio may still have."""
    if record is None:
        return current, ()
    ours = tuple(one for one in record.ours if one != wanted)
    destination = record.target.kind.destination
    is_ours = record.is_ours(current) or destination(current) == destination(wanted)
    return (record.former if is_ours else current), ours


async def _restore(client: TwilioClient, records: _Records, record: _Record) -> dict[str, str]:
    target = record.target
    if record.account_sid != client.credentials.account_sid:
        raise RegistrationError(
            f"{target.name} was registered for the account {record.account_sid}, and the connection is for another "
            "account: use a connection for that account to restore it"
        )
    try:
        current = await target.read(client)
        outcome, text = "restored", _restoration_text(target.kind.display(record.former))
        if record.is_ours(current):
            if current != record.former:
                await target.write(client, record.former)
        elif not record.is_former(current):
            now = target.kind.display(current) or "nothing"
            outcome, text = "left", f"was changed by somebody else since, points to {now}, and is left as it is"
    except NotFoundError:
        before = target.kind.display(record.former) or "nothing"
        outcome, text = "gone", f"no longer exists for this connection; before, it pointed to {before}"
    await records.drop(record)
    return _report_entry(target, outcome, text)


def _restoration_text(former: str | None) -> str:
    return f"points to {former} again, as before" if former else "has no webhook again, as before"


def _report_entry(target: WebhookTarget, outcome: str, text: str) -> dict[str, str]:
    return {"kind": target.kind.name, "sid": target.sid, "outcome": outcome, "text": f"{target.name} {text}"}


def _client(context: Context, inputs: Mapping[str, Any]) -> TwilioClient:
    connection = inputs.get("twilioConnection")
    if connection is None:
        raise RegistrationError(
            "Setting a webhook needs twilioConnection, a connection for the account that has the number"
        )
    return client_for(context, connection)


def _url(context: Context) -> str:
    """The flow's webhook URL, which the host knows."""
    url = context.webhook_urls.get(str(context.flow.get("name", "")))
    if not url:
        raise RegistrationError("The host does not know the URL of this flow, so no webhook can be set")
    return url
