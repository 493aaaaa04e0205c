"""Generated pages say what their sources say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from generate import main
from support.pages import needs_every_extra

from twilio_component.host import load_component
from twilio_component.twilio.plugin import manifest_file

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[2] / "docs"


@needs_every_extra
def test_the_pages_are_up_to_date() -> None:
    assert main(["--check", str(DOCS)]) == 0


def test_everything_that_the_published_component_takes_is_taken_here() -> None:
    published = json.loads((DOCS / "comparison.json").read_text(encoding="utf-8"))
    manifest = load_component(manifest_file()).manifest
    missing = [
        (section, key, name)
        for section in ("connections", "triggers", "actions", "dataSources")
        for key, names in published[section].items()
        for name in names
        if name not in manifest[section][key]["inputs"]["properties"]
    ]
    assert missing == []


@needs_every_extra
def test_a_page_that_is_not_up_to_date_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    (tmp_path / "reference/inputs.md").write_text("old")
    assert main(["--check", str(tmp_path)]) == 1
    assert "reference/inputs.md" in capsys.readouterr().err
