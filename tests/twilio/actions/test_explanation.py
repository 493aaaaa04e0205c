"""explainDelivery and `why`: one answer to "why was it not delivered"."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import insert

from twilio_component.cli.main import main
from twilio_component.durable.store.database import Database
from twilio_component.durable.store.database_url import database_url
from twilio_component.durable.store.schema import definitions, intents, runs
from twilio_component.emulator import Emulator
from twilio_component.host import Host
from twilio_component.testing import BlockingHarness, emulator_connection
from twilio_component.twilio.errors import NotFoundError

if TYPE_CHECKING:
    from twilio_component.emulator.model.phone_number import PhoneNumber

NUMBER, PERSON = "+15017122661", "+15558675310"


@pytest.fixture
def number(twilio_harness_blocking: BlockingHarness) -> PhoneNumber:
    return twilio_harness_blocking.emulator.add_number(NUMBER)


def send(harness: BlockingHarness, **inputs: str) -> str:
    given = {"to": PERSON, "from": NUMBER, "message": "hi", **inputs}
    sid: str = harness.action("sendSMS", given)["data"]["sid"]
    return sid


def explain(harness: BlockingHarness, sid: str) -> dict[str, Any]:
    data: dict[str, Any] = harness.action("explainDelivery", {"sid": sid})["data"]
    return data


def settle(harness: BlockingHarness) -> None:
    asyncio.run(harness.emulator.clock.advance(60))


@pytest.mark.usefixtures("number")
class TestTheAction:
    def test_a_delivered_message_is_called_that(self, twilio_harness_blocking: BlockingHarness) -> None:
        sid = send(twilio_harness_blocking)
        assert explain(twilio_harness_blocking, sid)["outcome"] == "in-progress"
        settle(twilio_harness_blocking)
        found = explain(twilio_harness_blocking, sid)
        assert (found["outcome"], found["summary"]) == ("delivered", "It was delivered (status delivered).")
        assert (found["error"], found["sender"]["state"]) == (None, "ready")

    def test_a_failure_has_its_meaning_and_remedy(self, twilio_harness_blocking: BlockingHarness) -> None:
        twilio_harness_blocking.emulator.lifecycle.undeliver(30003)
        sid = send(twilio_harness_blocking)
        settle(twilio_harness_blocking)
        found = explain(twilio_harness_blocking, sid)
        assert (found["outcome"], found["error"]["code"]) == ("not-delivered", 30003)
        assert found["error"]["meaning"] in found["summary"]
        assert found["error"]["remedy"] in found["summary"]
        assert found["error"]["link"] == "https://www.twilio.com/docs/errors/30003"

    def test_a_code_that_is_not_known_says_so_and_links(self, twilio_harness_blocking: BlockingHarness) -> None:
        twilio_harness_blocking.emulator.lifecycle.fail(39999)
        sid = send(twilio_harness_blocking)
        settle(twilio_harness_blocking)
        found = explain(twilio_harness_blocking, sid)
        assert found["error"]["meaning"] is None
        assert "https://www.twilio.com/docs/errors/39999" in found["summary"]

    def test_the_recipients_newest_keyword_counts(self, twilio_harness_blocking: BlockingHarness) -> None:
        emulator = twilio_harness_blocking.emulator
        sid = send(twilio_harness_blocking)
        assert explain(twilio_harness_blocking, sid)["recipient"]["optedOut"] is None
        for body, out in (("stop ", True), ("What?", True), ("Start", False), ("Cancel", True)):
            asyncio.run(emulator.clock.advance(2))
            asyncio.run(emulator.receive(to=NUMBER, sender=PERSON, body=body))
            found = explain(twilio_harness_blocking, sid)["recipient"]
            assert found["optedOut"] is out, body
        assert found["keyword"] == "CANCEL"

    def test_a_sender_that_has_left_is_named(
        self, twilio_harness_blocking: BlockingHarness, number: PhoneNumber
    ) -> None:
        twilio_harness_blocking.emulator.lifecycle.undeliver(30008)
        sid = send(twilio_harness_blocking)
        settle(twilio_harness_blocking)
        del twilio_harness_blocking.emulator.accounts.default_account().numbers[number.sid]
        found = explain(twilio_harness_blocking, sid)
        assert found["sender"] == {"kind": "phone-number", "sid": None, "state": "not-in-account"}
        assert found["summary"].endswith("The sender is not in the account.")

    def test_a_messaging_service_is_the_sender(
        self, twilio_harness_blocking: BlockingHarness, number: PhoneNumber
    ) -> None:
        service = twilio_harness_blocking.emulator.add_service("Reminders", [number])
        given = {"to": PERSON, "messagingServiceSid": service.sid, "message": "hi"}
        sid = twilio_harness_blocking.action("sendSMS", given)["data"]["sid"]
        sender = explain(twilio_harness_blocking, sid)["sender"]
        assert sender == {"kind": "messaging-service", "sid": service.sid, "state": "ready"}

    def test_an_inbound_message_is_called_that(self, twilio_harness_blocking: BlockingHarness) -> None:
        asyncio.run(twilio_harness_blocking.emulator.receive(to=NUMBER, sender=PERSON, body="Hello"))
        found = explain(twilio_harness_blocking, twilio_harness_blocking.emulator.messages[-1].sid)
        assert found["outcome"] == "inbound"

    def test_a_message_that_does_not_exist_is_an_error(self, twilio_harness_blocking: BlockingHarness) -> None:
        with pytest.raises(NotFoundError):
            explain(twilio_harness_blocking, "SM" + "0" * 32)


async def test_what_the_credentials_may_not_read_is_unknown() -> None:
    message = {"sid": "SM" + "1" * 32, "status": "failed", "error_code": 21610, "from": NUMBER, "to": PERSON}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(f"/{message['sid']}.json"):
            return httpx.Response(200, json={**message, "direction": "outbound-api"})
        return httpx.Response(403, json={"code": 20003, "message": "no"})

    async with Host.discover(transport=httpx.MockTransport(answer)) as host:
        inputs = {"twilioConnection": emulator_connection(), "sid": message["sid"]}
        found = (await host.invoke_action("twilio", "explainDelivery", inputs))["data"]
    assert found["sender"]["state"] is None
    assert found["recipient"]["optedOut"] is True  # the code says so
    assert found["summary"].startswith("It was not delivered: The recipient has opted out")


class TestTheCommand:
    @pytest.fixture
    def failed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        emulator = Emulator()
        emulator.lifecycle.undeliver(30003)
        monkeypatch.chdir(tmp_path)
        with emulator.serve_in_thread() as server:
            connection = emulator_connection()
            connection["fields"]["baseUrl"] = server.url
            (tmp_path / "twilio.json").write_text(json.dumps(connection))
            send = ["invoke", "sendSMS", "--connection", "twilio.json", "--json"]
            inputs = [
                f"--input={name}={value}" for name, value in {"to": PERSON, "from": NUMBER, "message": "x"}.items()
            ]
            assert main([*send, *inputs]) == 0
            asyncio.run(emulator.clock.advance(60))
            yield emulator.messages[-1].sid

    def test_it_answers_in_words(self, failed: str, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert main(["why", failed, "--connection", "twilio.json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("It was not delivered: The recipient's phone cannot be reached")
        assert any(line.startswith("error: 30003") for line in lines)
        assert "recipient: no opt-out is known" in lines
        assert not any(PERSON in line for line in lines)

    def test_it_answers_in_json(self, failed: str, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert main(["why", failed, "--connection", "twilio.json", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["error"]["code"] == 30003

    def test_a_sid_that_is_not_one_is_bad_input(self, failed: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert failed
        assert main(["why", "PN" + "0" * 32, "--connection", "twilio.json"]) == 2
        assert "a message SID belongs here" in capsys.readouterr().err

    def test_where_runs_are_stored_it_names_the_run_and_tells_the_callbacks(
        self, failed: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store(Path("runs.sqlite"), failed)
        capsys.readouterr()
        assert main(["why", failed, "--connection", "twilio.json", "--database", "runs.sqlite"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "run: the-run of the flow Remind, failed" in lines
        told = [line.split(" ", 2)[2] for line in lines if line.startswith("callback: ")]
        assert told == ["sent", "undelivered 30003"]


def store(file: Path, sid: str) -> None:
    """A database with the run that sent a message, and with two of its status callbacks."""
    database = Database(database_url(str(file)))
    database.create()
    with database.engine.begin() as connection:
        connection.execute(insert(definitions).values(digest="d", file="f.yaml", text="{}"))
        row = {"definition": "d", "integration": "i", "state": "failed", "flow": "Remind"}
        connection.execute(insert(runs).values(id="the-run", created_at=1.0, **row))
        callbacks = [{"MessageStatus": "sent"}, {"MessageStatus": "undelivered", "ErrorCode": "30003"}]
        for number, told in enumerate(callbacks):
            payload = json.dumps({"body": {"data": {"MessageSid": sid, **told}}})
            received = {"id": f"callback-{number}", "created_at": 2.0 + number, "payload": payload}
            connection.execute(insert(runs).values(**received, **row))
        intent = {"step_id": "s", "fingerprint": "f", "limit_keys": "[]", "state": "done", "attempt": 1}
        connection.execute(insert(intents).values(key="k", run="the-run", created_at=1.0, resource_id=sid, **intent))
    database.close()
