"""Numbers and messaging services that are told where the webhooks of a deployed flow go, and told back.

Twilio can change a webhook, but not only if it still is what it was, and anything may die at any time. So before a
change is asked for, what was there is kept, together with what is going to be there. Whoever comes after a crash finds
one of three things at Twilio: the former value, one of ours, or somebody else's; and knows what to do with each.
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
    Kind,
    Place,
    Settings,
    number_place,
    service_place,
)

if TYPE_CHECKING:
    from twilio_component.host.context import Context
    from twilio_component.twilio.client import TwilioClient

_STATE = "registrations"
Report = list[dict[str, str]]


class RegistrationError(PerformError):
    """A webhook that cannot be registered, or not be restored; the text says why."""

    code = "webhook-registration"


class WebhookConflictError(RegistrationError):
    """A number or messaging service whose webhook leads elsewhere; replacing that has to be confirmed."""

    code = "webhook-elsewhere"


@dataclass(frozen=True, slots=True)
class _Record:
    """What was there before, and what we have put there or are about to."""

    place: Place
    account_sid: str
    former: Settings
    ours: tuple[Settings, ...]

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> _Record:
        place = Place(KINDS[stored["kind"]], stored["sid"], stored["name"])
        return cls(place, stored["accountSid"], stored["former"], tuple(stored["ours"]))

    def written(self) -> dict[str, Any]:
        return {
            "kind": self.place.kind.name,
            "sid": self.place.sid,
            "name": self.place.name,
            "accountSid": self.account_sid,
            "former": self.former,
            "ours": list(self.ours),
        }

    def is_ours(self, settings: Settings) -> bool:
        target = self.place.kind.target
        return target(settings) in map(target, self.ours)

    def is_former(self, settings: Settings) -> bool:
        return self.place.kind.target(settings) == self.place.kind.target(self.former)


class _Records:
    """The records of one trigger's registrations. Every change is kept before anything else happens."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.stored: dict[str, Any] = dict(context.instance_state.get(_STATE) or {})

    def find(self, place: Place) -> _Record | None:
        stored = self.stored.get(place.key)
        return None if stored is None else _Record.read(stored)

    def all(self) -> list[_Record]:
        return [_Record.read(stored) for stored in self.stored.values()]

    async def put(self, record: _Record) -> None:
        self.stored[record.place.key] = record.written()
        await self._context.keep_instance_state(self.state())

    async def drop(self, record: _Record) -> None:
        del self.stored[record.place.key]
        await self._context.keep_instance_state(self.state())

    def state(self) -> dict[str, Any]:
        return {_STATE: dict(self.stored) or None}


