"""The ids of an event: what a request has in common with another one that must not start its flow again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from twilio_component.durable.store.events import RunEvent

if TYPE_CHECKING:
    from twilio_component.host.events import EventIdentity


def run_event(identity: EventIdentity, integration: str, flow: str, *, strict: bool) -> RunEvent:
    """Return the ids by which a run knows the event that starts it.

    With ``strict``, which the configuration's ``webhooks: {replays: strict}`` sets, the id of the delivery does not
    count: whatever has the same signature is one event, and two equal events are one, too.
    """

    def digest(*parts: Any) -> str:
        text = json.dumps([integration, flow, *parts], default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]

    # The signature joins names and values without a boundary: a replay may be cut into other parameters, so that it
    # has another key, or has a key no longer. Its signature stays.
    of_keyed, of_other = digest("keyed", identity.signature), digest("other", identity.signature)
    if identity.key is not None:
        main = digest("key", identity.key)
        return RunEvent(id=main, known_by=(main, of_keyed), also_seen_as=(of_other,))
    delivery = "" if strict else identity.delivery
    main = digest("signed", identity.signature, delivery)
    known_by = (main, digest("content", identity.content, delivery), *([of_other] if strict else []))
    return RunEvent(id=main, known_by=known_by, also_seen_as=(of_keyed,), marks=() if strict else (of_other,))
