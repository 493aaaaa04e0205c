"""Files that an emulator starts from, and the one in which it keeps what it holds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from twilio_component.cli.main import main
from twilio_component.emulator import Emulator
from twilio_component.emulator.state_file import dump_state, keep_state
from twilio_component.host.errors import DocumentError, InputError

ACCOUNT = "AC" + "a" * 32
SEED = f"""
accounts:
  - sid: {ACCOUNT}
    authToken: the-token
    apiKeys: {{SK{"1" * 32}: the-secret}}
    friendlyName: Shop
    numbers:
      - number: +15017122661
        smsUrl: http://127.0.0.1:5000/sms
      - number: "+15017122662"
        sid: PN{"2" * 32}
    services:
      - friendlyName: Alerts
        sid: MG{"3" * 32}
        numbers: ["+15017122662"]
        senders: ["rcs:my_agent"]
        statusCallback: http://127.0.0.1:5000/status
    templates:
      - {{friendlyName: Greeting, sid: HX{"4" * 32}, body: "Hi {{{{1}}}}", variables: {{"1": there}}}}
    verifyServices:
      - {{friendlyName: Login, sid: VA{"5" * 32}, codeLength: 4}}
    optOuts:
      - {{sender: "+15017122661", recipient: "+15550000001"}}
    messages:
      - {{to: "+15558675310", from: "+15017122661", body: Old, secondsAgo: 86400}}
      - {{to: "+15017122661", from: "+15558675310", body: Reply, direction: inbound, secondsAgo: 60}}
lookups:
  "+14159929960": {{line_type_intelligence: {{type: landline}}}}
faults:
  - {{fault: rateLimit, times: 2}}
deliveryRules:
  - {{ending: undelivered, code: 30003, to: "+15550000002"}}
