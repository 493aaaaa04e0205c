"""States in files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from twilio_component.host.errors import DocumentError, InputError
from twilio_component.host.state_file import StateFile, apply_changes


def test_a_state_is_changed_key_by_key_and_none_removes_one() -> None:
    assert apply_changes({"a": 1, "b": 2}, {"b": None, "c": 3}) == {"a": 1, "c": 3}


async def test_what_is_kept_in_a_file_is_there_again_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    file = StateFile(path)
    assert file.state == {}
    await file.keep({"a": {"x": "é"}, "b": 1})
    await file.keep({"b": None})
    assert StateFile(path).state == {"a": {"x": "é"}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


async def test_a_file_that_is_not_a_state_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps([]))
    with pytest.raises(InputError, match="must be a JSON object"):
        StateFile(path)
    with pytest.raises(DocumentError, match="cannot be written"):
        await StateFile(tmp_path / "nowhere" / "state.json").keep({})
