"""The conditions that an engine asks before each send, in the order in which their verdicts count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_component.durable.sending.conditions import AllOf
from twilio_component.durable.sending.frequency_caps import WithinFrequencyCaps
from twilio_component.durable.sending.open_question import OfOpenQuestions
from twilio_component.durable.sending.opt_outs import OptOuts
from twilio_component.durable.sending.order import ConversationOrder
from twilio_component.durable.sending.quiet_hours import OutsideQuietHours
from twilio_component.durable.sending.send_rules import SendRules
from twilio_component.durable.sending.sender_rates import settings_of_senders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twilio_component.durable.settings import Settings
    from twilio_component.durable.store.database import Database
    from twilio_component.durable.store.waits import Enqueue
    from twilio_component.host.model import Component


def send_conditions(
    database: Database, settings: Settings, components: Mapping[str, Component], enqueue: Enqueue
) -> AllOf:
    """Return the conditions; raises ``InputError`` for a rule of something that is not a sender.

    ``enqueue`` has a run executed again that waits as a row.
    """
    rules = SendRules(
        settings_of_senders("quietHours", settings.quiet_hours, components),
        settings_of_senders("frequencyCaps", settings.frequency_caps, components),
    )
    return AllOf(
        [
            OptOuts(database, rules),
            OfOpenQuestions(database),
            OutsideQuietHours(database, rules, margin=settings.request_bound),
            WithinFrequencyCaps(database, rules),
            ConversationOrder(database, settings_of_senders("order", settings.orders, components), enqueue),
        ]
    )
