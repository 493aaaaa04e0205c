"""What is behind a message: its requests and webhooks, and each of them as a line for the shell."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.emulator.control import curl, views
from twilio_component.emulator.http import Request, Response
from twilio_component.emulator.request_log import RequestRecord

TO, FROM = "+15558675310", "+15017122661"
ACCOUNT_SID = "AC" + "0" * 31 + "1"


def behind(api: Any, sid: str) -> Any:
    return api.request("GET", f"/_emulator/messages/{sid}").json()


def test_the_request_and_the_webhooks_behind_a_message_are_shown(api_of: Any) -> None:
    api = api_of(Emulator(webhooks=lambda _: Response(204)))
    sid = api.send(StatusCallback="http://app.test/status")["sid"]
    api.advance(5)
    shown = behind(api, sid)
    assert shown["item"]["status"] == "delivered"
    assert [one["status"] for one in shown["item"]["history"]] == ["queued", "sending", "sent", "delivered"]
    request, *webhooks = shown["exchanges"]
    assert (request["kind"], request["method"], request["answer"]["status"]) == ("request", "POST", 201)
    assert request["url"] == f"https://api.twilio.com{api.path}"
    assert ["Body", "Hello"] in request["parameters"]
    assert "authorization" not in request["headers"]
    assert [dict(one["parameters"])["MessageStatus"] for one in webhooks] == ["sending", "sent", "delivered"]
    assert all(one["headers"]["X-Twilio-Signature"] and one["answer"]["status"] == 204 for one in webhooks)
    assert [one["about"] for one in webhooks] == ["status"] * 3


def test_a_failure_is_explained_with_its_code_meaning_and_link(api: Any, emulator: Emulator) -> None:
    emulator.lifecycle.undeliver(30003)
    emulator.lifecycle.fail(99999, body="strange")
    known, strange = api.send()["sid"], api.send(Body="strange")["sid"]
    api.advance(5)
    error = behind(api, known)["item"]["error"]
    assert (error["code"], error["message"]) == (30003, "Unreachable destination handset")
    assert error["link"] == "https://www.twilio.com/docs/errors/30003"
    assert error["meaning"]
    assert error["remedy"]
    unknown = behind(api, strange)["item"]["error"]
    assert unknown == {"code": 99999, "message": "Unknown error", "meaning": None, "remedy": None, "link": None}


def test_segments_and_encoding_are_reported(api: Any) -> None:
    plain, foreign = api.send(Body="a" * 161)["sid"], api.send(Body="Naïve ☃")["sid"]
    assert behind(api, plain)["item"]["segmentation"] == {
        "encoding": "GSM-7",
        "segments": 2,
        "units": 161,
        "capacity": 153,
        "unicodeCharacters": [],
    }
    found = behind(api, foreign)["item"]["segmentation"]
    assert (found["encoding"], found["unicodeCharacters"]) == ("UCS-2", ["ï", "☃"])
    assert behind(api, api.send(MediaUrl="http://app.test/a.png")["sid"])["item"]["segmentation"] is None


def test_a_request_that_names_the_message_is_behind_it_but_not_one_that_quotes_it(api: Any) -> None:
    first = api.send()
    api.fetch(first)
    quoting = api.send(Body=f'{{"sid":"{first["sid"]}"}}')
    assert [one["operation"] for one in behind(api, first["sid"])["exchanges"]] == ["messages.create", "messages.fetch"]
    assert len(behind(api, quoting["sid"])["exchanges"]) == 1


def test_the_request_is_found_although_its_answer_was_spoilt(api: Any, emulator: Emulator) -> None:
    emulator.faults.server_error(accepted=True)
    assert api.send()["code"] == 20500
    (message,) = emulator.messages
    (request,) = behind(api, message.sid)["exchanges"]
    assert (request["fault"], request["answer"]["status"]) == ("server_error", 500)


def test_of_a_message_that_is_polled_without_end_only_the_newest_requests_are_shown(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_EXCHANGES", 3)
    message = api.send()
    for _ in range(5):
        api.fetch(message)
    shown = behind(api, message["sid"])["exchanges"]
    assert [one["number"] for one in shown] == [1, 5, 6]


def test_one_request_is_shown_by_its_number(api: Any) -> None:
    api.send()
    api.listed()
    shown = api.request("GET", "/_emulator/requests/2").json()
    assert shown["item"] is None
    assert [one["operation"] for one in shown["exchanges"]] == ["messages.list"]


@pytest.mark.parametrize("path", ["messages/SM1", "requests/99", "media/ME1", "nothing/at", "messages/a/b"])
def test_what_is_not_there_is_answered_with_404(api: Any, path: str) -> None:
    answer = api.request("GET", f"/_emulator/{path}")
    assert answer.status_code == 404
    assert "there is no" in answer.json()["error"]


def record(body: bytes = b"", *, authorization: str | None = None, **request: Any) -> RequestRecord:
    headers = {"authorization": authorization} if authorization else {}
    if "content_type" in request:
        headers["content-type"] = request.pop("content_type")
    made = Request(**{"method": "POST", "path": "/x.json", "headers": headers, "body": body, **request})
    return RequestRecord(1, 0.0, None, made, Response(200))


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def test_a_secret_that_was_presented_is_never_shown() -> None:
    key = "SK" + "2" * 32
    shown = [
        curl.of_request(record(authorization=basic(user, "a real secret"))) for user in (ACCOUNT_SID, key, "$(reboot)")
    ]
    assert "secret" not in "".join(shown)
    assert f'-u "{ACCOUNT_SID}:$TWILIO_AUTH_TOKEN"' in shown[0]
    assert f'-u "{key}:$TWILIO_API_SECRET"' in shown[1]
    assert "-u" not in shown[2]


def test_the_emulators_own_token_is_shown_as_it_is() -> None:
    shown = curl.of_request(record(authorization=basic(ACCOUNT_SID, "emulated-auth-token")))
    assert f"-u {ACCOUNT_SID}:emulated-auth-token" in shown


@pytest.mark.parametrize("authorization", ["Bearer abc", "Basic ?", "Basic /////w=="])
def test_credentials_that_are_none_are_left_out(authorization: str) -> None:
    assert "-u" not in curl.of_request(record(authorization=authorization))


HOSTILE = {"Body": "'; reboot; echo '$HOME `id` \\ \" \n\x00 \u202e ☃", "To": TO, "a b=c@d": "@/etc/passwd", "": "x"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="without curl")
def test_a_request_that_is_copied_does_the_same_again_whatever_it_says() -> None:
    emulator = Emulator()
    with emulator.serve_in_thread() as server:
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
        auth = (ACCOUNT_SID, "emulated-auth-token")
        httpx.post(f"{server.url}{path}?a=b%20c", data=HOSTILE | {"From": FROM}, auth=auth).raise_for_status()
        command = curl.of_request(emulator.request_log.requests[0])
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)
        again = emulator.request_log.requests[-1].request
        assert dict(again.form) == dict(emulator.request_log.requests[0].request.form)
        assert (again.query, again.method) == ("a=b%20c", "POST")
        bodies = [message.body for message in emulator.messages]
        assert bodies == [HOSTILE["Body"]] * 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="without curl")
def test_a_webhook_that_is_copied_carries_the_same_signature() -> None:
    application = Emulator()
    with application.serve_in_thread() as server:
        emulator = Emulator(webhooks=lambda _: Response(204))
        emulator.add_number(FROM, sms_url=f"{server.url}/hook?x=1")
        httpx.get(server.url)
        import asyncio

        asyncio.run(emulator.receive(to=FROM, sender=TO, body=HOSTILE["Body"]))
        (webhook,) = emulator.request_log.webhooks
        subprocess.run(["bash", "-c", curl.of_webhook(webhook)], check=True, capture_output=True)
        received = application.request_log.requests[-1].request
    assert received.headers["x-twilio-signature"] == webhook.headers["X-Twilio-Signature"]
    assert tuple(received.form) == webhook.parameters


def test_a_webhook_by_get_has_its_parameters_in_the_url(api_of: Any) -> None:
    emulator = Emulator(webhooks=lambda _: Response(204))
    emulator.add_number(FROM, sms_url="http://app.test/hook", sms_method="GET")
    sid = api_of(emulator).receive("Hi").sid
    (webhook,) = behind(api_of(emulator), sid)["exchanges"]
    assert webhook["about"] == "inbound"
    assert webhook["curl"].startswith("curl -X GET 'http://app.test/hook?")
    assert "--data" not in webhook["curl"]


def test_a_body_that_is_not_a_form_is_copied_as_it_is() -> None:
    shown = curl.of_request(record(b'{"a": "\x00"}', content_type="application/json"))
    assert "-H 'Content-Type: application/json'" in shown
    assert '--data-raw \'{"a": "\ufffd"}\'' in shown
