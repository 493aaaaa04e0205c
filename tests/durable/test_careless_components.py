"""What a component does that it should not: it tells secrets, or ends the process. The runs of others go on."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.engine import COUNT, serving

from twilio_component.host import Action, Context, PerformError, hookimpl
from twilio_component.testing import emulator_connection

if TYPE_CHECKING:
    import pytest

SECRET = emulator_connection()["fields"]["password"]


class Teller:
    """Logs a secret, and repeats it in its error."""

    @hookimpl
    def perform_action(self, action: Action, context: Context) -> Awaitable[dict[str, Any]] | None:
        return self._tell(context) if action.key == "getInstanceValue" else None

    async def _tell(self, context: Context) -> dict[str, Any]:
        context.logger.info("asking with %s", SECRET)
        raise PerformError(f"refused: {SECRET}")


class Quitter:
    """Ends the process, as a command line's parser does."""

    @hookimpl
    def perform_action(self, action: Action) -> Awaitable[dict[str, Any]] | None:
        return self._quit() if action.key == "getInstanceValue" else None

    async def _quit(self) -> dict[str, Any]:
        sys.exit(3)


async def outcome(tmp_path: Path, plugin: object) -> Mapping[str, Any]:
    async with serving(tmp_path, COUNT, plugins=[plugin]) as served:
        return await served.run("one")


def test_a_secret_that_a_component_tells_is_neither_logged_nor_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ended = asyncio.run(outcome(tmp_path, Teller()))
    assert ended["error"]["message"] == "refused: [hidden]"
    assert "asking with [hidden]" in caplog.text
    assert SECRET not in caplog.text
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


def test_a_component_that_would_end_the_process_fails_its_own_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.run(outcome(tmp_path, Quitter()))
    assert (ended["state"], ended["error"]["code"]) == ("failed", "unexpected-error")
    assert "sys.exit" in caplog.text
