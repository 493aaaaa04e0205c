"""What is wrong with a connection, each case against the emulator or a server that misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from twilio_component.cli.main import main
from twilio_component.emulator import Emulator
from twilio_component.host import ConnectionFinding, Host, check_connection
from twilio_component.testing import create_connection

SID, KEY = "AC" + "a" * 32, "SK" + "b" * 32
BASIC = create_connection("basic", {"username": SID, "password": "token"})
API_KEY = create_connection("apiKeySecret", {"accountSid": SID, "apiKey": KEY, "apiSecret": "secret"})


async def _no_time(_seconds: float) -> None:
    return


async def check(transport: httpx.AsyncBaseTransport, connection: dict[str, Any]) -> list[ConnectionFinding]:
    async with Host.discover(transport=transport, sleep=_no_time) as host:
        return await check_connection(host, "twilio", connection)


def emulated(**account: Any) -> Emulator:
    emulator = Emulator()
    emulator.accounts.declare(SID, "token", **account)
    return emulator


def answering(*answers: httpx.Response) -> httpx.MockTransport:
    """The first answer to the list of messages, the second to the account."""
    return httpx.MockTransport(lambda request: answers["Messages" not in request.url.path])


LIST = httpx.Response(200, json={"messages": [], "next_page_uri": None})


def refused(status: int, code: int) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "no", "status": status})


@pytest.mark.parametrize("connection", [BASIC, {"fields": BASIC["fields"]}])
async def test_a_connection_that_works_is_fine(connection: dict[str, Any]) -> None:
    findings = await check(emulated().transport, connection)
    assert [finding.level for finding in findings] == ["fine", "fine"]
    assert "active" in findings[1].text


async def test_wrong_credentials_are_named_as_a_pair() -> None:
    wrong = create_connection("basic", {**BASIC["fields"], "password": "wrong"})
    (finding,) = await check(emulated().transport, wrong)
    assert finding.level == "error"
    assert "Account SID and Auth Token" in finding.text
    assert "20003" in finding.text
    assert "wrong" not in finding.text.replace("credentials are wrong", "")
    (finding,) = await check(emulated().transport, API_KEY)
    assert "API Key SID and API Key Secret" in finding.text


async def test_white_space_around_the_fields_does_not_count() -> None:
    padded = create_connection("basic", {name: f" {value}\n" for name, value in BASIC["fields"].items()})
    findings = await check(emulated().transport, padded)
    assert [finding.level for finding in findings] == ["fine", "fine"]


async def test_a_region_that_does_not_know_the_credentials_is_named() -> None:
    wrong = create_connection("basic", {**BASIC["fields"], "password": "wrong", "baseUrl": "", "region": "ie1"})
    (finding,) = await check(emulated().transport, wrong)
    assert "The region ie1 has credentials of its own" in finding.text


async def test_swapped_fields_are_found_before_anything_is_asked() -> None:
    swapped = create_connection("apiKeySecret", {"accountSid": KEY, "apiKey": SID, "apiSecret": "secret"})
    texts = [finding.text for finding in await check(emulated().transport, swapped)]
    assert any("starts with SK, so it is an API Key SID" in text for text in texts)
    assert any("starts with AC, so it is an Account SID" in text for text in texts)


async def test_test_credentials_work_within_limits() -> None:
    (finding,) = await check(emulated(test=True).transport, BASIC)
    assert finding.level == "warning"
    assert "test credentials" in finding.text


async def test_an_api_key_that_cannot_read_the_account_is_usual() -> None:
    findings = await check(answering(LIST, refused(401, 20003)), API_KEY)
    assert [finding.level for finding in findings] == ["fine", "fine"]
    assert "this key may not read the account" in findings[1].text


@pytest.mark.parametrize(
    ("account", "level", "words"),
    [
        ({"status": "suspended", "type": "Full"}, "error", "the account is suspended"),
        ({"status": "closed", "type": "Full"}, "error", "the account is closed"),
        ({"status": "active", "type": "Trial"}, "warning", "trial account"),
    ],
)
async def test_the_accounts_state_is_reported(account: dict[str, str], level: str, words: str) -> None:
    finding = (await check(answering(LIST, httpx.Response(200, json=account)), BASIC))[-1]
    assert (finding.level, words in finding.text) == (level, True)


async def test_a_suspended_account_is_told_also_when_it_refuses_everything() -> None:
    emulator = emulated()
    emulator.accounts.get(SID).status = "suspended"
    (finding,) = await check(emulator.transport, BASIC)
    assert finding.level == "error"
    assert "The account is not active" in finding.text


async def test_an_account_that_is_not_an_object_is_somebody_elses_answer() -> None:
    assert "in Twilio's place" in (await check(answering(LIST, httpx.Response(200, json=["hello"])), BASIC))[-1].text


@pytest.mark.parametrize(
    ("answer", "words", "retryable"),
    [
        (refused(403, 20006), "a restricted key?", False),
        (refused(404, 20404), "no such account", False),
        (refused(400, 10001), "account is not active", False),
        (refused(429, 20429), "Too many requests", True),
        (httpx.Response(302, headers={"location": "https://login.example"}), "responds in Twilio's place", False),
        (httpx.Response(200, html="<h1>Welcome to the hotel</h1>"), "responds in Twilio's place", False),
        (httpx.Response(503, html="busy"), "HTTP 503", True),
    ],
)
async def test_other_answers_are_explained(answer: httpx.Response, words: str, retryable: bool) -> None:  # noqa: FBT001 - a table
    (finding,) = await check(answering(answer), BASIC)
    assert finding.level == "error"
    assert words in finding.text
    assert finding.retryable is retryable


@pytest.mark.parametrize(
    ("failure", "words", "retryable"),
    [
        (lambda: httpx.ConnectError("Name or service not known"), "Check region, edge, baseUrl, DNS", True),
        (
            lambda: httpx.ConnectError("the certificate is not valid: self-signed"),
            "certificates of the environment",
            False,
        ),
        (lambda: httpx.ProxyError("407 Proxy Authentication Required"), "the proxy", True),
        (lambda: httpx.ReadTimeout("slow"), "Try again", True),
    ],
)
async def test_the_way_to_twilio_is_reported(failure: Callable[[], Exception], words: str, retryable: bool) -> None:  # noqa: FBT001 - a table
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure()

    (finding,) = await check(httpx.MockTransport(fail), BASIC)
    assert words in finding.text
    assert finding.retryable is retryable


async def test_an_account_that_cannot_be_asked_for_is_reported_too() -> None:
    assert "HTTP 503" in (await check(answering(LIST, refused(503, 20503)), BASIC))[-1].text


class TestTheCommand:
    def run(self, folder: Path, password: str, url: str) -> int:
        text = f"key: basic\nfields: {{username: {SID}, password: {password}, baseUrl: '{url}'}}\n"
        (folder / "c.yaml").write_text(text)
        return main(["connection", "check", "--connection", str(folder / "c.yaml")])

    def test_its_exit_codes_say_whether_it_works(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with emulated().serve_in_thread() as server:
            url = server.url
            assert self.run(tmp_path, "token", url) == 0
            assert self.run(tmp_path, "other", url) == 1
            assert self.run(tmp_path, "token, usernam: x", url) == 2  # nothing is asked with it
        said = capsys.readouterr().out
        assert "fine: the account is active" in said
        assert "error: Twilio does not accept the credentials" in said

    def test_without_a_connection_it_says_where_to_put_one(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PRISMATIC_CONNECTION_VALUE"):
            monkeypatch.delenv(name, raising=False)
        assert main(["connection", "check"]) == 2
        assert "TWILIO_ACCOUNT_SID" in capsys.readouterr().err
