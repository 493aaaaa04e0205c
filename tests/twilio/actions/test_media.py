"""downloadMedia: the file comes from another host, which sees no credentials; no more of it is read than allowed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.broken_server import http_response, serve_broken

from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.host.errors import InputError
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import BlockingHarness, Harness, emulator_connection
from twilio_component.twilio.errors import NotFoundError, RequestRefusedError, TooLargeError, UnexpectedResponseError

GIF = b"GIF89a\x00\xff"
SIDS = {"messageSid": "MM" + "0" * 32, "mediaSid": "ME" + "0" * 32}
STORE = "https://media.twiliocdn.com/AC/file?signature=s3cr3t"


async def received(emulator: Emulator, content: bytes = GIF) -> dict[str, str]:
    """The SIDs of a message that came in with a file."""
    message = await emulator.receive(to="+15017122661", sender="+15558675310", media=[("image/gif", content)])
    return {"messageSid": message.sid, "mediaSid": message.media[0].sid}


async def downloaded(answers: Callable[[httpx.Request], httpx.Response], **inputs: Any) -> dict[str, Any]:
    """What the action gives when Twilio and others answer so."""
    async with Host.discover(transport=httpx.MockTransport(answers), debug=True) as host:
        full = {"twilioConnection": emulator_connection(), **SIDS, **inputs}
        return await host.invoke_action("twilio", "downloadMedia", full)


def redirecting(location: str) -> Callable[[httpx.Request], httpx.Response]:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.twilio.com":
            return httpx.Response(307, headers={"Location": location})
        assert "authorization" not in request.headers
        return httpx.Response(200, content=GIF, headers={"Content-Type": "image/gif"})

    return handle


async def test_a_files_bytes_and_type_come_as_documented() -> None:
    async with Harness() as harness:
        file = await harness.action("downloadMedia", await received(harness.emulator, GIF[:6]))

    assert file == json.loads(shipped_file("fixtures/payloads/downloadMedia.json").read_text())


@pytest.mark.parametrize("over_asyncio", [True, False])
async def test_credentials_stay_with_the_api_over_either_carrier(*, over_asyncio: bool) -> None:
    emulator = Emulator()
    async with emulator.serve() as server:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        sids = await received(emulator)
        async with (
            httpx.AsyncHTTPTransport() as transport,
            Host.discover(transport=None if over_asyncio else transport) as host,
        ):
            given = await host.invoke_action("twilio", "downloadMedia", {"twilioConnection": connection, **sids})
    assert (bytes(given["data"]["data"]), given["contentType"]) == (GIF, "image/gif")
    asked, kept = emulator.request_log.requests
    assert ("authorization" in asked.request.headers, "authorization" in kept.request.headers) == (True, False)
    assert kept.request.base_url.startswith("http://localhost:")


def test_a_file_as_large_as_allowed_comes_and_one_byte_more_does_not(twilio_harness_blocking: BlockingHarness) -> None:
    sids = asyncio.run(received(twilio_harness_blocking.emulator))
    assert twilio_harness_blocking.action("downloadMedia", {**sids, "maxBytes": len(GIF)})["contentType"] == "image/gif"
    with pytest.raises(TooLargeError, match="the response has 8 bytes; at most 7 are read"):
        twilio_harness_blocking.action("downloadMedia", {**sids, "maxBytes": len(GIF) - 1})


async def test_an_endless_file_is_left_at_the_bound() -> None:
    written = 0

    async def endless(writer: asyncio.StreamWriter, n: int) -> bool:
        nonlocal written
        if n == 1:
            writer.write(http_response("307 Temporary Redirect", b"", "Location: /file"))
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            written += 65_536
            await writer.drain()

    async with serve_broken(endless) as server, Host.discover() as host:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        inputs = {"twilioConnection": connection, **SIDS, "maxBytes": 100_000}
        with pytest.raises(TooLargeError, match=r"GET file: the response has more than 100,000 bytes"):
            await host.invoke_action("twilio", "downloadMedia", inputs)
    # What sockets and their buffers took on the way is lost; the rest was never read. And nobody asked again.
    assert (written < 16_000_000, len(server.requests)) == (True, 2)


async def test_a_redirection_is_followed_from_store_to_store() -> None:
    places = iter([STORE, "/deeper", "https://s3.example/file"])

    def handle(_request: httpx.Request) -> httpx.Response:
        place = next(places, None)
        if place is None:
            return httpx.Response(200, content=GIF)
        return httpx.Response(302, headers={"Location": place}, content=b"moved" * 100)

    assert bytes((await downloaded(handle, maxBytes=8))["data"]["data"]) == GIF


async def test_redirections_without_end_are_given_up() -> None:
    seen = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"Location": STORE})

    with pytest.raises(UnexpectedResponseError, match="not found after 3 redirects"):
        await downloaded(handle)
    assert len(seen) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://media.example/file",
        "http://localhost/file",
        "ftp://media.example/file",
        "file:///etc/passwd",
        "https://user@media.example/file",
        "https://media.example:99999/file",
        "https://[::1/file",
        "https://media.example/a b",
        "https://media.example/\\\\x",
    ],
)
async def test_a_redirection_that_leads_anywhere_but_to_a_host_over_https_is_refused(location: str) -> None:
    with pytest.raises(RequestRefusedError, match="does not lead to an HTTPS host"):
        await downloaded(redirecting(location))


async def test_a_redirection_without_a_place_is_not_an_answer() -> None:
    with pytest.raises(UnexpectedResponseError, match="a redirect"):
        await downloaded(lambda _: httpx.Response(307))


def test_a_store_that_fails_for_a_moment_is_asked_again(twilio_harness_blocking: BlockingHarness) -> None:
    emulator = twilio_harness_blocking.emulator
    sids = asyncio.run(received(emulator))
    emulator.faults.server_error(operation="media.file")
    assert bytes(twilio_harness_blocking.action("downloadMedia", sids)["data"]["data"]) == GIF


def test_a_file_that_does_not_exist_is_not_found(twilio_harness_blocking: BlockingHarness) -> None:
    with pytest.raises(NotFoundError):
        twilio_harness_blocking.action("downloadMedia", SIDS)


async def test_the_debug_log_shows_neither_a_signed_url_nor_the_file(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "twilio_component.twilio.request_log"):
        await downloaded(redirecting(STORE))
    assert "GET https://media.twiliocdn.com/AC/file?…" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "image/gif (8 bytes)" in caplog.text


MESSAGE, MEDIA, OTHER = "MM" + "1" * 32, "ME" + "2" * 32, "AC" + "3" * 32
FILE = f"/Messages/{MESSAGE}/Media/{MEDIA}"
ELSEWHERE = f"/2010-04-01/Accounts/{OTHER}{FILE}"


@pytest.mark.parametrize(
    ("media", "path"),
    [
        ({"sid": MEDIA, "messageSid": MESSAGE, "url": None, "contentType": "image/png"}, FILE),
        ({"sid": MEDIA, "parentSid": MESSAGE}, FILE),
        (json.dumps({"sid": MEDIA, "messageSid": MESSAGE}), FILE),
        (f"{FILE}.json", FILE),
        # The message of a sub-account, and a host that does not matter: the connection's is requested.
        (f"https://evil.example{ELSEWHERE}?x=1", ELSEWHERE),
        ({"url": f"https://api.twilio.com{ELSEWHERE}"}, ELSEWHERE),
    ],
)
async def test_a_file_is_taken_as_messages_and_lists_describe_it(media: Any, path: str) -> None:
    asked: list[httpx.URL] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, content=b"PNG", headers={"content-type": "image/png"})

    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        inputs = {"twilioConnection": emulator_connection(), "media": media}
        result = await host.invoke_action("twilio", "downloadMedia", inputs)
    assert (asked[0].host, result["contentType"]) == ("api.twilio.com", "image/png")
    assert asked[0].path.endswith(path)


@pytest.mark.parametrize(
    "media", [{"sid": MEDIA}, "x", "{", {"url": "https://a.example/x.png"}, {"sid": 1, "messageSid": 2}]
)
async def test_what_describes_no_file_is_refused(media: Any) -> None:
    inputs = {"twilioConnection": emulator_connection(), "media": media}
    async with Host.discover(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as host:
        with pytest.raises(InputError, match=r"\$\.inputs\.media: must be a file of a message"):
            await host.invoke_action("twilio", "downloadMedia", inputs)
