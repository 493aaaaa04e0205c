"""A served flow from outside: signed requests to a process, messages at the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from support.crashing_serve import VARIABLE
from support.serve_processes import ACCOUNT_SID, AUTH_TOKEN, FLOW, SENDER, Deployment, inbound, killed, post
from support.waiting import until

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main
from twilio_component.durable import crash_points
from twilio_component.host.errors import InputError
from twilio_component.serving.refusals import refusal
from twilio_component.twilio.signatures.verification import sign

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator


def test_a_signed_webhook_starts_the_flow_once_and_strangers_are_refused(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, twilio)
    url = deployment.webhook()
    with deployment.serving():
        answers = [post(url, inbound(1)).status_code for _ in range(3)]
        refused = post(url, inbound(2), token="somebody-else")
        elsewhere = httpx.get(f"{deployment.url()}/nowhere")
        until(lambda: emulator.messages, "a message was sent")
    assert answers == [204, 204, 204]
    assert (refused.status_code, refused.json(), elsewhere.status_code) == (403, refusal(403), 404)
    (sent,) = emulator.messages
    assert (sent.to, sent.body) == ("+15558670001", "You wrote Hi")
    log = deployment.log()
    assert f"webhook of Reply: {url}#rc=5&rp=all" in log
    assert "1 refused so far" in log
    assert "+1555867" not in log


def test_behind_a_trusted_proxy_the_url_is_the_one_that_twilio_knows(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, twilio, options=["--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8"])
    signature = sign(AUTH_TOKEN, "https://flows.example.com/demo/reply", inbound(1).items())
    headers = {"X-Twilio-Signature": signature, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "flows.example.com"}
    with deployment.serving():
        accepted = httpx.post(deployment.webhook(), data=inbound(1), headers=headers)
        other = httpx.post(deployment.webhook(), data=inbound(1), headers=headers | {"X-Forwarded-Proto": "http"})
        until(lambda: emulator.messages, "a message was sent")
    assert (accepted.status_code, other.status_code) == (204, 403)


def test_a_public_url_is_said_once_or_by_proxies_that_are_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "flow.yaml", "--trusted-proxy", "proxy"]) == exit_codes.exit_code(InputError("", []))
    assert "must be an address or a network" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["serve", "flow.yaml", "--public-url", "https://flows.example.com", "--trusted-proxy", "::1"])
    assert "not allowed with argument --public-url" in capsys.readouterr().err


@pytest.mark.parametrize("place", [crash_points.CLAIMED, crash_points.RESPONDED])
def test_a_process_that_is_killed_in_a_send_sends_once_all_the_same(
    emulator: Emulator, twilio: str, tmp_path: Path, place: str
) -> None:
    deployment = Deployment(tmp_path, twilio, resend="true", timeout=0.5, lag_bound=0.5)
    process = deployment.start({VARIABLE: place})
    deployment.wait_until_ready(process)
    assert post(deployment.webhook(), inbound(1)).status_code == 204
    assert killed(process)
    with deployment.serving():
        until(lambda: emulator.messages, "the message was sent")
        assert post(deployment.webhook(), inbound(2)).status_code == 204
        until(lambda: len(emulator.messages) > 1, "another message was sent")
    assert sorted(message.to for message in emulator.messages) == ["+15558670001", "+15558670002"]


def test_a_process_that_is_killed_before_it_starts_what_it_has_stored_runs_it_all_the_same(
    emulator: Emulator, twilio: str, tmp_path: Path
) -> None:
    deployment = Deployment(tmp_path, twilio)
    process = deployment.start({VARIABLE: crash_points.STORED})
    deployment.wait_until_ready(process)
    with pytest.raises(httpx.TransportError):
        post(deployment.webhook(), inbound(1))
    assert killed(process)
    with deployment.serving():
        until(lambda: emulator.messages, "the message was sent, though nobody asked again")
        until(lambda: deployment.running() == 0, "the run has ended")
    assert len(emulator.messages) == 1


@pytest.mark.parametrize("shared_key", [None, ("webhooks_sharedkey_1", "the-secret")], ids=["token", "shared key"])
def test_a_signed_callback_proves_a_send_whose_answer_was_lost(
    emulator: Emulator, twilio: str, tmp_path: Path, shared_key: tuple[str, str] | None
) -> None:
    deployment = Deployment(tmp_path, twilio, public=True, lag_bound=30)
    environment = {}
    if shared_key is not None:
        emulator.accounts.get(ACCOUNT_SID).sign_with_shared_key(shared_key[1], key_id=shared_key[0])
        fields = {
            "username": ACCOUNT_SID,
            "password": AUTH_TOKEN,
            "baseUrl": twilio,
            "sharedKeys": "=".join(shared_key),
        }
        environment["FLOW_TWILIO"] = json.dumps({"key": "basic", "fields": fields})
    emulator.faults.drop(accepted=True, operation="messages.create")
    emulator.faults.lag_lists(600)
    with deployment.serving(environment):
        assert post(deployment.webhook(), inbound(1)).status_code == 204
        until(lambda: emulator.messages and deployment.running() == 0, "the callback has proved it")
        ((run,),) = deployment.ask("SELECT id FROM flow_runs")
        about = f"{deployment.url()}/callbacks/twilio/sendSMS/{run}/1"
        assert post(about, {"MessageSid": "SM1"}, token="somebody-else").status_code == 403
        assert post(about.replace(run, "nobody"), {"MessageSid": "SM1"}).status_code == 404
    (sent,) = emulator.messages
    assert deployment.ask("SELECT state, resource_id FROM flow_intents") == [("settled", sent.sid)]
    assert "no connection has signed it" in deployment.log()


def test_a_served_number_is_asked_for_once_registered_and_leads_back_when_it_is_unregistered(
    emulator: Emulator, twilio: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = "https://theirs.example.com/?key=topsecret"
    number = emulator.add_number(SENDER, account=emulator.accounts.get(ACCOUNT_SID), sms_url=theirs)
    chosen = f"""twilioConnection: {{type: configVar, value: Twilio}}
          phoneNumber: {{type: value, value: "{SENDER}"}}"""
    flow = FLOW.replace("twilioConnection: {type: configVar, value: Twilio}", chosen, 1)
    deployment = Deployment(tmp_path, twilio, flow=flow)
    register = ["--public-url", deployment.url(), "--register"]
    deployment.options = register
    assert deployment.start().wait() == 1
    assert "already points to https://theirs.example.com/?key=…" in deployment.log()

    deployment.options = [*register, "--replace-webhooks"]
    process = deployment.start()
    until(lambda: number.settings["sms_url"] != theirs, "the number is set")
    process.kill()
    process.wait()
    deployment.options = register
    with deployment.serving():
        assert number.settings["sms_url"] == f"{deployment.webhook()}#rc=5&rp=all"
        httpx.post(f"{twilio}/_emulator/inbound", json={"to": SENDER, "from": "+15558675310", "body": "Hi"})
        until(lambda: any(message.direction != "inbound" for message in emulator.messages), "it was answered")

    arguments = ["unregister", "--config", str(deployment.configuration), "--database", deployment.database]
    assert main(arguments) == 0
    assert "points to https://theirs.example.com/?key=… again, as before" in capsys.readouterr().out
    assert number.settings["sms_url"] == theirs
    assert main([*arguments, "--flow", "Reply"]) == 0
    assert "nothing is registered for Reply" in capsys.readouterr().out
    assert "topsecret" not in deployment.log()


def test_without_a_public_url_nothing_can_be_registered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = Deployment(tmp_path, "http://127.0.0.1:9")
    assert main(["serve", str(deployment.flow), "--database", deployment.database, "--register"]) != 0
    assert "--public-url" in capsys.readouterr().err