timings: {{queued: 7}}
"""


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    path = tmp_path / "seed.yaml"
    path.write_text(SEED)
    return path


def test_a_seed_gives_an_emulator_everything_that_it_names(seed: Path) -> None:
    emulator = Emulator()
    emulator.load_seed(seed)
    account = emulator.accounts.get(ACCOUNT)
    assert emulator.accounts.strict
    assert (account.auth_token, account.friendly_name, len(account.api_keys)) == ("the-token", "Shop", 1)
    first, second = account.numbers.values()
    assert (first.settings["sms_url"], second.sid) == ("http://127.0.0.1:5000/sms", "PN" + "2" * 32)
    service = account.services["MG" + "3" * 32]
    assert (list(service.pool), service.channel_senders) == ([second.sid], ["rcs:my_agent"])
    assert service.settings["status_callback"] == "http://127.0.0.1:5000/status"
    assert account.templates["HX" + "4" * 32].body({}) == "Hi there"
    assert account.verify_services["VA" + "5" * 32].settings["code_length"] == 4
    assert account.opt_outs.forbid("+15550000001", "+15017122661")
    assert [(one.body, one.status) for one in emulator.messages] == [("Old", "delivered"), ("Reply", "received")]
    assert emulator.messages[1].created - emulator.messages[0].created == pytest.approx(86_340)
    assert emulator.lookups.line_type("+14159929960") == "landline"
    assert [fault.name for fault in emulator.faults.active] == ["rate_limit"]
    assert (emulator.lifecycle.rules[0].code, emulator.lifecycle.durations.queued) == (30003, 7)


def test_a_seed_without_a_token_leaves_every_credential_valid(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps({"accounts": [{"numbers": [{"number": "+15017122661"}]}]}))
    emulator = Emulator()
    emulator.load_seed(path)
    assert not emulator.accounts.strict
    assert emulator.accounts.default_account().number_of("+15017122661")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("accuonts: []", 1, "accuonts"),
        ("accounts:\n  - numbers:\n      - number: 555", 3, "$.accounts[0].numbers[0].number"),
        ("accounts:\n  - numbers:\n      - {number: +15017122661, colour: red}", 3, "a number has no colour"),
        ("accounts:\n  - apiKeys: {}", 2, "need an authToken"),
        ("accounts:\n  - services:\n      - {friendlyName: S, numbers: ['+1501']}", 3, "+1501 is not a number"),
        ("accounts:\n  - verifyServices:\n      - {friendlyName: S, size: 4}", 3, "a service has no size"),
        ("faults:\n  - fault: rain", 2, "there is no fault 'rain'"),
        ("deliveryRules:\n  - ending: eaten", 2, "a message does not end as 'eaten'"),
        ("lookups:\n  '+1415': {shoe_size: {}}", 2, "Lookup has no shoe_size"),
        ("timings: {dreaming: 1}", 1, "no message waits in the status 'dreaming'"),
        ("[]", 1, "object"),
    ],
)
def test_a_mistake_in_a_seed_is_reported_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(text)
    emulator = Emulator()
    with pytest.raises(InputError) as caught:
        emulator.load_seed(path)
    assert f"{path}:{line}:" in str(caught.value)
    assert problem in str(caught.value)
    assert dump_state(emulator.state)["accounts"] == []


def test_a_seed_that_is_not_there_is_reported() -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.yaml"):
        Emulator().load_seed("nowhere.yaml")


async def filled(seed: Path) -> Emulator:
    """Return an emulator with something of everything."""
    emulator = Emulator()
    emulator.load_seed(seed)
    emulator.faults.clear()
    account = emulator.accounts.get(ACCOUNT)
    account.sign_with_shared_key("secret", key_id="key")
    emulator.accounts.create_sub_account(account, "Child")
    await emulator.receive(to="+15017122661", sender="+15558675310", media=[("image/png", b"\x89PNG")])
    async with httpx.AsyncClient(transport=emulator.transport, auth=(ACCOUNT, "the-token")) as client:
        base = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}"
        form = {"To": "+15558675310", "From": "+15017122661", "Body": "On its way"}
        await client.post(f"{base}/Messages.json", data=form)
        verify = f"https://verify.twilio.com/v2/Services/VA{'5' * 32}"
        await client.post(f"{verify}/Verifications", data={"To": "+15558675310", "Channel": "sms"})
        limit = (await client.post(f"{verify}/RateLimits", data={"UniqueName": "ip"})).json()
        await client.post(f"{verify}/RateLimits/{limit['sid']}/Buckets", data={"Max": "2", "Interval": "60"})
    return emulator


async def test_what_is_kept_is_read_again_and_continues(seed: Path, tmp_path: Path) -> None:
    emulator, path = await filled(seed), tmp_path / "state.json"
    emulator.save_state(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Emulator()
    again.load_state(path)
    assert dump_state(again.state) == dump_state(emulator.state)
    assert again.accounts.strict
    account = again.accounts.get(ACCOUNT)
    (service,) = account.services.values()
    assert service.pool["PN" + "2" * 32] is account.numbers["PN" + "2" * 32]
    assert again.messages[-1].status == "queued"
    await again.clock.advance(10)
    assert again.messages[-1].status == "delivered"
    (verification,) = again.assert_verification(status="pending")
    assert verification.sends[0].status == "delivered"
    emulator.save_state(path)
    again.load_state(path)
    assert dump_state(again.state) == dump_state(emulator.state)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "it is not JSON"), ("[]", "its version must be 1"), ('{"version": 1}', "KeyError"), ('{"version": 7}', "1")],
)
def test_a_file_that_no_emulator_wrote_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        Emulator().load_state(path)


def test_a_file_that_cannot_be_read_or_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        Emulator().load_state(tmp_path / "nowhere.json")
    with pytest.raises(DocumentError, match="cannot be written"):
        Emulator().save_state(tmp_path / "nowhere" / "state.json")


async def test_changes_are_kept_as_they_come(tmp_path: Path) -> None:
    emulator, path = Emulator(), tmp_path / "state.json"
    keeping = asyncio.create_task(keep_state(emulator.state, path, interval=0.01))

    async def kept(condition: Any) -> None:
        for _ in range(1000):
            if path.exists() and condition(json.loads(path.read_text())):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(path.read_text())

    await emulator.receive(to="+15017122661", sender="+15558675310", body="Hi")
    await kept(lambda content: [one["body"] for one in content["accounts"][0]["messages"]] == ["Hi"])
    async with httpx.AsyncClient(transport=emulator.transport, auth=(ACCOUNT, "token")) as client:
        await client.post("https://messaging.twilio.com/v1/Services", data={"FriendlyName": "Alerts"})
    await kept(lambda content: any(one["services"] for one in content["accounts"]))
    emulator.add_number("+15017122661", account=emulator.accounts.get(ACCOUNT))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await kept(lambda content: any(one["numbers"] for one in content["accounts"]))


def served(*options: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "twilio_component", "emulator", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    return process, process.stderr.readline().split()[3]


def stop(process: subprocess.Popen[str]) -> str:
    os.kill(process.pid, signal.SIGTERM)
    assert process.stderr is not None
    with process:
        rest = process.stderr.read()
    assert process.returncode == 0, rest
    return rest


def test_the_command_starts_from_a_seed_and_continues_from_its_state(seed: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    process, url = served("--seed", str(seed), "--state", str(state))
    form = {"To": "+15558675310", "From": "+15017122661", "Body": "Kept"}
    path = f"{url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    # The seed limits the rate of the first two.
    statuses = [httpx.post(path, data=form, auth=(ACCOUNT, "the-token")).status_code for _ in range(3)]
    assert statuses == [429, 429, 201]
    said = stop(process)
    assert f"kept in {state}" in said
    assert "Only the declared accounts exist" in said
    assert "Any Account SID" not in said
    process, url = served("--seed", str(seed), "--state", str(state))
    bodies = [one["body"] for one in httpx.get(f"{url}/_emulator/messages").json()["messages"]]
    switched_on = httpx.get(f"{url}/_emulator").json()
    said = stop(process)
    assert "Nothing is kept" not in said
    assert f"of {seed} only faults, delivery rules and timings apply" in said
    assert bodies == ["Old", "Reply", "Kept"]
    # A state keeps none of these: they come from the seed again.
    assert [one["fault"] for one in switched_on["faults"]] == ["rateLimit"]
    assert [one["ending"] for one in switched_on["deliveryRules"]] == ["undelivered"]


def test_the_command_tells_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("accounts: 1")
    command = [sys.executable, "-m", "twilio_component", "emulator", "--port", "0", "--seed", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, f"{path}:1:" in shown.stderr, "Traceback" in shown.stderr) == (2, True, False)


def test_a_state_that_cannot_be_kept_is_an_error_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "nowhere" / "state.json"
    assert main(["emulator", "--port", "0", "--state", str(state)]) == 2
    said = capsys.readouterr().err
    assert str(state) in said
    assert "Twilio emulator at" not in said
