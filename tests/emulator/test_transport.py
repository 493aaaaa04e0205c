"""The emulator in process, as an httpx transport."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import httpx

from twilio_component.emulator import Emulator

ACCOUNT_SID = "AC" + "a" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


def client_of(emulator: Emulator) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=emulator.transport, base_url="https://api.twilio.com", auth=(ACCOUNT_SID, "token")
    )


async def test_an_httpx_client_sends_and_lists_without_a_socket() -> None:
    async with client_of(Emulator(start=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))) as client:
        sent = await client.post(PATH, data={"To": "+15558675310", "From": "+15017122661", "Body": "Grüße ♥"})
        listed = (await client.get(PATH, params={"To": "+15558675310"})).json()
    assert sent.status_code == 201
    assert sent.headers["content-type"] == "application/json;charset=utf-8"
    assert sent.json()["date_created"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    assert listed["messages"] == [sent.json()]


async def test_dates_sent_less_than_stand_on_the_wire_as_a_name_that_ends_with_the_sign() -> None:
    emulator = Emulator(start=datetime(2026, 1, 2, tzinfo=UTC))
    async with client_of(emulator) as client:
        await client.post(PATH, data={"To": "+15558675310", "From": "+15017122661", "Body": "x"})
        await emulator.clock.advance(5)
        queries = (
            "DateSent%3C=2026-01-02",
            "DateSent<=2026-01-01",
            "DateSent%3E=2026-01-02",
            "DateSent>=2026-01-03",
        )
        answers = [await client.get(f"{PATH}?{query}") for query in queries]
    assert [len(answer.json()["messages"]) for answer in answers] == [1, 0, 1, 0]


async def test_a_page_has_the_documented_keys_and_relative_uris_that_keep_the_filters() -> None:
    async with client_of(Emulator()) as client:
        for n in range(3):
            await client.post(PATH, data={"To": "+15558675310", "From": "+15017122661", "Body": str(n)})
        page = (await client.get(PATH, params={"To": "+15558675310", "PageSize": "2"})).json()
    query = "?To=%2B15558675310&PageSize=2&Page="
    assert page["first_page_uri"] == f"{PATH}{query}0"
    assert page["next_page_uri"].startswith(f"{PATH}{query}1&PageToken=PASM")
    assert (page["page"], page["page_size"], page["start"], page["end"]) == (0, 2, 0, 1)
    assert page["previous_page_uri"] is None


async def test_the_content_of_media_redirects_to_where_the_sender_keeps_it() -> None:
    async with client_of(Emulator()) as client:
        sent = await client.post(
            PATH,
            data={"To": "+15558675310", "From": "+15017122661", "MediaUrl": "https://example.com/a.png"},
        )
        media = (await client.get(sent.json()["subresource_uris"]["media"])).json()["media_list"]
        answer = await client.get(media[0]["uri"].removesuffix(".json"))
    assert (answer.status_code, answer.headers["location"]) == (307, "https://example.com/a.png")


async def test_retention_options_show_in_what_the_api_answers() -> None:
    emulator = Emulator()
    async with client_of(emulator) as client:
        form = {"To": "+15558675310", "From": "+15017122661", "Body": "secret"}
        form |= {"AddressRetention": "obfuscate", "ContentRetention": "discard"}
        sent = (await client.post(PATH, data=form)).json()
        await emulator.clock.advance(5)
        delivered = (await client.get(sent["uri"])).json()
    assert (sent["to"], sent["body"]) == ("+1555867XXXX", "secret")
    assert delivered["body"] == ""


def test_importing_the_emulator_loads_no_http_library() -> None:
    program = "import sys, twilio_component.emulator; print(sorted({'httpx', 'aiohttp', 'anyio'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
