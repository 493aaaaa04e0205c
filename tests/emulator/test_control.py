"""The emulator's own HTTP API, for tests in other languages."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest

TO, FROM = "+15558675310", "+15017122661"
CONTROL = "/_emulator"


def test_the_state_says_what_there_is(api: Any, emulator: Emulator) -> None:
    api.send()
    emulator.faults.drop(times=None, to=TO)
    state = api.request("GET", CONTROL).json()
    assert state["messages"] == 1
    assert state["accounts"] == ["AC" + "0" * 31 + "1"]
    assert state["faults"][0] | {"fault": "drop", "to": TO, "times": None, "hits": 0} == state["faults"][0]
    assert state["now"] == pytest.approx(emulator.clock.now(), abs=5)


def test_messages_are_listed_with_their_history(api: Any) -> None:
    api.send()
    api.send(To="+15550000001")
    assert api.request("POST", f"{CONTROL}/clock", json={"advance": 5}).status_code == 200
    (message,) = api.request("GET", f"{CONTROL}/messages", params={"to": TO}).json()["messages"]
    assert [one["status"] for one in message["history"]] == ["queued", "sending", "sent", "delivered"]
    assert api.request("GET", f"{CONTROL}/messages?direction=inbound").json() == {"messages": []}


@pytest.mark.parametrize("channel", ["", "whatsapp:"])
def test_a_plus_that_a_query_does_not_encode_is_understood(api: Any, channel: str) -> None:
    api.send(To=channel + TO, From=channel + FROM)
    query = f"to={channel}{TO}&from={channel}{FROM}"
    (message,) = api.request("GET", f"{CONTROL}/messages?{query}").json()["messages"]
    assert message["to"] == channel + TO


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("faults", {"fault": "drop"}), ("delivery-rules", {"ending": "sent"})],
)
def test_what_is_not_switched_on_cannot_be_removed(api: Any, path: str, wanted: dict[str, Any]) -> None:
    number = api.request("POST", f"{CONTROL}/{path}", json=wanted).json()["number"]
    answer = api.request("DELETE", f"{CONTROL}/{path}?number={number + 7}")
    assert (answer.status_code, f"{number + 7}: it never was" in answer.json()["error"]) == (404, True)
    assert api.request("DELETE", f"{CONTROL}/{path}?number={number}").status_code == 204
    assert "there is none" in api.request("DELETE", f"{CONTROL}/{path}?number={number}").json()["error"]


def test_python_refuses_what_can_never_work_as_the_control_api_does(emulator: Emulator) -> None:
    faults = emulator.faults
    for attempt, words in (
        (lambda: faults.cut_off(share=5), "share"),
        (lambda: faults.slow(seconds=-1), "seconds"),
        (lambda: faults.slow(pieces=0), "pieces"),
        (lambda: faults.api_error(99_999_999), "five or six digits"),
        (lambda: faults.rate_limit(times=0), "times has to be 1 or more"),
        (lambda: faults.drop(to="5558675310"), "Twilio keeps this address as .15558675310"),
        (lambda: emulator.lifecycle.delay(-3), "0 seconds or more"),
        (lambda: emulator.add_number("123"), "short code of five or six digits"),
        (lambda: emulator.add_number(FROM, sms_url="ftp://x"), "sms_url has to be empty or a URL"),
        (lambda: emulator.add_number(FROM, sms_method="PUT"), "sms_method has to be GET or POST"),
    ):
        with pytest.raises(ValueError, match=words):
            attempt()
    assert faults.active == []


def test_a_fault_meets_a_recipient_however_the_request_writes_it(api: Any, emulator: Emulator) -> None:
    emulator.faults.rate_limit(to=TO)
    form = {"To": "(555) 867-5310", "From": FROM, "Body": "Hello"}
    assert api.request("POST", api.path, data=form).status_code == 429


def test_an_inbound_message_is_played(api_of: Any) -> None:
    emulator = Emulator(webhooks=lambda _: Response(204))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api = api_of(emulator)
    media = [{"contentType": "image/gif", "content": base64.b64encode(b"GIF").decode()}]
    wanted = {"to": FROM, "from": TO, "body": "Hi", "media": media, "parameters": {"ProfileName": "Ada"}}
    answer = api.request("POST", f"{CONTROL}/inbound", json=wanted).json()
    assert (answer["status"], answer["num_media"]) == ("received", "1")
    (webhook,) = api.request("GET", f"{CONTROL}/webhooks").json()["webhooks"]
    assert ["ProfileName", "Ada"] in webhook["parameters"]
    assert (webhook["kind"], webhook["answer"]["status"], webhook["error"]) == ("inbound", 204, None)
    assert api.request("GET", f"{CONTROL}/webhooks", params={"after": webhook["number"]}).json() == {"webhooks": []}


def test_who_does_not_wait_for_the_application_gets_the_message_at_once(api_of: Any) -> None:
    asked: list[str] = []

    def refuse(request: WebhookRequest) -> Response:
        asked.append(request.url)
        return Response(503)

    emulator = Emulator(webhooks=refuse)
    emulator.webhooks.retry_waits = ()
    emulator.add_number(FROM, sms_url="http://app.test/sms#rc=2&rp=all")
    api = api_of(emulator)
    waited = api.request("POST", f"{CONTROL}/inbound", json={"to": FROM, "from": TO}).json()
    assert (len(asked), "did not take it" in waited["warning"]) == (3, True)
    at_once = api.request("POST", f"{CONTROL}/inbound", json={"to": FROM, "from": TO, "wait": False}).json()
    assert (len(asked), at_once["status"], "warning" in at_once) == (3, "received", False)
    api.request("POST", f"{CONTROL}/clock", json={"advance": 0})
    assert len(asked) == 6


def test_an_inbound_message_names_its_account_where_there_are_several(api: Any, emulator: Emulator) -> None:
    accounts = [emulator.accounts.declare() for _ in range(2)]
    wanted = {"to": FROM, "from": TO, "body": "Hi", "accountSid": accounts[1].sid}
    assert api.request("POST", f"{CONTROL}/inbound", json=wanted).json()["account_sid"] == accounts[1].sid


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"fault": "rateLimit", "retryAfter": 2}, 429),
        ({"fault": "serverError", "status": 503, "accepted": True}, 503),
        ({"fault": "html", "status": 502}, 502),
        ({"fault": "serverError", "operation": "messages.create", "to": TO, "from": FROM, "body": "Hel"}, 500),
        ({"fault": "slow", "seconds": 1}, 201),
    ],
)
def test_faults_are_switched_on_for_so_many_requests(api: Any, wanted: dict[str, Any], status: int) -> None:
    assert api.request("POST", f"{CONTROL}/faults", json={**wanted, "times": 1}).json()["number"] == 1
    assert len(api.request("GET", f"{CONTROL}/faults").json()["faults"]) == 1
    form = {"To": TO, "From": FROM, "Body": "Hello"}
    assert api.request("POST", api.path, data=form).status_code == status
    assert api.request("POST", api.path, data=form).status_code == 201
    (record, _) = api.request("GET", f"{CONTROL}/requests").json()["requests"]
    assert record["answer"]["status"] == status
    assert record["fault"] is not None
    assert "authorization" not in record["headers"]


def test_lists_lag_and_pages_shift_until_all_faults_are_cleared(api: Any, emulator: Emulator) -> None:
    assert api.request("POST", f"{CONTROL}/faults", json={"fault": "lagLists", "seconds": 9}).status_code == 204
    assert api.request("POST", f"{CONTROL}/faults", json={"fault": "shiftPages", "records": 2}).status_code == 204
    assert (emulator.faults.list_lag, emulator.faults.page_shift) == (9, 2)
    assert api.request("DELETE", f"{CONTROL}/faults").status_code == 204
    assert (emulator.faults.list_lag, emulator.faults.page_shift) == (0, 0)


def test_callbacks_are_doubled_and_swapped_on_request(api: Any, emulator: Emulator) -> None:
    api.request("POST", f"{CONTROL}/faults", json={"fault": "doubleCallbacks", "times": 2, "to": TO})
    api.request("POST", f"{CONTROL}/faults", json={"fault": "swapCallbacks"})
    assert (emulator.faults.doubled_callbacks[0].times, emulator.faults.doubled_callbacks[0].to) == (2, TO)
    assert emulator.faults.swapped_callbacks[0].times == 1


def test_delivery_rules_decide_how_messages_end(api: Any) -> None:
    rule = {"ending": "undelivered", "code": 30006, "to": TO, "times": 1}
    assert api.request("POST", f"{CONTROL}/delivery-rules", json=rule).json() == {"number": 1}
    assert api.request("POST", f"{CONTROL}/delivery-rules", json={"ending": "failed", "body": "lottery"}).json() == {
        "number": 2
    }
    shown = api.request("GET", f"{CONTROL}/delivery-rules").json()["deliveryRules"]
    assert [(one["ending"], one["code"]) for one in shown] == [("failed", 30008), ("undelivered", 30006)]
    message = api.send()
    api.advance(5)
    assert api.fetch(message)["error_code"] == 30006
    assert api.request("DELETE", f"{CONTROL}/delivery-rules?number=2").status_code == 204
    assert [one["number"] for one in api.request("GET", f"{CONTROL}/delivery-rules").json()["deliveryRules"]] == [1]
    assert api.request("DELETE", f"{CONTROL}/delivery-rules").status_code == 204
    assert api.request("GET", f"{CONTROL}/delivery-rules").json() == {"deliveryRules": []}


def test_a_message_is_delivered_late_on_request(api: Any) -> None:
    api.request("POST", f"{CONTROL}/delivery-rules", json={"ending": "delivered", "delay": 60, "times": 1})
    late, usual = api.send(), api.send()
    api.advance(5)
    assert (api.fetch(late)["status"], api.fetch(usual)["status"]) == ("sent", "delivered")
    api.advance(60)
    assert api.fetch(late)["status"] == "delivered"


def test_a_failure_may_be_late_too(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.add_rule("failed", 30001, delay=60, times=1)
    message = api.send()
    api.advance(5)
    assert api.fetch(message)["status"] == "queued"
    api.advance(60)
    assert api.fetch(message)["status"] == "failed"


def test_one_fault_is_taken_back_by_its_number(api: Any) -> None:
    first, second = (
        api.request("POST", f"{CONTROL}/faults", json={"fault": "rateLimit", "times": 3}).json()["number"]
        for _ in range(2)
    )
    assert api.request("DELETE", f"{CONTROL}/faults", params={"number": first}).status_code == 204
    assert [one["number"] for one in api.request("GET", f"{CONTROL}/faults").json()["faults"]] == [second]


def test_accounts_numbers_timings_and_a_fresh_start(api: Any, emulator: Emulator) -> None:
    key = {"SK" + "1" * 32: "secret"}
    parent = api.request("POST", f"{CONTROL}/accounts", json={"authToken": "t", "apiKeys": key}).json()["sid"]
    child = api.request("POST", f"{CONTROL}/accounts", json={"authToken": "u", "parentSid": parent}).json()["sid"]
    assert emulator.accounts.get(child).owner_sid == parent
    number = {"number": FROM, "accountSid": child, "smsUrl": "http://127.0.0.1/sms"}
    assert api.request("POST", f"{CONTROL}/numbers", json=number).json()["sms_url"] == "http://127.0.0.1/sms"
    assert api.request("POST", f"{CONTROL}/timings", json={"queued": 9}).status_code == 204
    assert emulator.lifecycle.durations.queued == 9
    assert api.request("POST", f"{CONTROL}/reset", json={}).status_code == 204
    assert api.request("GET", CONTROL).json()["accounts"] == []


def test_webhooks_are_signed_with_a_shared_key_until_it_is_taken_away(api_of: Any) -> None:
    emulator = Emulator(webhooks=lambda _: Response(204))
    account = emulator.accounts.declare()
    other = emulator.accounts.declare()
    emulator.add_number(FROM, account=account, sms_url="http://app.test/sms")
    api = api_of(emulator)

    def sent() -> Any:
        wanted = {"to": FROM, "from": TO, "accountSid": account.sid}
        api.request("POST", f"{CONTROL}/inbound", json=wanted)
        return api.request("GET", f"{CONTROL}/webhooks").json()["webhooks"][-1]["headers"]

    header = "X-Twilio-Webhooks-Signature-Settings"
    wanted = {"id": "webhooks_sharedkey_1", "secret": "s", "accountSid": account.sid}
    answer = api.request("POST", f"{CONTROL}/sharedKeys", json=wanted).json()
    assert answer == {"id": "webhooks_sharedkey_1", "secret": "s"}
    assert sent()[header] == "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    assert other.shared_key is None
    made = api.request("POST", f"{CONTROL}/sharedKeys", json={"accountSid": account.sid}).json()
    assert account.shared_key == (made["id"], made["secret"])
    assert made["id"].startswith("webhooks_sharedkey_")
    gone = api.request("DELETE", f"{CONTROL}/sharedKeys", params={"accountSid": account.sid})
    assert gone.status_code == 204
    assert header not in sent()


@pytest.mark.parametrize(
    ("path", "wanted", "words"),
    [
        ("sharedKeys", {"key": "k"}, "a shared key has no key; it has id, secret, accountSid"),
        ("faults", {"fault": "earthquake"}, "there is no fault 'earthquake'; there are rateLimit"),
        ("faults", {"fault": "drop", "timse": 2}, "drop has no timse; it has accepted"),
        ("faults", {"fault": "drop", "operation": "messages.send"}, "no operation 'messages.send'; there is messages."),
        ("delivery-rules", {"ending": "delivered", "code": 30003}, "a message that ends as delivered has no code"),
        ("delivery-rules", {"ending": "failed", "code": 99999999}, "a code of Twilio has five or six digits"),
        ("delivery-rules", {"ending": "failed", "to": "15558675310"}, "Twilio keeps this address as +15558675310"),
        ("delivery-rules", {"ending": "failed", "from": "?"}, "sender: no message has such an address"),
        ("delivery-rules", {"ending": "eaten"}, "a message does not end as 'eaten'"),
        ("delivery-rules", {"ending": "delivered", "delay": -1}, "late by 0 seconds or more, not by -1"),
        ("inbound", {"from": TO}, "to is required"),
        ("inbound", {"to": FROM, "from": "+0"}, "The 'From' number +0 is not a valid phone number"),
        ("inbound", {"to": FROM, "from": TO, "media": [{"contentType": "a", "content": "?"}]}, "base64"),
        ("inbound", {"to": FROM, "from": TO, "media": [{}]}, "contentType"),
        ("clock", {}, "advance"),
        ("clock", {"advance": -1}, "forward only"),
        ("clock", {"advance": "soon"}, 'advance has to be a number, not "soon"'),
        ("clock", {"advance": True}, "advance has to be a number, not true"),
        ("clock", {"advance": 1, "by": 1}, "the clock has no by; it has advance"),
        ("timings", {"queued": -1}, "queued has to be 0 or more, not -1"),
        ("timings", {"queued": "fast"}, 'queued has to be a number, not "fast"'),
        ("inbound", {"to": FROM, "from": TO, "buton": {}}, "an inbound message has no buton; it has to, from, body"),
        ("inbound", {"to": FROM, "from": TO, "body": 5}, "body has to be a text, not 5"),
        ("inbound", {"to": FROM, "from": TO, "accountSid": "AC1"}, "accountSid: there is no account 'AC1'"),
        ("faults", {"fault": "rateLimit", "times": "many"}, 'times has to be an integer or null, not "many"'),
        ("faults", {"fault": "rateLimit", "times": 0}, "times has to be 1 or more, not 0"),
        ("faults", {"fault": "slow", "seconds": "x"}, 'seconds has to be a number, not "x"'),
        ("faults", {"fault": "lagLists"}, "seconds is required, as a number"),
        ("faults", {"fault": "apiError"}, "code is required, as an integer"),
        ("delivery-rules", {"ending": "failed", "code": "x"}, 'code has to be an integer, not "x"'),
        ("delivery-rules", {"ending": "failed", "colour": 1}, "a delivery rule has no colour; it has ending, code"),
        ("numbers", {"number": "4321"}, "number has to be one such as +15017122661, or a short code of five or six"),
        ("numbers", {"number": FROM, "smsUrl": "mailto:x"}, "smsUrl has to be empty or a URL that begins with http"),
        ("numbers", {"number": FROM, "smsFallbackMethod": "DELETE"}, "smsFallbackMethod has to be GET or POST, not"),
        ("faults", {"fault": "drop", "to": "+1 555 867 5310"}, "to: Twilio keeps this address as +15558675310"),
        ("faults", {"fault": "doubleCallbacks", "from": "?"}, "sender: no message has such an address"),
        ("faults", {"fault": "cutOff", "share": 1}, "share is a part of the body, from 0 to less than 1"),
        ("faults", {"fault": "apiError", "code": 404}, "a code of Twilio has five or six digits, unlike 404"),
        ("faults", {"fault": "html", "status": 42}, "the status of a page is 200 to 599, not 42"),
        ("lookups", {"sim_swap": {}}, "number is required"),
        ("webhooks", {"url": "ftp://x"}, "url has to begin with http:// or https://"),
        ("webhooks", {"url": "http://x/", "method": "PUT"}, "method has to be GET or POST, not 'PUT'"),
        ("webhooks", {"url": "http://x/", "parameters": [1]}, "parameters has to be an object, not [1]"),
        ("reset", {"really": True}, "this has no really; it has no arguments"),
        ("timings", {"dreaming": 1}, "no message waits in the status 'dreaming'"),
        ("accounts", {}, "authToken is required"),
        ("accounts", {"authToken": "t", "sid": "AC1"}, "32 hexadecimal digits"),
        ("accounts", {"authToken": "t", "apiKeys": {"SK1": "s"}}, "32 hexadecimal digits"),
        ("numbers", {"number": FROM, "smsurl": "x"}, "a number has no smsurl; it has smsUrl"),
    ],
)
def test_a_wrong_request_is_explained(api: Any, path: str, wanted: dict[str, Any], words: str) -> None:
    answer = api.request("POST", f"{CONTROL}/{path}", json=wanted)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_paths_methods_and_types_that_are_not_there_are_explained(api: Any) -> None:
    assert "there are , accounts" in api.request("GET", f"{CONTROL}/nothing").json()["error"]
    assert api.request("PUT", f"{CONTROL}/faults").json() == {"error": "/_emulator/faults has GET, POST, DELETE"}
    # What a page of another site could send without being allowed to.
    assert "application/json" in api.request("POST", f"{CONTROL}/reset", data={"a": "b"}).json()["error"]
    assert "object" in api.request("POST", f"{CONTROL}/reset", json=[]).json()["error"]
    nonsense = api.request("POST", f"{CONTROL}/clock", content=b"{", headers={"content-type": "application/json"})
    assert nonsense.json()["error"].startswith("the body has to be JSON: ")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("messages?to=5558675310", "to: Twilio keeps this address as +15558675310; write it like that"),
        ("messages?direction=out", "direction is one of inbound, outbound-api, outbound-reply, not 'out'"),
        ("messages?form=1", "the list of messages has no form; it has to, from, direction"),
        ("requests?after=x", 'after has to be an integer, not "x"'),
        ("requests/x", 'number has to be an integer, not "x"'),
        ("errors?code=1", "this has no code; it has no arguments"),
    ],
)
def test_a_wrong_query_is_explained(api: Any, path: str, words: str) -> None:
    answer = api.request("GET", f"{CONTROL}/{path}")
    assert (answer.status_code, answer.json()["error"]) == (400, words)


def test_a_path_without_its_json_is_explained(api: Any) -> None:
    answer = api.request("GET", api.path.removesuffix(".json"))
    assert (answer.status_code, "add .json to" in answer.json()["message"]) == (501, True)
    # It refers to where an installed emulator has its limits, not to a file of the repository.
    limits = api.request("GET", answer.json()["more_info"]).json()["notEmulated"]
    assert any(sentence.startswith("XML responses") for sentence in limits)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(403), "POST http://app.test/sms: 11200: HTTP 403"),
        (Response(200, b"<Response>", {"Content-Type": "text/xml"}), "POST http://app.test/sms: 12100: "),
    ],
)
def test_an_application_that_refuses_an_inbound_message_is_a_warning(
    api_of: Any, response: Response, reason: str
) -> None:
    responses = iter([response, Response(204)])
    emulator = Emulator(webhooks=lambda _: next(responses))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api = api_of(emulator)

    refused = api.request("POST", f"{CONTROL}/inbound", json={"to": FROM, "from": TO}).json()
    accepted = api.request("POST", f"{CONTROL}/inbound", json={"to": FROM, "from": TO}).json()

    assert refused["warning"].startswith(f"the application did not take it: {reason}")
    assert "warning" not in accepted


def test_a_number_that_is_added_again_keeps_its_sid_and_gets_the_settings() -> None:
    asked: list[str] = []

    def note(request: WebhookRequest) -> Response:
        asked.append(request.url)
        return Response(204)

    emulator = Emulator(webhooks=note)
    first = emulator.add_number(FROM, sms_url="http://app.test/first")
    second = emulator.add_number(FROM, sms_url="http://app.test/second")
    asyncio.run(emulator.receive(to=FROM, sender=TO, body="Hi"))

    assert second is first
    assert asked == ["http://app.test/second"]


def test_a_fault_is_shown_by_the_name_by_which_it_was_switched_on(api: Any) -> None:
    for name in ("rateLimit", "cutOff", "drop"):
        api.request("POST", f"{CONTROL}/faults", json={"fault": name})
    assert [one["fault"] for one in api.request("GET", f"{CONTROL}/faults").json()["faults"]] == [
        "rateLimit",
        "cutOff",
        "drop",
    ]
