"""Messages as conversations: between a number of the application and somebody's phone.

A conversation holds the messages of one pair in the order in which they came, and with them the attempts to send that
were refused, because they explain a message that never came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, unquote

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message import Message

if TYPE_CHECKING:
    from twilio_component.emulator.model.accounts import Account, Accounts
    from twilio_component.emulator.request_log import RequestLog, RequestRecord

    Item: TypeAlias = Message | RequestRecord

_FAILED = ("failed", "undelivered")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two ends of a conversation: ``number`` is the application's number, sender name or messaging service."""

    account_sid: str
    number: str
    phone: str

    @property
    def id(self) -> str:
        """The name of the conversation: ``AC…/+15017122661/+15558675310``."""
        return "/".join(quote(part, safe=":+") for part in (self.account_sid, self.number, self.phone))

    @classmethod
    def of(cls, item: Item) -> Pair | None:
        """Return the pair that an item belongs to; None for a refused attempt that names no recipient."""
        if isinstance(item, Message):
            if item.direction == "inbound":
                return cls(item.account_sid, item.to, item.sender or "")
            number = item.sender or item.chosen_sender or item.messaging_service_sid or ""
            return cls(item.account_sid, number, item.to)
        form = item.request.form
        sender, phone = form.get("From") or form.get("MessagingServiceSid"), form.get("To")
        if not sender or not phone:
            return None
        return cls(
            item.request.path.split("/")[3],
            _normalize(sender, addresses.sender),
            _normalize(phone, addresses.recipient),
        )

    @classmethod
    def parse(cls, name: str) -> Pair:
        """Return the pair that a conversation is named after; ValueError for an invalid name."""
        parts = [addresses.restore_plus(unquote(part)) for part in name.split("/")]
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - account, number, phone
            raise ValueError(f"a conversation is named account/number/phone, not {name!r}")
        return cls(*parts)

    @property
    def channel(self) -> str | None:
        """``whatsapp``, ``email`` or another channel; None for SMS, MMS and calls."""
        if "@" in self.phone:
            return "email"
        return addresses.channel_of(self.phone) or addresses.channel_of(self.number)


@dataclass(slots=True)
class Conversation:
    """A pair and its items, oldest first."""

    pair: Pair
    items: list[Item] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """How many of its messages failed, and attempts were refused."""
        return sum(1 for item in self.items if not isinstance(item, Message) or item.status in _FAILED)


class Conversations:
    """Finds conversations in what an emulator holds; nothing is kept here."""

    def __init__(self, accounts: Accounts, request_log: RequestLog) -> None:
        self._accounts = accounts
        self._request_log = request_log

    def newest_first(self, search: str = "") -> list[Conversation]:
        """Return the conversations with the items that ``search`` finds, the one with the newest item first."""
        found: dict[Pair, Conversation] = {}
        for item in self._items():
            pair = Pair.of(item)
            if pair is not None and matches(item, pair, search):
                found.setdefault(pair, Conversation(pair)).items.append(item)
        return sorted(found.values(), key=lambda one: timestamp_of(one.items[-1]), reverse=True)

    def one(self, pair: Pair, search: str = "") -> Conversation:
        """Return the items of a pair that ``search`` finds; it may have none."""
        return Conversation(pair, [one for one in self._items() if Pair.of(one) == pair and matches(one, pair, search)])

    def opted_out(self, pair: Pair) -> bool:
        """Return whether the phone wants nothing more from the number."""
        account: Account | None = next((one for one in self._accounts if one.sid == pair.account_sid), None)
        if account is None:
            return False
        service = account.service_of(pair.number)
        return account.opt_outs.forbid(pair.phone, pair.number, service.sid if service else None)

    def _items(self) -> Iterator[Item]:
        """Return every message and every refused attempt, in the order of their times."""
        refused = [record for record in self._request_log.requests if record.is_refused_send]
        accounts = list(self._accounts)
        messages: Iterable[Item] = (message for account in accounts for message in account.messages)
        codes = [message for account in accounts for message in account.code_messages]
        if not refused and not codes and len(accounts) == 1:
            return iter(messages)
        return iter(sorted([*messages, *codes, *refused], key=timestamp_of))


def timestamp_of(item: Item) -> float:
    """Return when a message was created or an attempt was made, in seconds since 1970."""
    return item.created if isinstance(item, Message) else item.at


def item_key(item: Item) -> str:
    """Return an item's identifier: the SID of a message, ``request-17`` for an attempt."""
    return item.sid if isinstance(item, Message) else f"request-{item.number}"


def text_of(item: Item) -> str:
    """Return the text of a message, or of an attempt to send one."""
    return item.body if isinstance(item, Message) else item.request.form.get("Body") or ""


def matches(item: Item, pair: Pair, search: str) -> bool:
    """Return whether the text, numbers, SID, status or error code contain ``search``, in any case."""
    if not search:
        return True
    words = [text_of(item), pair.number, pair.phone, item_key(item)]
    if isinstance(item, Message):
        words += [item.status, str(item.error_code or "")]
    return search.casefold() in "\n".join(words).casefold()


def window(
    items: list[Item], *, before: str | None = None, after: str | None = None, limit: int
) -> tuple[list[Item], bool, bool]:
    """Return at most ``limit`` items next to the one with a key (or the newest), and whether older and newer exist.

    ValueError where no item has the key.
    """
    start, end = max(0, len(items) - limit), len(items)
    if before is not None:
        end = _place(items, before)
        start = max(0, end - limit)
    elif after is not None:
        start = _place(items, after) + 1
        end = min(len(items), start + limit)
    return items[start:end], start > 0, end < len(items)


def _place(items: list[Item], wanted: str) -> int:
    for place in range(len(items) - 1, -1, -1):
        if item_key(items[place]) == wanted:
            return place
    raise ValueError(f"there is no {wanted} in this conversation")


def _normalize(address: str, reading: Callable[[str], str]) -> str:
    """Return an address in the form that messages have it; an invalid address stays as it was given."""
    try:
        return reading(address)
    except ApiError:
        return address
