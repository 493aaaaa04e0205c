"""Those who want no more messages: who is noted, by what, and that nothing is sent to them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from support.engine import HEAD, SEND, TO, Served, serving

from twilio_component.durable.sending.opt_outs import OPERATOR, OptOutRegister
from twilio_component.emulator import Emulator
from twilio_component.host.errors import InputError
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.status_callbacks import CallbackAddress, Callbacks
from twilio_component.serving.webhook_handler import HttpResponse, IncomingRequest, WebhookHandler
from twilio_component.serving.webhook_settings import webhook_settings
from twilio_component.testing import emulator_connection
from twilio_component.twilio.signatures.verification import sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SENDER = "+15017122661"
ACCOUNT = "AC" + "1" * 32
SERVICE = "MG" + "2" * 32
INBOX = """\
  - name: Inbox
    steps:
      - name: Message
        isTrigger: true
        action: twilio.inboundMessage
        inputs: {twilioConnection: {type: configVar, value: Twilio}}
"""
FALLBACK = INBOX.replace("Inbox", "Fallback")
URL = "http://flows.test/test/inbox"


class Desk:
    """A served inbox, and a flow that sends to a person."""

    def __init__(self, served: Served, settings: dict[str, Any]) -> None:
        self.served = served
        self.register = OptOutRegister(served.engine.database)
        self.handler = WebhookHandler(served.deployment, served.engine, webhook_settings({"optOuts": settings}))
        self._endpoints = endpoints(served.deployment, [served.definition])
        self._written = 0

    async def says(self, text: str, *, person: str = TO, fallback: bool = False, **parameters: str) -> HttpResponse:
        self._written += 1
        sid = f"SM{self._written:032x}"
        found = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": person, "To": SENDER, "Body": text, **parameters}
        path = "/test/fallback" if fallback else "/test/inbox"
        return await self.handler.receive(self._endpoints[path], request(URL.replace("/test/inbox", path), found))

    async def entries(self, person: str = TO) -> list[tuple[str, str]]:
        return [(entry.scope, entry.source) for entry in await self.register.of(person)]

    async def send(self, run: str) -> str:
        """Run the flow that sends; the code of its error, or nothing."""
        ended = await self.served.run(run)
        return str(ended["error"]["message"]) if ended["error"] else ""


def request(url: str, parameters: dict[str, str]) -> IncomingRequest:
    token = emulator_connection()["fields"]["password"]
    headers: dict[str, str | list[str]] = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": sign(token, url, parameters.items()),
    }
    return IncomingRequest("POST", url, headers, urlencode(parameters).encode())


@asynccontextmanager
async def desk(folder: Path, emulator: Emulator | None = None, **settings: Any) -> AsyncIterator[Desk]:
    async with serving(folder, SEND + INBOX + FALLBACK, emulator=emulator) as served:
        await served.engine.runs.define("test.yaml", HEAD + SEND + INBOX + FALLBACK)
        yield Desk(served, settings)


@pytest.mark.parametrize("word", ["STOP", "stop", " Unsubscribe ", "stop!", "OPTOUT"])
async def test_a_stop_keeps_later_messages_from_being_requested_until_a_start(tmp_path: Path, word: str) -> None:
    emulator = Emulator()
    async with desk(tmp_path, emulator) as inbox:
        assert (await inbox.says(word)).status == 200
        assert await inbox.entries() == [(SENDER, "message")]
        assert "21610" in await inbox.send("one")
        assert not emulator.request_log.requests
        await inbox.says("start")
        assert await inbox.entries() == []
        assert await inbox.send("two") == ""


async def test_a_send_to_somebody_who_has_opted_out_fails_as_twilios_own_refusal_does(tmp_path: Path) -> None:
    emulator = Emulator()
    async with desk(tmp_path, emulator) as inbox:
        emulator.state.accounts.default_account().opt_outs.add(SENDER, TO)
        from_twilio = (await inbox.served.run("one"))["error"]
        assert emulator.request_log.requests
        # Twilio's refusal is remembered.
        assert await inbox.entries() == [(SENDER, "response")]
        asked = len(emulator.request_log.requests)
        from_the_register = (await inbox.served.run("two"))["error"]
        assert {**from_the_register, "id": ""} == {**from_twilio, "id": ""}
        assert len(emulator.request_log.requests) == asked


@pytest.mark.parametrize("text", ["please stop", "stop it", "yes", "stopp", ""])
async def test_a_keyword_within_a_message_opts_nobody_out(tmp_path: Path, text: str) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.says(text)
        assert await inbox.entries() == []


async def test_channels_have_opt_outs_of_their_own_but_rcs_shares_those_of_sms(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.says("STOP", person=f"whatsapp:{TO}", To=f"whatsapp:{SENDER}")
        assert await inbox.entries() == []
        assert await inbox.entries(f"whatsapp:{TO}") == [(f"whatsapp:{SENDER}", "message")]
        await inbox.says("STOP", person=f"rcs:{TO}", To="rcs:brand")
        assert await inbox.entries() == [("brand", "message")]


async def test_a_stop_to_a_messaging_service_concerns_the_service_and_the_number(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.says("STOP", MessagingServiceSid=SERVICE)
        assert await inbox.entries() == [(SENDER, "message"), (SERVICE, "message")]


async def test_a_start_to_another_number_of_the_service_concerns_all_of_its_numbers(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.register.add([("+15017122669", TO)], OPERATOR)
        await inbox.says("STOP", MessagingServiceSid=SERVICE)
        await inbox.says("START", MessagingServiceSid=SERVICE, To="+15017122662")
        assert await inbox.entries() == [("+15017122669", "operator")]


async def test_a_choice_that_is_replayed_to_a_flow_that_queues_is_of_the_past(tmp_path: Path) -> None:
    queued = INBOX.replace("  - name: Inbox\n", "  - name: Inbox\n    queueConfig: {usesFifoQueue: true}\n")
    async with serving(tmp_path, SEND + queued + FALLBACK) as served:
        await served.engine.runs.define("test.yaml", HEAD + SEND + queued + FALLBACK)
        inbox, sid = Desk(served, {}), "SM" + "a" * 32
        await inbox.says("START", MessageSid=sid)
        await inbox.says("STOP")
        await inbox.says("START", MessageSid=sid)
        assert await inbox.entries() == [(SENDER, "message")]


async def test_a_choice_that_is_reported_to_another_endpoint_later_is_of_the_past(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        sid = "SM" + "a" * 32
        await inbox.says("STOP", MessageSid=sid)
        await inbox.says("START")
        assert await inbox.entries() == []
        await inbox.says("STOP", fallback=True, MessageSid=sid)
        await inbox.says("STOP", MessageSid=sid)
        assert await inbox.entries() == []
        await inbox.says("STOP", fallback=True)
        assert await inbox.entries() == [(SENDER, "message")]


async def test_what_twilio_takes_for_an_opt_out_is_one_whatever_the_text(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.says("ARRET", OptOutType="STOP")
        assert await inbox.entries() == [(SENDER, "message")]
        await inbox.says("OUI", OptOutType="START")
        assert await inbox.entries() == []


async def test_own_keywords_are_confirmed_and_those_of_twilio_are_left_to_twilio(tmp_path: Path) -> None:
    words: dict[str, Any] = {
        "keywords": {"stop": ["Arrêt"], "help": ["aide"]},
        "replies": {"stop": "C'est noté & fini.", "help": "?"},
    }
    async with desk(tmp_path, **words) as inbox:
        assert "<Body>C'est noté &amp; fini.</Body>" in (await inbox.says("ARRE\u0302T")).body
        assert await inbox.entries() == [(SENDER, "message")]
        assert "<Body>" not in (await inbox.says("STOP")).body
        assert "<Body>?</Body>" in (await inbox.says("Aide")).body


async def test_an_account_wide_opt_out_concerns_every_sender(tmp_path: Path) -> None:
    async with desk(tmp_path, scope="account") as inbox:
        await inbox.says("STOP")
        assert await inbox.entries() == [(SENDER, "message"), (ACCOUNT, "message")]


async def test_an_opt_out_from_everybody_that_an_operator_has_added_holds_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        assert await inbox.register.add([("*", TO), ("*", TO)], OPERATOR) == 1
        assert "21610" in await inbox.send("one")
        assert await inbox.register.remove(TO) == 1
        assert await inbox.send("two") == ""


async def test_a_refusal_that_a_callback_reports_is_remembered(tmp_path: Path) -> None:
    async with desk(tmp_path) as inbox:
        await inbox.served.run("one")
        callbacks = Callbacks(inbox.served.deployment, inbox.served.engine)
        url = inbox.served.deployment.callback_url("twilio", "sendSMS", "one", 1) or "http://flows.test/callbacks/x"
        failed = {"MessageSid": "SM" + "3" * 32, "MessageStatus": "failed", "ErrorCode": "21610", "From": SENDER}
        report = request(url, {**failed, "To": TO, "AccountSid": ACCOUNT, "MessagingServiceSid": SERVICE})
        received = await callbacks.receive(CallbackAddress("twilio", "sendSMS", "one", 1), report)
        assert received.status == 204
        assert await inbox.entries() == [(SENDER, "response"), (SERVICE, "response")]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"scope": "sendr"}, "optOuts.scope: must be sender or account"),
        ({"keyword": {}}, "optOuts.keyword: is not known; did you mean 'keywords'?"),
        ({"keywords": {"stop": "x"}}, "optOuts.keywords.stop: must be a list of words of at most 40 characters"),
        ({"keywords": {"halt": ["x"]}}, "optOuts.keywords.halt: is not known (known: stop, start and help)"),
        ({"keywords": {"stop": ["x"], "start": ["X"]}}, "optOuts.keywords.start: has a word that stop has too"),
        ({"replies": {"stop": ""}}, "optOuts.replies.stop: must be a text of at most 1,600 characters"),
        ({"replies": []}, None),
    ],
)
def test_a_wrong_setting_is_named(section: dict[str, Any], problem: str | None) -> None:
    if problem is None:
        assert webhook_settings({"optOuts": section}).opt_outs.words.replies == {}
        return
    with pytest.raises(InputError) as caught:
        webhook_settings({"optOuts": section})
    assert problem in str(caught.value)