async def register_inbound(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Let the incoming messages of ``phoneNumber`` and ``messagingServiceSid`` go to the flow's webhook.

    The result is a list with one entry a place: kind, sid, outcome (``registered``, ``unchanged``; ``restored``,
    ``left`` or ``gone`` for one that is no longer chosen) and said, a sentence. Raises ``WebhookConflictError``,
    before anything is changed, for one that leads elsewhere when ``replaceWebhook`` is not true.
    """
    return await _register(context, inputs, (NUMBER, SERVICE))


async def register_status(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Let the status callbacks of ``messagingServiceSid`` go to the flow's webhook; else as ``register_inbound``."""
    return await _register(context, inputs, (SERVICE_STATUS,))


async def unregister(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Let every place that was registered lead where it did before; one that was changed since is left as it is.

    The result is as ``register_inbound``'s, with the outcomes ``restored``, ``left`` and ``gone``.
    """
    records = _Records(context)
    report: Report = []
    for record in records.all():
        report.append(await _restore(_client(context, inputs), records, record))
    return Result(value=report, instance_state=records.state())


async def _register(context: Context, inputs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Result:
    records = _Records(context)
    report: Report = []
    places = [place for kind in kinds if (place := await _place(context, inputs, kind)) is not None]
    found = [(place, await place.read(_client(context, inputs))) for place in places]
    wanted = {place.key: place.kind.wanted(_url(context)) for place in places}
    for place, current in found:
        if not inputs.get("replaceWebhook"):
            _check(place, current, wanted[place.key], records.find(place))
    for record in records.all():
        if record.place.key not in wanted:
            report.append(await _restore(_client(context, inputs), records, record))
    for place, current in found:
        report.append(await _set(_client(context, inputs), records, place, current, wanted[place.key]))
    return Result(value=report, instance_state=records.state())


async def _place(context: Context, inputs: Mapping[str, Any], kind: Kind) -> Place | None:
    chosen = inputs.get("phoneNumber" if kind is NUMBER else "messagingServiceSid")
    if chosen is None:
        return None
    if kind is not NUMBER:
        return service_place(chosen, kind)
    place = await number_place(_client(context, inputs), chosen)
    if place is None:
        raise RegistrationError(
            "The account has no such number as phoneNumber says; selectPhoneNumber lists its numbers"
        )
    return place


def _check(place: Place, current: Settings, wanted: Settings, record: _Record | None) -> None:
    """Raise ``WebhookConflictError`` for a place that leads to somebody else."""
    if record is not None and (record.is_ours(current) or record.is_former(current)):
        return  # it was looked at when the record was made
    shown = place.kind.shown(current)
    if shown is not None and place.kind.target(current) != place.kind.target(wanted):
        raise WebhookConflictError(
            f"{place.name} leads to {shown} already. Set replaceWebhook to true (serve has --replace-webhooks) to let "
            "it lead to this flow; what is there now is kept, and restored when the flow is removed"
        )


async def _set(
    client: TwilioClient, records: _Records, place: Place, current: Settings, wanted: Settings
) -> dict[str, str]:
    record = records.find(place)
    former, ours = _before(record, current, wanted)
    account_sid = client.credentials.account_sid
    settled = _Record(place, account_sid, former, (wanted,))
    if current == wanted:
        if record != settled:
            await records.put(settled)
        return _told(place, "unchanged", "leads to this flow already")
    await records.put(_Record(place, account_sid, former, (*ours, wanted)))
    stored = await place.write(client, wanted)
    if stored != wanted:
        # Twilio has its own way of writing it down, by which it will be recognised.
        settled = _Record(place, account_sid, former, (wanted, stored))
    await records.put(settled)
    return _told(place, "registered", "leads to this flow now")


def _before(record: _Record | None, current: Settings, wanted: Settings) -> tuple[Settings, tuple[Settings, ...]]:
    """What is to be restored some day, and what else may be found at Twilio that is ours."""
    if record is None:
        return current, ()
    ours = tuple(one for one in record.ours if one != wanted)
    target = record.place.kind.target
    is_ours = record.is_ours(current) or target(current) == target(wanted)
    return (record.former if is_ours else current), ours


async def _restore(client: TwilioClient, records: _Records, record: _Record) -> dict[str, str]:
    place = record.place
    if record.account_sid != client.credentials.account_sid:
        raise RegistrationError(
            f"{place.name} was registered for the account {record.account_sid}, and the connection is another "
            "account's: use a connection of that account to restore it"
        )
    try:
        current = await place.read(client)
        outcome, said = "restored", f"leads to {place.kind.shown(record.former) or 'nothing'} again, as before"
        if record.is_ours(current):
            if current != record.former:
                await place.write(client, record.former)
        elif not record.is_former(current):
            shown = place.kind.shown(current) or "nothing"
            outcome, said = "left", f"was changed by somebody else since, leads to {shown}, and is left as it is"
    except NotFoundError:
        before = place.kind.shown(record.former) or "nothing"
        outcome, said = "gone", f"does not exist for this connection any more; before, it led to {before}"
    await records.drop(record)
    return _told(place, outcome, said)


def _told(place: Place, outcome: str, said: str) -> dict[str, str]:
    return {"kind": place.kind.name, "sid": place.sid, "outcome": outcome, "said": f"{place.name} {said}"}


def _client(context: Context, inputs: Mapping[str, Any]) -> TwilioClient:
    connection = inputs.get("twilioConnection")
    if connection is None:
        raise RegistrationError(
            "Setting a webhook needs twilioConnection, a connection of the account that has the number"
        )
    return client_for(context, connection)


def _url(context: Context) -> str:
    """The flow's webhook URL, as the host has it."""
    url = context.webhook_urls.get(str(context.flow.get("name", "")))
    if not url:
        raise RegistrationError("The host does not say at which URL this flow is reached, so no webhook can be set")
    return url
