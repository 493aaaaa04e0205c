"""The line about a request: which of them an operator sees unless asked for more."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from twilio_component.serving.access_log import FLOW, STATUS_CALLBACK, AccessLog


@pytest.mark.parametrize(
    ("flow", "status", "level"),
    [
        ("Reply", 204, logging.INFO),
        (STATUS_CALLBACK, 204, logging.DEBUG),
        (STATUS_CALLBACK, 403, logging.INFO),
        ("", 404, logging.INFO),
    ],
)
async def test_a_status_callback_without_an_error_is_a_line_for_debugging(
    flow: str, status: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def ignore(_message: Any = None) -> None:
        """Neither the request's body nor the response is looked at."""

    caplog.set_level(logging.DEBUG, "twilio_component.access")
    await AccessLog(respond)({"type": "http", "path": "/", "method": "POST", FLOW: flow}, ignore, ignore)
    assert [(record.levelno, record.__dict__["status"]) for record in caplog.records] == [(level, status)]
