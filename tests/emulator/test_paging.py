"""Whatever happens to a list, its pages show what is there, once."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Request
from twilio_component.emulator.model.message import Message

ACCOUNT_SID = "AC" + "a" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
HEADERS = {"authorization": "Basic " + base64.b64encode(f"{ACCOUNT_SID}:token".encode()).decode()}
RECIPIENTS = ("+15550000001", "+15550000002")


async def page_at(emulator: Emulator, uri: str) -> Any:
    path, _, query = uri.partition("?")
    return (await emulator.handle(Request("GET", path, query, HEADERS))).json


def filled(recipients: list[int], deleted: set[int]) -> tuple[Emulator, list[Message]]:
    emulator = Emulator()
    log = emulator.accounts.get(ACCOUNT_SID).messages
    made = [
        Message(f"SM{number:032x}", ACCOUNT_SID, RECIPIENTS[recipient], "+15017122661", "x", "delivered", 1.7e9)
        for number, recipient in enumerate(recipients)
    ]
    for message in made:
        log.append(message)
    for number in deleted & set(range(len(made))):
        log.remove(made[number])
    return emulator, [message for number, message in enumerate(made) if number not in deleted]


@settings(deadline=None)
@given(
    recipients=st.lists(st.integers(0, 1), max_size=30),
    deleted=st.sets(st.integers(0, 29)),
    size=st.integers(1, 12),
    filtered=st.booleans(),
)
async def test_pages_forth_and_back_show_every_message_once_newest_first(
    recipients: list[int], deleted: set[int], size: int, *, filtered: bool
) -> None:
    emulator, kept = filled(recipients, deleted)
    wanted = [one.sid for one in reversed(kept) if not filtered or one.to == RECIPIENTS[0]]
    query = f"PageSize={size}" + ("&To=%2B15550000001" if filtered else "")
    pages = [await page_at(emulator, f"{PATH}?{query}")]
    while pages[-1]["next_page_uri"]:
        pages.append(await page_at(emulator, pages[-1]["next_page_uri"]))
    shown = [[message["sid"] for message in page["messages"]] for page in pages]
    assert [sid for page in shown for sid in page] == wanted
    assert all(len(page) == size for page in shown[:-1])
    for number in range(len(pages) - 1, 0, -1):
        before = await page_at(emulator, pages[number]["previous_page_uri"])
        assert [message["sid"] for message in before["messages"]] == shown[number - 1]
        assert before["page"] == number - 1
    assert pages[0]["previous_page_uri"] is None
