"""Tells receivers of alarms: a URL, a command, a flow."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from twilio_component.durable.alarms.store import MOST_TRIES
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.recovery.periodic import run_periodically
from twilio_component.host.errors import IntegrationError

if TYPE_CHECKING:
    from twilio_component.durable.alarm_receivers import Receivers
    from twilio_component.durable.alarms.store import Alarm, AlarmStore

SIGNATURE_HEADER, ID_HEADER = "X-Twilio-Component-Signature", "X-Twilio-Component-Alarm"
_LOOK_SECONDS = 2.0
_REQUEST_SECONDS, _COMMAND_SECONDS = 10.0, 30.0
_LOGGER = logging.getLogger("twilio_component.alarms")

StartFlow = Callable[[str, str, dict[str, Any]], Awaitable[object]]
"""Starts a flow (by name) as the run with this id, unless it was started before, with the data of its body."""


class NotToldError(Exception):
    """An alarm could not be delivered; the text says why, without the content of the alarm."""


class Alarms:
    """Raises alarms and tells the ``receivers``, until each knows; ``start_flow`` starts the flow among them."""

    def __init__(self, store: AlarmStore, receivers: Receivers, start_flow: StartFlow) -> None:
        self._store = store
        self._receivers = receivers
        self._tell = {"url": self._post, "command": self._run_command, "flow": self._start}
        self._start_flow = start_flow

    async def keep_telling(self) -> None:
        """Look every two seconds, until cancelled."""
        await run_periodically(self._look, _LOOK_SECONDS, "alarms could not be raised or delivered; trying again")

    async def _look(self) -> None:
        try:
            await self.tell()
        except StoreUnavailableError as error:
            _LOGGER.warning("alarms cannot be raised now (%s)", error)

    async def tell(self) -> None:
        """Raise what is to be raised, and tell of what is due; raises ``StoreUnavailableError``."""
        await self._store.raise_alarms(self._receivers.flow)
        for alarm in await self._store.take_due():
            told = list(alarm.told)
            for name in self._receivers.names:
                if name not in told and await self._reaches(name, alarm):
                    told.append(name)
            is_told = set(self._receivers.names) <= set(told)
            if not is_told and alarm.tries >= MOST_TRIES:
                _LOGGER.error("alarm %s is given up after %d tries", alarm.id, alarm.tries)
            await self._store.note(alarm, told, is_over=is_told or alarm.tries >= MOST_TRIES)

    async def _reaches(self, name: str, alarm: Alarm) -> bool:
        try:
            await self._tell[name](alarm)
        except Exception as error:  # noqa: BLE001 - one receiver's trouble must not keep the alarm from the others
            # Only errors that we raise say what is wrong without saying what was sent.
            is_ours = isinstance(error, (NotToldError, IntegrationError))
            reason = str(error) if is_ours else type(error).__name__
            _LOGGER.warning("alarm %s did not reach the %s: %s", alarm.id, self._label(name), reason)
            return False
        return True

    def _label(self, name: str) -> str:
        """A receiver as the log names it; the path of a URL may be a secret."""
        receivers = self._receivers
        if name == "url":
            return f"url at {urlsplit(receivers.url).hostname}"
        return f"command {receivers.command[0]}" if name == "command" else f"flow {receivers.flow}"

    async def _post(self, alarm: Alarm) -> None:
        import aiohttp

        body = alarm.body.encode()
        headers = {
            "Content-Type": "application/json",
            ID_HEADER: alarm.id,
            SIGNATURE_HEADER: signature(self._receivers.secret, self._receivers.url, body),
        }
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.post(self._receivers.url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP
                    raise NotToldError(f"HTTP {response.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotToldError(type(error).__name__) from error

    async def _run_command(self, alarm: Alarm) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._receivers.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise NotToldError(error.strerror or type(error).__name__) from error
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                await process.communicate(alarm.body.encode() + b"\n")
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise NotToldError(f"it did not end within {_COMMAND_SECONDS:g} s") from error
        if process.returncode:
            raise NotToldError(f"it ended with {process.returncode}")

    async def _start(self, alarm: Alarm) -> None:
        await self._start_flow(self._receivers.flow, f"alarm-{alarm.id}", json.loads(alarm.body))


def signature(secret: str, url: str, body: bytes) -> str:
    """The signature of an alarm: HMAC-SHA256 of the URL and the body with the secret, in Base64."""
    return base64.b64encode(hmac.new(secret.encode(), url.encode() + body, hashlib.sha256).digest()).decode()
