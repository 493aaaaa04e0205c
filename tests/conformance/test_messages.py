"""What the official SDK sees of messages."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageList

from twilio_component.host.errors import InputError
from twilio_component.host.inputs.form import InputForm
from twilio_component.host.manifest.loader import load_component
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator
    from twilio_component.emulator.server.server import ServerInThread

TO, FROM = "+15558675310", "+15017122661"
ACCOUNT_SID = "AC" + "a" * 32


def refused(action: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        action()
    return caught.value


def test_a_message_that_is_created_has_twilios_fields(sdk: Client) -> None:
    message = sdk.messages.create(to=TO, from_=FROM, body="Hello")
    assert message.sid.startswith("SM")
    assert len(message.sid) == 34
    assert (message.to, message.from_, message.body) == (TO, FROM, "Hello")
    assert (message.status, message.direction, message.api_version) == ("queued", "outbound-api", "2010-04-01")
    assert (message.num_media, message.num_segments, message.price) == ("0", "1", None)
    assert (message.error_code, message.error_message, message.date_sent) == (None, None, None)
    assert message.account_sid == ACCOUNT_SID
    assert abs(message.date_created - datetime.now(UTC)) < timedelta(seconds=5)
    assert message.uri == f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{message.sid}.json"
    assert message.subresource_uris == {"media": message.uri.replace(".json", "/Media.json")}


def test_a_message_is_fetched_as_it_was_created(sdk: Client) -> None:
    created = sdk.messages.create(to=TO, from_=FROM, body="Hello")
    fetched = sdk.messages(created.sid).fetch()
    assert (fetched.sid, fetched.body, fetched.date_created) == (created.sid, "Hello", created.date_created)


def test_a_message_that_does_not_exist_is_404_20404(sdk: Client) -> None:
    error = refused(sdk.messages("SM" + "0" * 32).fetch)
    assert (error.status, error.code) == (404, 20404)
    assert f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/SM{'0' * 32}.json was not found" in error.msg


def test_a_message_lives_until_it_is_delivered(sdk: Client, emulator: Emulator, server: ServerInThread) -> None:
    sid = sdk.messages.create(to=TO, from_=FROM, body="Hello").sid
    server.call(emulator.clock.advance, 0.3)
    assert sdk.messages(sid).fetch().status == "sending"
    server.call(emulator.clock.advance, 0.5)
    assert sdk.messages(sid).fetch().status == "sent"
    server.call(emulator.clock.advance, 1.0)
    assert sdk.messages(sid).fetch().status == "delivered"


def test_the_list_is_newest_first_and_filters_by_addresses(sdk: Client) -> None:
    sids = [sdk.messages.create(to=to, from_=FROM, body="x").sid for to in (TO, "+15550002222", TO)]
    assert [one.sid for one in sdk.messages.list()] == sids[::-1]
    assert [one.sid for one in sdk.messages.list(to=TO)] == [sids[2], sids[0]]
    assert [one.sid for one in sdk.messages.list(from_=FROM, limit=2)] == sids[:0:-1]
    assert sdk.messages.list(from_="+15550009999") == []


def test_the_list_filters_by_the_day_and_the_second_of_sending(
    sdk: Client, emulator: Emulator, server: ServerInThread
) -> None:
    early = sdk.messages.create(to=TO, from_=FROM, body="x").sid
    server.call(emulator.clock.advance, 2 * 24 * 3600)
    late = sdk.messages.create(to=TO, from_=FROM, body="x").sid
    server.call(emulator.clock.advance, 10)
    waiting = sdk.messages.create(to=TO, from_=FROM, body="x").sid
    first, last = sdk.messages(early).fetch().date_sent, sdk.messages(late).fetch().date_sent

    def listed(**filters: Any) -> list[str]:
        return [one.sid for one in sdk.messages.list(**filters)]

    assert listed() == [waiting, late, early]
    assert listed(date_sent=first) == [early]
    assert listed(date_sent=first.date()) == [early]
    assert listed(date_sent_after=last) == [late]
    assert listed(date_sent_before=first) == [early]
    assert listed(date_sent_before=first - timedelta(seconds=1)) == []
    assert listed(date_sent_after=first, date_sent_before=last) == [late, early]


def test_pages_are_followed_to_the_end_without_loss_or_repetition(sdk: Client) -> None:
    sids = [sdk.messages.create(to=TO, from_=FROM, body=str(n)).sid for n in range(7)]
    assert [one.sid for one in sdk.messages.list(page_size=3)] == sids[::-1]
    page = sdk.messages.page(page_size=3)
    assert [one.sid for one in page] == [sids[6], sids[5], sids[4]]
    second = page.next_page()
    assert [one.sid for one in second] == [sids[3], sids[2], sids[1]]
    assert [one.sid for one in second.previous_page()] == [sids[6], sids[5], sids[4]]
    last = second.next_page()
    assert [one.sid for one in last] == [sids[0]]
    assert last.next_page_url is None
    assert [one.sid for one in last.previous_page()] == [sids[3], sids[2], sids[1]]


def test_messages_that_arrive_while_pages_are_read_do_not_shift_them(sdk: Client) -> None:
    sids = [sdk.messages.create(to=TO, from_=FROM, body=str(n)).sid for n in range(4)]
    page = sdk.messages.page(page_size=2)
    assert [one.sid for one in page] == [sids[3], sids[2]]
    sdk.messages.create(to=TO, from_=FROM, body="newer")
    assert [one.sid for one in page.next_page()] == [sids[1], sids[0]]


def test_a_message_still_on_its_way_can_be_neither_deleted_nor_redacted(sdk: Client) -> None:
    sid = sdk.messages.create(to=TO, from_=FROM, body="Hello").sid
    for action in (sdk.messages(sid).delete, lambda: sdk.messages(sid).update(body="")):
        error = refused(action)
        assert (error.status, error.code) == (409, 20009)


def test_a_delivered_message_is_redacted_and_deleted(sdk: Client, emulator: Emulator, server: ServerInThread) -> None:
    sid = sdk.messages.create(to=TO, from_=FROM, body="Hello").sid
    server.call(emulator.clock.advance, 5)
    assert sdk.messages(sid).update(body="").body == ""
    assert sdk.messages(sid).fetch().body == ""
    assert sdk.messages(sid).delete() is True
    assert refused(sdk.messages(sid).fetch).code == 20404
    assert sdk.messages.list() == []


def test_a_scheduled_message_is_canceled_and_never_sent(
    sdk: Client, emulator: Emulator, server: ServerInThread
) -> None:
    message = sdk.messages.create(
        to=TO,
        messaging_service_sid="MG" + "1" * 32,
        body="Later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert message.status == "scheduled"
    assert sdk.messages(message.sid).update(status="canceled").status == "canceled"
    server.call(emulator.clock.advance, 7200)
    assert sdk.messages(message.sid).fetch().status == "canceled"
    error = refused(lambda: sdk.messages(message.sid).update(status="canceled"))
    assert (error.status, error.code) == (400, 30409)


def test_a_scheduled_message_goes_out_at_its_time(sdk: Client, emulator: Emulator, server: ServerInThread) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    sid = sdk.messages.create(
        to=TO, messaging_service_sid="MG" + "1" * 32, body="Later", schedule_type="fixed", send_at=at
    ).sid
    server.call(emulator.clock.advance, 3500)
    assert sdk.messages(sid).fetch().status == "scheduled"
    server.call(emulator.clock.advance, 110)
    sent = sdk.messages(sid).fetch()
    assert sent.status == "delivered"
    assert abs(sent.date_sent - at) < timedelta(seconds=5)


def test_media_are_listed_fetched_and_deleted(sdk: Client) -> None:
    message = sdk.messages.create(to=TO, from_=FROM, media_url=["https://example.com/a.png", "https://example.com/b"])
    assert message.sid.startswith("MM")
    assert message.num_media == "2"
    media = sdk.messages(message.sid).media.list()
    assert [(one.content_type, one.parent_sid) for one in media] == [
        ("image/png", message.sid),
        ("image/jpeg", message.sid),
    ]
    assert sdk.messages(message.sid).media(media[0].sid).fetch().sid == media[0].sid
    assert sdk.messages(message.sid).media(media[0].sid).delete() is True
    assert [one.sid for one in sdk.messages(message.sid).media.list(page_size=1)] == [media[1].sid]
    assert refused(sdk.messages(message.sid).media(media[0].sid).fetch).code == 20404


def test_feedback_is_noted(sdk: Client) -> None:
    message = sdk.messages.create(to=TO, from_=FROM, body="x", provide_feedback=True)
    assert "feedback" in message.subresource_uris
    assert sdk.messages(message.sid).feedback.create(outcome="confirmed").outcome == "confirmed"
    assert refused(lambda: sdk.messages(message.sid).feedback.create(outcome="perhaps")).code == 20001


# The SDK's own use of aiohttp.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
async def test_the_asynchronous_sdk_sends_fetches_lists_and_deletes(
    emulator: Emulator, server: ServerInThread, async_client_type: Any
) -> None:
    async with async_client_type() as http_client:
        client = Client(ACCOUNT_SID, "token", http_client=http_client)
        sent = [(await client.messages.create_async(to=TO, from_=FROM, body=str(n))).sid for n in range(5)]
        listed = [one.sid for one in await client.messages.list_async(page_size=2)]
        server.call(emulator.clock.advance, 5)
        deleted = await client.messages(sent[0]).delete_async()
        assert (await client.messages(sent[1]).fetch_async()).status == "delivered"
    assert listed == sent[::-1]
    assert deleted
    assert len(emulator.messages) == 4


def test_every_parameter_of_the_sdk_leads_to_an_input_or_is_said_not_to_be_needed() -> None:
    schema = load_component(manifest_file()).actions["sendSMS"].inputs
    names = inspect.signature(MessageList.create).parameters.keys() - {"self"} - schema["properties"].keys()
    with pytest.raises(InputError) as caught:
        InputForm(schema).validate(dict.fromkeys(names, "x"))
    said = {problem.path.removeprefix("$.inputs."): problem.message for problem in caught.value.problems}
    assert {name for name in names if "did you mean '" not in said[name]} == {"schedule_type", "max_price"}
    assert said["schedule_type"].startswith("is not known; leave it out, since a message with sendAt is scheduled (")
    assert "did you mean 'message'?" in said["body"]
