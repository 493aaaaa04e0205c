"""Generated pages say what their sources say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.reference import main

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parent.parent / "docs"


def test_the_pages_are_up_to_date() -> None:
    assert main(["--check", str(DOCS)]) == 0


def test_a_page_that_is_not_up_to_date_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "inputs.md").write_text("old")
    assert main(["--check", str(tmp_path)]) == 1
    assert "inputs.md" in capsys.readouterr().err
