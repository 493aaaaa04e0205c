"""The emulator on a socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest
from support.waiting import until

from twilio_component.cli.commands import emulator as emulator_command
from twilio_component.emulator import Emulator
from twilio_component.emulator.api.unsupported import NOT_EMULATED

ACCOUNT_SID = "AC" + "a" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {"To": "+15558675310", "From": "+15017122661", "Body": "x"}


def status_with(**headers: str) -> int:
    with Emulator().serve_in_thread() as server:
        return httpx.get(server.url + PATH, auth=(ACCOUNT_SID, "token"), headers=headers).status_code


def test_as_a_server_a_message_is_delivered_by_itself() -> None:
    emulator = Emulator()
    emulator.lifecycle.durations.queued = emulator.lifecycle.durations.sending = emulator.lifecycle.durations.sent = (
        0.01
    )
    with emulator.serve_in_thread() as server, httpx.Client(auth=(ACCOUNT_SID, "token")) as client:
        uri = client.post(server.url + PATH, data=FORM).json()["uri"]
        until(lambda: client.get(server.url + uri).json()["status"] == "delivered", "it is delivered")


def test_by_default_delivery_takes_about_two_seconds() -> None:
    durations = Emulator().lifecycle.durations
    assert 1 <= durations.accepted + durations.queued + durations.sending + durations.sent <= 2


def test_the_server_listens_on_loopback_and_on_a_free_port_by_default() -> None:
    with Emulator().serve_in_thread() as one, Emulator().serve_in_thread() as other:
        assert one.url.startswith("http://127.0.0.1:")
        assert one.url != other.url


async def test_a_taken_port_is_an_error_at_once() -> None:
    async with Emulator().serve() as server:
        with pytest.raises(OSError, match="address already in use"):
            await Emulator().serve(port=int(server.url.rpartition(":")[2])).__aenter__()


def test_an_ipv6_address_stands_in_brackets() -> None:
    try:
        with Emulator().serve_in_thread("::1") as server:
            assert server.url.startswith("http://[::1]:")
            assert httpx.get(server.url + PATH, auth=(ACCOUNT_SID, "token")).status_code == 200
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize("host", ["127.0.0.1:8010", "localhost:8010", "[::1]:8010", "twilio.localhost", "192.168.0.1"])
def test_addresses_and_local_names_are_accepted_as_host(host: str) -> None:
    assert status_with(host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8010", "", "[::1"])
def test_any_other_host_is_refused(host: str) -> None:
    assert status_with(host=host) in (400, 403)


def test_a_host_that_was_allowed_is_accepted() -> None:
    with Emulator().serve_in_thread(allowed_hosts=["Twilio.test"]) as server:
        answer = httpx.get(server.url + PATH, auth=(ACCOUNT_SID, "token"), headers={"host": "twilio.test:80"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    assert status_with(**headers) == 403


def test_the_servers_own_page_is_accepted() -> None:
    assert status_with(host="localhost:8010", origin="http://localhost:8010") == 200


def test_a_refusal_of_the_host_says_what_is_allowed() -> None:
    with Emulator().serve_in_thread() as server:
        answer: Any = httpx.get(server.url + PATH, headers={"host": "evil.example"}).json()
    assert "'evil.example' is not allowed" in answer["message"]
    assert "localhost" in answer["message"]


def test_run_serves_until_it_is_interrupted_and_says_what_it_does_not_do() -> None:
    program = "from twilio_component.cli.commands.emulator import serve_emulator; serve_emulator(port=0)"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        url = first.split()[3]
        assert httpx.post(url + PATH, data=FORM, auth=(ACCOUNT_SID, "token")).status_code == 201
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert first.startswith("Twilio emulator at http://127.0.0.1:")
    assert "It does not emulate:" in rest
    assert "Traceback" not in rest


def test_run_ends_at_the_first_signal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greet_and_interrupt(url: str, **_: bool) -> str:
        signal.raise_signal(signal.SIGTERM)
        return f"at {url}"

    monkeypatch.setattr(emulator_command, "_greeting", greet_and_interrupt)
    emulator_command.serve_emulator(port=0)
    assert capsys.readouterr().err.startswith("at http://127.0.0.1:")


def test_the_greeting_names_the_control_api_and_every_limit() -> None:
    greeting = emulator_command._greeting("http://127.0.0.1:8010", is_local=True)
    assert "http://127.0.0.1:8010/_emulator" in greeting
    assert "http://127.0.0.1:8010/\n" in greeting
    assert "this machine only" in greeting
    assert all(sentence in greeting for sentence in NOT_EMULATED)


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])  # noqa: S104 - never listened on
def test_a_server_that_other_machines_can_reach_says_so(host: str, local: bool) -> None:  # noqa: FBT001 - a parameter of the test
    server = Emulator().serve(host)
    assert server.is_local is local
    greeting = emulator_command._greeting(server.url, is_local=server.is_local)
    assert ("OTHER MACHINES CAN REACH IT" in greeting) is not local


def test_other_sites_may_lead_to_the_page_but_fetch_or_frame_nothing() -> None:
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    with Emulator().serve_in_thread() as server:

        def status(path: str, **headers: str) -> int:
            return httpx.get(server.url + path, headers=headers).status_code

        assert status("/", **opened) == 200
        assert status("/", **opened | {"sec-fetch-dest": "iframe"}) == 403
        assert status("/", **opened | {"sec-fetch-mode": "no-cors"}) == 403
        assert status("/_emulator", **opened) == 403
        assert status(PATH, **opened) == 403


@pytest.mark.parametrize(
    "path", ["/", "/_emulator", "/_emulator/events", "/_emulator/conversations", "/_emulator/media/ME1"]
)
def test_the_inbox_and_the_control_api_are_for_this_host_and_this_origin_alone(path: str) -> None:
    with Emulator().serve_in_thread() as server:
        for hostile in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
            assert httpx.get(server.url + path, headers=hostile).status_code == 403
            assert httpx.post(f"{server.url}/_emulator/reset", json={}, headers=hostile).status_code == 403
