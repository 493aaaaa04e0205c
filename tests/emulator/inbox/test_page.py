"""The page and its files: what is served, and what a browser is told to keep it to."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from twilio_component.emulator.control import static

FOLDER = Path(static.__file__).with_name("inbox_page")
SCRIPTS = sorted(FOLDER.glob("*.js"))


def test_the_inbox_is_at_the_root(api: Any) -> None:
    answer = api.request("GET", "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!DOCTYPE html>")


def test_every_file_that_the_page_names_is_served_with_its_type(api: Any) -> None:
    sources = re.findall(r'(?:src|href)="(/_emulator/inbox/[^"]+)"', api.request("GET", "/").text)
    assert len(sources) >= 2
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for source in sources:
        answer = api.request("GET", source)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"{types[Path(source).suffix]}; charset=utf-8"


def test_every_answer_forbids_what_a_hostile_message_would_want(api: Any) -> None:
    for path in ("/", "/_emulator/inbox/inbox.css", "/_emulator/inbox/none.js"):
        headers = api.request("GET", path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_control_api_is_neither_kept_nor_guessed_at_by_a_browser(api: Any) -> None:
    for path in ("/_emulator", "/_emulator/nothing", "/_emulator/conversations"):
        headers = api.request("GET", path).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("name", ["", "none.js", "../static.py", "%2e%2e/static.py", "index.html/..", "/etc/passwd"])
def test_nothing_but_the_files_of_the_page_can_be_asked_for(api: Any, name: str) -> None:
    assert api.request("GET", f"/_emulator/inbox/{name}").status_code == 404


def test_the_page_is_only_read(api: Any) -> None:
    answer = api.request("POST", "/", data={"a": "b"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert api.request("HEAD", "/").status_code == 200


def test_the_page_has_nothing_inline_and_nothing_foreign() -> None:
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
    assert not re.search(r"\s(style|on\w+)=", text)
    assert not re.search(r'(src|href)="(https?:)?//', text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_read(script: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("without Node")
    command = ["node", "--input-type=module", "--check"]
    done = subprocess.run(command, input=script.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(script: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|createContextualFragment"
    )
    assert re.findall(forbidden, script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_readable_in_one_sitting_and_imports_only_its_own(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    imported = re.findall(r'^import .* from "([^"]+)";$', text, re.MULTILINE)
    assert [name for name in imported if not (name.startswith("./") and (FOLDER / name).is_file())] == []
