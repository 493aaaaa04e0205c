"""Room for many messages."""

from __future__ import annotations

import base64
import time

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Request
from twilio_component.emulator.model.message import Message

ACCOUNT_SID = "AC" + "a" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
HEADERS = {"authorization": "Basic " + base64.b64encode(f"{ACCOUNT_SID}:token".encode()).decode()}


async def test_a_hundred_thousand_messages_are_listed_page_by_page_without_slowing_down() -> None:
    emulator = Emulator()
    log = emulator.accounts.get(ACCOUNT_SID).messages
    for number in range(100_000):
        log.append(Message(f"SM{number:032x}", ACCOUNT_SID, "+15558675310", "+15017122661", "x", "delivered", 1.7e9))
    sids: list[str] = []
    seconds: list[float] = []
    uri = f"{PATH}?PageSize=1000"
    while uri:
        path, _, query = uri.partition("?")
        began = time.thread_time()
        page = (await emulator.handle(Request("GET", path, query, HEADERS))).json
        seconds.append(time.thread_time() - began)
        sids += [message["sid"] for message in page["messages"]]
        uri = page["next_page_uri"]
    assert sids == [f"SM{number:032x}" for number in reversed(range(100_000))]
    # Processor time of this thread, and the least of each end, since other programs run on the machine too. Reading
    # from the start for every page would make the last a hundred times as slow as the first.
    assert min(seconds[-10:]) < 20 * min(seconds[:10])
