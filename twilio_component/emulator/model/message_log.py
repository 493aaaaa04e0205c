"""The messages of one account, in the order in which they came, with a fast look-up by SID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twilio_component.emulator.model.message import Message


class MessageListener(Protocol):
    """Follows the messages of an account."""

    def update_message(self, message: Message) -> None:
        """Take note of a message that is new or has changed."""

    def remove_message(self, message: Message) -> None:
        """Take note of a message that was deleted."""


class MessageLog:
    """A list that is appended to and read from its end; a deleted message leaves a gap, so that positions last.

    Twilio lists messages by the date on which they were sent, so there are two orders: iterating gives that of
    creation, `newest_first` and `oldest_first` that of lists, in which a scheduled message moves when it is sent.

    Every message that is appended, changed or removed is reported to ``listeners``.
    """

    def __init__(self, listeners: Iterable[MessageListener] = ()) -> None:
        self._listeners = listeners
        self._messages: dict[str, Message] = {}
        self._slots: list[Message | None] = []
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        """Iterate in the order of creation, oldest first."""
        return iter(list(self._messages.values()))

    def append(self, message: Message) -> None:
        """Add the newest message."""
        self._messages[message.sid] = message
        self._list_last(message)
        self.notify(message)

    def bring_forward(self, message: Message) -> None:
        """List a scheduled message as the newest, because it has just been sent."""
        if message.sid in self._messages:
            self._slots[self._positions[message.sid]] = None
            self._list_last(message)

    def notify(self, message: Message) -> None:
        """Report that a message has changed."""
        for listener in self._listeners:
            listener.update_message(message)

    def get(self, sid: str) -> Message | None:
        """Return the message ``sid``, or None."""
        return self._messages.get(sid)

    def remove(self, message: Message) -> None:
        """Delete a message."""
        del self._messages[message.sid]
        self._slots[self._positions.pop(message.sid)] = None
        for listener in self._listeners:
            listener.remove_message(message)

    def clear(self) -> None:
        """Forget every message; positions begin anew."""
        self._messages.clear()
        self._slots.clear()
        self._positions.clear()

    def newest_first(self, before: int | None = None) -> Iterator[tuple[int, Message]]:
        """Yield messages with their positions, newest first, starting before a position; costs only what is read."""
        start = len(self._slots) if before is None else min(before, len(self._slots))
        for position in range(start - 1, -1, -1):
            message = self._slots[position]
            if message is not None:
                yield position, message

    def oldest_first(self, after: int) -> Iterator[tuple[int, Message]]:
        """Yield messages with their positions, oldest first, starting after a position."""
        for position in range(after + 1, len(self._slots)):
            message = self._slots[position]
            if message is not None:
                yield position, message

    def _list_last(self, message: Message) -> None:
        self._positions[message.sid] = len(self._slots)
        self._slots.append(message)
