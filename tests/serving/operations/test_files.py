"""The files of the page: what the page names is served, and no script makes markup or code of a text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from twilio_component.serving.operations import files

SCRIPTS = sorted(files.FOLDER.glob("*.js"))


def test_every_file_that_the_page_or_a_script_names_is_served() -> None:
    page = (files.FOLDER / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'(?:src|href)="/files/([^"]+)"', page)
    for script in SCRIPTS:
        names += re.findall(r'^import .* from "\./([^"]+)";$', script.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > len(SCRIPTS)
    assert {name: files.file_response(name).status_code for name in names if name} == dict.fromkeys(names, 200)


def test_the_page_has_nothing_inline_and_nothing_foreign() -> None:
    text = (files.FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\s(style|on\w+)=", text)
    assert not re.search(r'(src|href)="(https?:)?//', text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_text(script: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|createContextualFragment"
    )
    text = script.read_text(encoding="utf-8")
    assert re.findall(forbidden, text) == []
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_read(script: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("without Node")
    command = ["node", "--input-type=module", "--check"]
    done = subprocess.run(command, input=script.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
