"""Files of messages in the browser: only what can do no harm is shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.emulator.control import media as inbox_media
from twilio_component.emulator.http import Response

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest

TO, FROM = "+15558675310", "+15017122661"


def shown(api: Any, sid: str) -> httpx.Response:
    answer: httpx.Response = api.request("GET", f"/_emulator/media/{sid}")
    return answer


@pytest.mark.parametrize("content_type", ["image/png", "IMAGE/JPEG; q=1", "audio/ogg", "video/mp4"])
def test_pictures_sound_and_films_are_shown_in_place(api: Any, content_type: str) -> None:
    (media,) = api.receive("", [(content_type, b"content")]).media
    answer = shown(api, media.sid)
    assert (answer.content, answer.status_code) == (b"content", 200)
    assert answer.headers["content-type"] == content_type.partition(";")[0].lower()
    assert answer.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/vcard", "", "x"])
def test_everything_else_is_saved(api: Any, content_type: str) -> None:
    (media,) = api.receive("", [(content_type, b"<script>alert(1)</script>")]).media
    answer = shown(api, media.sid)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_no_file_can_run_or_load_anything(api: Any) -> None:
    (media,) = api.receive("", [("image/png", b"x")]).media
    headers = shown(api, media.sid).headers
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_file_cannot_run_at_the_address_that_the_api_gives_either(api: Any) -> None:
    message = api.receive("", [("text/html", b"<script>alert(1)</script>")])
    place = api.request("GET", f"{message.uri}/Media/{message.media[0].sid}").headers["location"]
    with_no_credentials = httpx.URL(place).path

    async def opened() -> httpx.Response:
        async with httpx.AsyncClient(transport=api.emulator.transport, base_url="http://localhost") as client:
            return await client.get(with_no_credentials)

    headers = asyncio.run(opened()).headers
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_conversation_says_what_to_show_and_how(api: Any) -> None:
    api.receive("", [("image/png", b"x"), ("text/html", b"y")])
    sid = api.send(MediaUrl="http://app.test/cat.gif")["sid"]
    (outgoing,) = api.request("GET", f"/_emulator/messages/{sid}").json()["item"]["media"]
    assert (outgoing["contentType"], outgoing["shownAs"]) == ("image/gif", "image")
    assert (outgoing["url"], outgoing["size"]) == ("http://app.test/cat.gif", None)
    conversation = api.request("GET", "/_emulator/conversations").json()["conversations"][0]["id"]
    items = api.request("GET", "/_emulator/conversation", params={"id": conversation}).json()["items"]
    assert [(one["shownAs"], one["url"], one["size"]) for one in items[0]["media"]] == [
        ("image", None, 1),
        (None, None, 1),
    ]


@pytest.mark.parametrize(
    ("answer", "status", "content_type"),
    [
        (Response(200, b"GIF", {"content-type": "image/gif"}), 200, "image/gif"),
        (Response(200, b"GIF"), 200, "image/png"),
        (Response(200, b"<html>", {"Content-Type": "text/html"}), 200, "application/octet-stream"),
        (Response(404, b"no"), 502, "application/json;charset=utf-8"),
        (Response(200, b"x" * 11), 502, "application/json;charset=utf-8"),
    ],
)
def test_a_file_that_the_application_keeps_is_asked_for_there(
    api_of: Any, monkeypatch: pytest.MonkeyPatch, answer: Response, status: int, content_type: str
) -> None:
    monkeypatch.setattr(inbox_media, "LARGEST", 10)
    asked: list[WebhookRequest] = []

    def application(request: WebhookRequest) -> Response:
        asked.append(request)
        return answer

    api = api_of(Emulator(webhooks=application))
    sid = api.send(MediaUrl="http://app.test/cat.png")["sid"]
    (media,) = api.emulator.accounts.default_account().messages.get(sid).media
    found = shown(api, media.sid)
    assert (found.status_code, found.headers["content-type"]) == (status, content_type)
    assert [(one.method, one.url) for one in asked] == [("GET", "http://app.test/cat.png")]


def test_a_file_on_another_machine_is_never_asked_for(api: Any) -> None:
    sid = api.send(MediaUrl="http://media.example.com/cat.png")["sid"]
    (media,) = api.emulator.accounts.default_account().messages.get(sid).media
    answer = shown(api, media.sid)
    assert answer.status_code == 502
    assert "media.example.com is not this machine" in answer.json()["error"]


def test_a_file_of_a_message_that_was_deleted_is_gone(api: Any, emulator: Emulator) -> None:
    (media,) = api.receive("", [("image/png", b"x")]).media
    asyncio.run(emulator.clock.advance(0))
    emulator.clear_messages()
    assert shown(api, media.sid).status_code == 404
