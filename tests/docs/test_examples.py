"""Examples in the documentation are run, and what they print is compared with what the page says.

- A Python block that prints is a program; the text block below it, if there is one, is its output. It runs in a folder
  that has nothing but the files that the page shows below their names, so that nobody needs a checkout to follow it.
- The other Python blocks of a page that has tests are one test module.
- A console block is a session: each line after ``$`` is run, and what stands below it must be its output (``…`` stands
  for anything). The blocks of a page share a folder, which has the files that the page shows below their names.
- A remark ``<!-- not run: why -->`` above a block says why it cannot be run, ``<!-- exit code 2 -->`` how its last
  command ends, and ``<!-- with a database -->`` that its folder has the database of ``serve``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import PAGES, ROOT, Block, blocks, text_of
from support.prepared_database import prepare_database

# Pages whose examples need more than a folder: a server, a database, a distribution that is installed.
RUN_ELSEWHERE = {
    "docs/how-to/in-an-application.md": "tests/docs/test_application_pages.py",
    "docs/tutorials/first-served-flow.md": "tests/serving/test_walkthrough.py",
    "docs/how-to/scale-out.md": "tests/serving/test_walkthrough.py",
    "docs/how-to/operate-runs.md": "tests/serving/test_walkthrough.py",
    "docs/how-to/token-expires.md": "tests/serving/test_token_expires.py",
    "docs/how-to/other-engines.md": "tests/acceptance/test_celery_and_asyncio.py",
}
# Those for people who have a checkout.
NAME_FIXTURES = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "docs/explanation/design.md", "docs/reference/flow-language.md"),
    "docs/how-to/add-an-action.md",
)
EMULATOR_PAGES = ("docs/how-to/emulator.md", "docs/reference/emulator.md")  # their shell and Node examples


def can_run(page: str, block: Block) -> bool:
    return block.file is None and not block.remark.startswith("not run: ") and page not in RUN_ELSEWHERE


def python(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.kind == "python" and can_run(page, block)]


def programs(page: str) -> list[tuple[str, str]]:
    """The page's Python programs, each with the text block that follows it as its output."""
    found = blocks(page)
    following = [*found[1:], Block("", "")][: len(found)]
    return [
        (block.code, after.code if after.kind == "text" else "")
        for block, after in zip(found, following, strict=True)
        if block.kind == "python" and "print(" in block.code and can_run(page, block)
    ]


def session(page: str) -> list[tuple[str, str, int]]:
    """The commands of the page's console blocks, each with the output that the page shows and its exit code."""
    steps: list[tuple[str, str, int]] = []
    for block in blocks(page):
        if block.kind == "console" and can_run(page, block):
            for step in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
                command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", step, re.DOTALL).groups()  # type: ignore[union-attr]
                steps.append((command, output, 0))
            if ends := re.fullmatch(r"exit code (\d+)", block.remark):
                steps[-1] = (*steps[-1][:2], int(ends[1]))
    return steps


def write_files(page: str, folder: Path) -> None:
    """Write the files that a page shows below their names, as its reader does."""
    for block in blocks(page):
        if block.file is not None:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.code, encoding="utf-8")


@pytest.mark.parametrize(("page", "code", "output"), [(page, *pair) for page in PAGES for pair in programs(page)])
def test_a_program_prints_what_the_page_says(page: str, code: str, output: str, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stderr, done.stdout) == ("", output), page


@pytest.mark.parametrize("page", [page for page in PAGES if any("def test_" in block.code for block in python(page))])
def test_a_pages_tests_pass(page: str, tmp_path: Path) -> None:
    code = "\n\n".join(block.code for block in python(page) if "print(" not in block.code)
    (tmp_path / "test_page.py").write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert f"{code.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if session(page)])
def test_a_pages_commands_print_what_it_says(page: str, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    if any(block.remark == "with a database" for block in blocks(page)):
        (tmp_path / ".twilio-component").mkdir()
        prepare_database(tmp_path / ".twilio-component" / "runs.sqlite")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command, output, exit_code in session(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == exit_code, f"{command}{done.stdout}"
        if output.strip():
            expected = ".*?".join(re.escape(part) for part in output.strip().split("…"))
            assert re.fullmatch(expected, done.stdout.strip(), re.DOTALL), done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_every_example_is_run_or_says_why_not(page: str) -> None:
    if page in RUN_ELSEWHERE:
        assert Path(page).name in (ROOT / RUN_ELSEWHERE[page]).read_text(encoding="utf-8")
        return
    module = any("def test_" in block.code for block in python(page))
    left = [
        block.code
        for block in blocks(page)
        if can_run(page, block)
        and (
            (block.kind == "python" and "print(" not in block.code and not module)
            or (block.kind in ("bash", "javascript") and page not in EMULATOR_PAGES)
            or (block.kind == "console" and not block.code.startswith("$ "))
            or block.kind not in ("python", "bash", "javascript", "console", "text", "yaml", "json", "toml")
        )
    ]
    assert left == []


FLOWS = ROOT / "fixtures/flows/integrations"
# How the flows of the fixtures begin, for editors: a path that only a checkout has.
EDITOR_COMMENT = re.compile(r"\A# yaml-language-server: .*\n")


@pytest.mark.parametrize("page", PAGES)
def test_a_flow_of_the_fixtures_is_on_the_page_as_it_is(page: str) -> None:
    for block in blocks(page):
        if block.file is not None and block.code.startswith("definitionVersion: "):
            assert block.code == EDITOR_COMMENT.sub("", (FLOWS / block.file).read_text(encoding="utf-8"))
    assert "fixtures/" not in text_of(page) or page in NAME_FIXTURES
