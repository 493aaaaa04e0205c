"""The flows that a newcomer meets first do what they say when they are served and called, not only with a payload."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.emulated_serve import served
from support.waiting import until

from twilio_component.cli.main import main

ROOT = Path(__file__).parents[2]
PERSON = {"name": "Ada", "phone": "+15558675310"}


def starter(folder: Path) -> str:
    assert main(["flow", "new", str(folder / "new.yaml")]) == 0
    return (folder / "new.yaml").read_text(encoding="utf-8")


def of_readme(_folder: Path) -> str:
    (flow,) = re.findall(
        r"^```yaml\n(name: .*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(flow)


def url_of(said: str) -> str:
    (url,) = re.findall(r"^webhook of [^:]+: (\S+?)#", said, re.MULTILINE)
    return str(url)


def messages(emulator: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{emulator}/_emulator/messages").json()["messages"]
    return found


@pytest.mark.parametrize(
    ("text", "words"), [(starter, "this is a reminder"), (of_readme, "your appointment is confirmed")]
)
def test_a_request_with_json_sends_the_reminder(text: Any, words: str, tmp_path: Path) -> None:
    with served(tmp_path, text(tmp_path)) as (emulator, said):
        url = url_of(said())
        response = httpx.post(url, json=PERSON, timeout=20)
        assert response.status_code == 200
        assert {"sid", "executionId"} & response.json().keys()
        (message,) = until(lambda: messages(emulator), "the reminder")
        assert (message["to"], words in message["body"], "Ada" in message["body"]) == (PERSON["phone"], True, True)
        # A form says the same.
        assert httpx.post(url, data={**PERSON, "name": "Bob"}, timeout=20).status_code == 200
        until(lambda: any("Bob" in one["body"] for one in messages(emulator)), "the second reminder")


def test_the_starter_says_what_is_missing(tmp_path: Path) -> None:
    with served(tmp_path, starter(tmp_path)) as (emulator, said):
        url = url_of(said())
        missing = httpx.post(url, json={"name": "Ada"}, timeout=20)
        assert (missing.status_code, missing.json()) == (400, {"error": "phone is missing"})
        wrong = httpx.post(url, content=b'{"name": "Ada",}', headers={"Content-Type": "application/json"})
        assert (wrong.status_code, "line 1, column 1" in wrong.json()["error"]) == (400, True)
        assert httpx.head(url).status_code == httpx.request("OPTIONS", url).status_code == 204
        assert "POST" in httpx.head(url).headers["Allow"]
        assert messages(emulator) == []
