"""Conversations over HTTP: who talks to whom, what is in it, and what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.emulator.control.conversations import Pair
from twilio_component.emulator.model.message import Message

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

TO, FROM, OTHER = "+15558675310", "+15017122661", "+15550000001"
ACCOUNT_SID = "AC" + "0" * 31 + "1"
CONVERSATION = f"{ACCOUNT_SID}/{FROM}/{TO}"


def listed(api: Any, **query: Any) -> Any:
    return api.request("GET", "/_emulator/conversations", params=query).json()


def shown(api: Any, **query: Any) -> Any:
    return api.request("GET", "/_emulator/conversation", params={"id": CONVERSATION, **query}).json()


def bodies(answer: Any) -> list[str]:
    return [item["body"] for item in answer["items"]]


def test_both_directions_of_a_pair_are_one_conversation_and_the_newest_goes_first(api: Any) -> None:
    api.send()
    api.send(To=OTHER, Body="To another")
    api.receive("A reply")
    answer = listed(api)
    assert answer["total"] == 2
    first, second = answer["conversations"]
    assert (first["id"], first["number"], first["phone"]) == (CONVERSATION, FROM, TO)
    assert (first["count"], first["last"]["body"], second["last"]["body"]) == (2, "A reply", "To another")
    assert bodies(shown(api)) == ["Hello", "A reply"]


def test_the_list_is_read_in_parts(api: Any) -> None:
    for number in range(5):
        api.send(To=f"+1555000000{number}")
    parts = [listed(api, offset=offset, limit=2)["conversations"] for offset in (0, 2, 4, 6)]
    assert [[one["phone"][-1] for one in part] for part in parts] == [["4", "3"], ["2", "1"], ["0"], []]
    assert listed(api, limit=1)["total"] == 5


def test_a_long_conversation_is_read_in_parts_from_its_end_and_from_any_place(api: Any) -> None:
    sids = [api.send(Body=f"{number}")["sid"] for number in range(7)]
    newest = shown(api, limit=3)
    assert (bodies(newest), newest["older"], newest["newer"]) == (["4", "5", "6"], True, False)
    before = shown(api, limit=3, before=sids[4])
    assert (bodies(before), before["older"], before["newer"]) == (["1", "2", "3"], True, True)
    first = shown(api, limit=3, before=sids[1])
    assert (bodies(first), first["older"], first["newer"]) == (["0"], False, True)
    after = shown(api, limit=3, after=sids[1])
    assert (bodies(after), after["older"], after["newer"]) == (["2", "3", "4"], True, True)


def test_refused_attempts_are_part_of_the_conversation(api: Any, emulator: Emulator) -> None:
    api.send()
    api.receive("STOP")
    assert api.send(Body="One more thing")["code"] == 21610
    answer = shown(api)
    assert [item["kind"] for item in answer["items"]] == ["message", "message", "message", "refusal"]
    refusal = answer["items"][-1]
    assert (refusal["status"], refusal["body"]) == (400, "One more thing")
    assert refusal["error"]["code"] == 21610
    assert refusal["error"]["link"] == "https://www.twilio.com/docs/errors/21610"
    assert answer["optedOut"]
    (line,) = listed(api)["conversations"]
    assert (line["optedOut"], line["failures"], line["last"]["kind"]) == (True, 1, "refusal")
    api.receive("START")
    assert not shown(api)["optedOut"]
    assert len(emulator.messages) == 5


def test_who_opted_out_of_a_service_has_opted_out_of_its_numbers(api: Any, emulator: Emulator) -> None:
    number = emulator.add_number(FROM)
    emulator.add_service("Alerts", [number])
    api.receive("STOP")
    assert shown(api)["optedOut"]


def test_a_conversation_of_an_unknown_account_is_empty(api: Any) -> None:
    answer = shown(api, id=f"AC{'9' * 32}/{FROM}/{TO}")
    assert (answer["items"], answer["optedOut"], answer["count"]) == ([], False, 0)


@pytest.mark.parametrize("status", [429, 500])
def test_a_send_that_a_fault_kept_from_happening_is_shown_as_refused(api: Any, emulator: Emulator, status: int) -> None:
    if status == 429:
        emulator.faults.rate_limit()
    else:
        emulator.faults.server_error()
    api.send()
    (refusal,) = shown(api)["items"]
    assert (refusal["kind"], refusal["status"], refusal["fault"]) == (
        "refusal",
        status,
        "rate_limit" if status == 429 else "server_error",
    )


def test_a_send_whose_answer_was_lost_on_the_way_in_has_no_status(api: Any, emulator: Emulator) -> None:
    emulator.faults.drop()
    with pytest.raises(Exception, match="disconnected"):
        api.send()
    (refusal,) = shown(api)["items"]
    assert (refusal["status"], refusal["error"]) == ("dropped", None)


def test_a_message_whose_answer_was_lost_is_a_message(api: Any, emulator: Emulator) -> None:
    emulator.faults.server_error(accepted=True)
    api.send()
    (item,) = shown(api)["items"]
    assert (item["kind"], item["status"]) == ("message", "queued")


def test_an_attempt_without_a_recipient_belongs_to_no_conversation(api: Any, emulator: Emulator) -> None:
    assert api.send(To="")["code"] == 21604
    assert listed(api) == {"total": 0, "conversations": []}
    (record,) = emulator.request_log.requests
    item = api.request("GET", f"/_emulator/requests/{record.number}").json()["item"]
    assert (item["conversation"], item["error"]["code"]) == (None, 21604)


def test_addresses_of_refused_attempts_are_tidied_as_those_of_messages(api: Any, emulator: Emulator) -> None:
    emulator.faults.rate_limit(times=2)
    api.send(To="(555) 867-5310")
    api.send(To="nobody")
    assert [one["phone"] for one in listed(api)["conversations"]] == ["nobody", TO]


@pytest.mark.parametrize(
    ("form", "channel"),
    [
        ({"To": f"whatsapp:{TO}", "From": f"whatsapp:{FROM}"}, "whatsapp"),
        ({"To": TO, "From": "rcs:brand_agent"}, "rcs"),
        ({"To": "messenger:1234", "From": "messenger:5678"}, "messenger"),
        ({}, None),
    ],
)
def test_channels_are_marked(api: Any, form: dict[str, str], channel: str | None) -> None:
    api.send(**form)
    (line,) = listed(api)["conversations"]
    assert line["channel"] == channel
    (item,) = api.request("GET", "/_emulator/conversation", params={"id": line["id"]}).json()["items"]
    assert (item["segmentation"] is None) is (channel is not None)


def test_a_services_messages_belong_to_the_number_that_it_chose(api: Any, emulator: Emulator) -> None:
    number = emulator.add_number(FROM)
    service = emulator.add_service("Alerts", [number])
    api.send(From="", MessagingServiceSid=service.sid)
    assert [item["status"] for item in shown(api)["items"]] == ["accepted"]
    api.advance(1)
    assert len(shown(api)["items"]) == 1


def test_a_refused_attempt_through_a_service_is_found_under_the_service(api: Any, emulator: Emulator) -> None:
    service = emulator.add_service("Alerts", [])
    assert api.send(From="", MessagingServiceSid=service.sid)["code"] == 21703
    assert [one["number"] for one in listed(api)["conversations"]] == [service.sid]


@pytest.mark.parametrize("search", ["PIZZA", TO, "8675310", "undelivered", "30003"])
def test_search_finds_texts_numbers_states_and_codes_in_any_case(api: Any, emulator: Emulator, search: str) -> None:
    emulator.lifecycle.undeliver(30003, to=TO)
    sid = api.send(Body="One pizza, please")["sid"]
    api.send(To=OTHER, Body="Nothing here")
    api.advance(5)
    assert [one["phone"] for one in listed(api, search=search)["conversations"]] == [TO]
    assert [one["key"] for one in shown(api, search=search)["items"]] == [sid]
    assert listed(api, search=sid[-8:])["total"] == 1
    assert listed(api, search="nowhere")["total"] == 0


def test_search_in_a_conversation_leaves_out_the_rest(api: Any) -> None:
    for word in ("one", "two", "one more"):
        api.send(Body=word)
    assert bodies(shown(api, search="one")) == ["one", "one more"]
    assert listed(api, search="two")["conversations"][0]["count"] == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("conversation", "id is required"),
        ("conversation?id=nonsense", "named account/number/phone, not 'nonsense'"),
        (f"conversation?id={CONVERSATION}&limit=0", "limit is 1 to 200, not 0"),
        (f"conversation?id={CONVERSATION}&limit=many", 'limit has to be an integer, not "many"'),
        (f"conversation?id={CONVERSATION}&before=SM1", "there is no SM1 in this conversation"),
    ],
)
def test_a_wrong_question_is_explained(api: Any, path: str, words: str) -> None:
    answer = api.request("GET", f"/_emulator/{path.replace('+', '%2B')}")
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize("parts", [("AC1", "a/b", "c d"), ("AC1", "%2F", "é\u202e"), ("AC1", FROM, f"whatsapp:{TO}")])
def test_the_name_of_a_conversation_leads_back_to_its_pair(parts: tuple[str, str, str]) -> None:
    assert Pair.parse(Pair(*parts).id) == Pair(*parts)


def test_clearing_keeps_numbers_opt_outs_and_faults(api: Any, emulator: Emulator) -> None:
    emulator.add_number(FROM)
    emulator.faults.rate_limit(operation="messages.list")
    api.send()
    api.receive("STOP")
    assert api.request("DELETE", "/_emulator/messages").status_code == 204
    assert listed(api) == {"total": 0, "conversations": []}
    assert (emulator.messages, list(emulator.request_log.requests), emulator.clock.pending) == ([], [], 0)
    assert len(emulator.faults.active) == 1
    assert [one["number"] for one in api.request("GET", "/_emulator/numbers").json()["numbers"]] == [FROM]
    assert api.send()["code"] == 21610


def test_ten_thousand_messages_are_grouped_in_a_moment(api: Any, emulator: Emulator) -> None:
    log = emulator.accounts.get(ACCOUNT_SID).messages
    for number in range(10_000):
        log.append(
            Message(f"SM{number:032x}", ACCOUNT_SID, f"+1555{number % 1000:07}", FROM, "x", "queued", 1.7e9 + number)
        )
    answer = listed(api, limit=200)
    assert (answer["total"], len(answer["conversations"])) == (1000, 200)
    assert answer["conversations"][0]["phone"] == "+15550000999"
