"""``serve --emulator``: one command for a flow and a phone."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.emulated_serve import COMMAND, served
from support.pages import blocks, text_of
from support.serve_processes import FLOW, SENDER
from support.waiting import until

from twilio_component.cli.main import main
from twilio_component.flows.runner.configuration import Configuration
from twilio_component.host.errors import InputError
from twilio_component.serving.emulated import EmulatedServer
from twilio_component.serving.server import Server

if TYPE_CHECKING:
    from pathlib import Path

TO = "+15558675310"
TWO_FLOWS = (
    FLOW.replace("flows:", '  - {key: Sender, defaultValue: "+14155550123"}\nflows:')
    + FLOW.partition("flows:\n")[2].replace("name: Reply", "name: Second")
    + """\
  - name: Status
    steps:
      - name: Trigger
        isTrigger: true
        action: twilio.statusCallback
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
"""
)


def texts(url: str) -> Any:
    return httpx.get(f"{url}/_emulator/messages", params={"to": TO}).json()["messages"]


def test_what_the_phone_writes_reaches_the_flow_signed_and_its_answer_reaches_the_phone(tmp_path: Path) -> None:
    tutorial = "docs/tutorials/first-served-flow.md"
    assert f"$ {COMMAND}\n" in text_of(tutorial)
    flow = next(block.code for block in blocks(tutorial) if block.file == "reply.yaml")
    # A name that is not ASCII is encoded in the URL that Twilio is given.
    renamed = re.sub("^name: .*", "name: Clínica de Zoë", flow).replace("name: Reply", "name: Répondre")
    with served(tmp_path, renamed) as (url, said):
        assert "/cl%C3%ADnicaDeZo%C3%AB/r%C3%A9pondre" in said()
        assert f"number of Répondre: {SENDER}\ninbox: {url}/\n" in said()
        assert httpx.get(f"{url}/").text.startswith("<!DOCTYPE html>")
        wanted = {"to": SENDER, "from": TO, "body": "Hi"}
        httpx.post(f"{url}/_emulator/inbound", json=wanted, timeout=20).raise_for_status()
        (message,) = until(lambda: texts(url), "the flow's answer")
        assert (message["body"], message["from"]) == ("You wrote: Hi", SENDER)
        # The flow hears what became of it: its callbacks reach it, and are believed.
        until(lambda: texts(url)[0]["status"] == "delivered", "delivery")
        shown = httpx.get(f"{url}/_emulator/messages/{message['sid']}").json()["exchanges"]
        callbacks = [one["answer"]["status"] for one in shown if one["kind"] == "webhook"]
        assert callbacks
        assert set(callbacks) == {204}
    # Nothing is left behind that a process with real credentials could go on with.
    assert not (tmp_path / ".twilio-component").exists()


def test_real_credentials_in_the_environment_are_not_used(tmp_path: Path) -> None:
    real = {"key": "basic", "fields": {"username": "AC" + "9" * 32, "password": "a real secret"}}
    environment = {"FLOW_TWILIO": json.dumps(real), "TWILIO_ACCOUNT_SID": "AC" + "9" * 32, "TWILIO_AUTH_TOKEN": "real"}
    with served(tmp_path, **environment) as (url, said):
        httpx.post(f"{url}/_emulator/inbound", json={"to": SENDER, "from": TO, "body": "Hi"}, timeout=20)
        until(lambda: texts(url), "the flow's answer")
        assert httpx.get(f"{url}/_emulator").json()["accounts"] == ["AC" + "0" * 31 + "1"]
        assert "real secret" not in said()


def test_each_flow_that_waits_for_messages_has_a_number_the_configured_ones_first(tmp_path: Path) -> None:
    with served(tmp_path, TWO_FLOWS) as (url, said):
        numbers = re.findall(r"^number of (\w+): (\S+)$", said(), re.MULTILINE)
        assert numbers == [("Reply", "+14155550123"), ("Second", SENDER)]
        known = httpx.get(f"{url}/_emulator/numbers").json()["numbers"]
    assert [one["smsUrl"].partition("#")[0].rpartition("/")[2] for one in known] == ["reply", "second"]


def test_an_emulator_and_a_public_url_are_not_for_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "flow.yaml", "--emulator", "--public-url", "https://flows.example.com"])
    assert "not allowed with argument" in capsys.readouterr().err


async def test_a_port_that_is_taken_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        phone = EmulatedServer(server=Server(files=[], database=f"sqlite:///{tmp_path}/x"), port=port)
        with pytest.raises(InputError, match=f"cannot listen on port {port}: address already in use"):
            await phone.run()


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.2", "127.0.0.2")])  # noqa: S104 - never listened on
async def test_webhooks_go_to_this_machine_whatever_the_flows_listen_on(
    monkeypatch: pytest.MonkeyPatch, host: str, reached: str
) -> None:
    seen: list[Server] = []

    async def run(self: Server) -> None:
        seen.append(self)

    monkeypatch.setattr(Server, "run", run)
    kept = Configuration(config_vars={"Other": 1}, http_hosts=("api.example.com",))
    await EmulatedServer(server=Server(files=[], database="", host=host, port=8123, configuration=kept), port=0).run()
    assert seen[0].public_url == f"http://{reached}:8123"
    assert seen[0].configuration == kept


async def test_a_file_that_cannot_be_read_is_complained_about_by_who_serves_it(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("[", encoding="utf-8")
    serving = Server(files=[tmp_path / "flow.yaml"], database=f"sqlite:///{tmp_path}/runs.sqlite")
    with pytest.raises(Exception, match=r"flow\.yaml"):
        await EmulatedServer(server=serving, port=0).run()
