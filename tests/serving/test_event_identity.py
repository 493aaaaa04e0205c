"""One event is one run and two events are two: by what is signed, and by what Twilio says of the event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from twilio_component.durable.store.database import Database
from twilio_component.durable.store.events import KNOWN_SECONDS, RunEvent
from twilio_component.durable.store.new_runs import NewRun
from twilio_component.durable.store.runs import RunStore
from twilio_component.durable.store.schema import runs
from twilio_component.serving.event_identity import run_event
from twilio_component.testing import signed_payload
from twilio_component.twilio.triggers.events import identify_event

SMS = {"MessageSid": "SM" + "1" * 32, "From": "+15558675310", "Body": "Hi", "SmsStatus": "received"}
FALLBACK = {"ErrorCode": "11200", "ErrorUrl": "https://flows.example.com/demo/reply"}
ADDED = {"EventType": "onMessageAdded", "ConversationSid": "CH1", "MessageSid": "IM1", "Body": "Hi"}
UPDATED = {**ADDED, "EventType": "onMessageUpdated"}
STUDIO = {"FlowSid": "FW1", "Contact": "+15558675310"}


def event_of(parameters: dict[str, str], token: str | None = None, *, strict: bool = False, **options: Any) -> RunEvent:
    payload = signed_payload(parameters, **options)
    if token is not None:
        payload["headers"] = {**payload["headers"], "I-Twilio-Idempotency-Token": token}
    payload["body"] = {"data": parameters} if options.get("method") != "GET" else {}
    payload["queryParameters"] = parameters if options.get("method") == "GET" else {}
    return run_event(identify_event(payload), "Demo", "Reply", strict=strict)


class Known:
    """The events that were seen so far, as the store keeps them."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def is_new(self, event: RunEvent) -> bool:
        new = not self._ids & set(event.looked_for)
        self._ids |= {*event.known_by, *event.marks}
        return new


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("first", "second", "is_another"),
    [
        (SMS, SMS, False),
        (SMS, SMS | FALLBACK, False),
        (SMS | FALLBACK, SMS, False),
        (SMS, SMS | {"NewParameter": "of tomorrow"}, False),
        (SMS, SMS | {"MessageSid": "SM" + "2" * 32}, True),
        (SMS, SMS | {"MessageStatus": "delivered"}, True),
        (SMS | {"MessageStatus": "failed"}, SMS | {"MessageStatus": "failed", "ErrorCode": "30003"}, True),
        (ADDED, UPDATED, True),
        (ADDED, ADDED | {"Body": "told anew"}, False),
        (UPDATED, UPDATED | {"Body": "changed"}, True),
        (UPDATED, UPDATED, False),
        (UPDATED | {"DateUpdated": "1"}, UPDATED | {"DateUpdated": "2"}, True),
        (UPDATED | {"DateUpdated": "1"}, UPDATED | {"DateUpdated": "1", "Attributes": "{}"}, False),
        ({"EventType": "onTypingStarted"}, {"EventType": "onTypingStarted", "x": "1"}, True),
        (STUDIO, STUDIO, False),
        (STUDIO, STUDIO | {"Contact": "+15558675311"}, True),
        (STUDIO, STUDIO | FALLBACK, False),
    ],
)
def test_what_tells_two_events_apart(
    method: str, first: dict[str, str], second: dict[str, str], *, is_another: bool
) -> None:
    known = Known()
    assert known.is_new(event_of(first, method=method))
    assert known.is_new(event_of(second, method=method)) is is_another


def test_equal_requests_without_a_message_are_told_apart_by_twilios_token_unless_that_is_not_trusted() -> None:
    known, strict = Known(), Known()
    assert [known.is_new(event_of(STUDIO, token)) for token in ("a", "a", "b", "")] == [True, False, True, True]
    assert [strict.is_new(event_of(STUDIO, token, strict=True)) for token in ("a", "a", "b", "")] == [
        True,
        False,
        False,
        False,
    ]
    # The token never makes two of a message.
    assert [known.is_new(event_of(SMS, token)) for token in ("a", "b")] == [True, False]


@st.composite
def moved(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters, and the same signed text cut into other ones."""
    parameters = draw(
        st.dictionaries(
            st.sampled_from(["Body", "From", "EventType", "Other"]), st.text("aSM1", min_size=1), min_size=1
        )
    )
    if draw(st.booleans()):
        parameters |= {"MessageSid": "SM" + draw(st.text("01", min_size=2, max_size=4))}
    text = "".join(name + value for name, value in sorted(parameters.items()))
    cuts = sorted(draw(st.sets(st.integers(1, len(text) - 1), min_size=1, max_size=5)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    if len(pieces) % 2:
        pieces = [*pieces[:-2], pieces[-2] + pieces[-1]] if len(pieces) > 1 else [text[:1], text[1:]]
    other = dict(zip(pieces[::2], pieces[1::2], strict=True))
    return parameters, other


@given(pair=moved(), moved_first=st.booleans(), strict=st.booleans())
def test_whatever_has_the_same_signed_text_is_one_event(
    *, pair: tuple[dict[str, str], dict[str, str]], moved_first: bool, strict: bool
) -> None:
    genuine, replay = pair
    if "".join(name + value for name, value in sorted(replay.items())) != "".join(
        name + value for name, value in sorted(genuine.items())
    ):
        return  # in another order: then Twilio's signature is another one
    known = Known()
    order = (replay, genuine) if moved_first else (genuine, replay)
    assert known.is_new(event_of(order[0], strict=strict))
    assert not known.is_new(event_of(order[1], strict=strict))


@pytest.mark.anyio
async def test_the_store_starts_one_run_for_an_event_whatever_its_ids_and_knows_it_when_that_is_purged(
    tmp_path: Any,
) -> None:
    database = Database(f"sqlite:///{tmp_path}/runs.sqlite")
    database.create()
    try:
        store = RunStore(database)
        digest = await store.define("f", "t")

        def new(run: str, *ids: str, seen: tuple[str, ...] = ()) -> NewRun:
            event = RunEvent(id=ids[0], known_by=ids, also_seen_as=seen)
            return NewRun(id=run, definition=digest, integration="I", flow="F", payload={}, event=event)

        batch = [new("a", "1", "2"), new("b", "2", "3"), new("c", "4"), new("d", "5", seen=("4",))]
        assert await store.accept_all(batch) == [True, False, True, False]
        # What is known by one id is known by all that it ever came with.
        assert [await store.accept(new(run, one)) for run, one in (("e", "3"), ("f", "5"), ("g", "6"))] == [
            False,
            False,
            True,
        ]
        assert [await store.run_of(one) for one in batch] == ["a", "a", "c", "c"]
        assert await store.load("b") is None
        # Its sender may repeat an event yet when its run is purged, but not for long.
        old = update(runs).where(runs.c.id == "c").values(created_at=runs.c.created_at - 2 * KNOWN_SECONDS)
        await database.run(lambda connection: connection.execute(old))
        await store.forget(["a", "c"])
        assert [await store.accept(one) for one in (new("a", "1", "2"), new("c", "4"))] == [False, True]
        assert await store.run_of(batch[0]) == "a"
    finally:
        database.close()
