"""Examples in the documentation are run, and what they print is compared with what the page says."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from generate import error_kinds

from twilio_component.cli.main import _parser
from twilio_component.host import hookspecs, load_component
from twilio_component.twilio.plugin import manifest_file

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    "README.md",
    "docs/how-to/plugins.md",
    "docs/how-to/testing.md",
    "docs/reference/flow-language.md",
    "docs/how-to/webhooks.md",
]


def blocks(page: str) -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def programs(page: str) -> list[tuple[str, str]]:
    """The page's Python programs, each with the text block that follows it as its output."""
    found = blocks(page)
    following = [*found[1:], ("", "")]
    return [
        (code, output if kind_of_next == "text" else "")
        for (kind, code), (kind_of_next, output) in zip(found, following, strict=True)
        if kind == "python" and "print(" in code
    ]


@pytest.mark.parametrize(("code", "output"), [pair for page in PAGES for pair in programs(page)])
def test_a_program_prints_what_the_page_says(code: str, output: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stderr, done.stdout) == ("", output)


@pytest.mark.parametrize("page", [page for page in PAGES if any("def test_" in code for _, code in blocks(page))])
def test_a_pages_tests_pass(page: str, tmp_path: Path) -> None:
    code = "\n".join(code for kind, code in blocks(page) if kind == "python" and "print(" not in code)
    (tmp_path / "test_page.py").write_text(code, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "test_page.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


EVERYTHING = "\n".join(page.read_text(encoding="utf-8") for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_command_is_documented() -> None:
    parsers = next(action for action in _parser("")._actions if isinstance(action, argparse._SubParsersAction))
    missing = [
        name
        for name in parsers.choices
        if f"twilio-component {name}" not in EVERYTHING and f"make {name}" not in EVERYTHING
    ]
    assert missing == []


def test_every_operation_every_hook_and_every_error_code_is_documented() -> None:
    component = load_component(manifest_file())
    hooks = [name for name in vars(hookspecs) if name.startswith(("perform_", "register_"))]
    keys = [*component.actions, *component.triggers, *component.data_sources, *component.connections]
    codes = [kind.code for kind in error_kinds()]
    everywhere = {
        code
        for path in (ROOT / "twilio_component").rglob("*.py")
        for code in re.findall(r'^    code = "([a-z-]+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert everywhere == set(codes)
    assert [name for name in (*hooks, *keys, *codes) if f"`{name}" not in EVERYTHING] == []


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_a_pages_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
