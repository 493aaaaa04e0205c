"""What an emulator holds, kept in a JSON file: accounts and all that belongs to them, and what Lookup says.

Faults, delivery rules, and the log of requests and webhooks are not kept. Messages that were on their way when the file
was written continue when it is read.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.model.content_template import ContentTemplate
from twilio_component.emulator.model.message import Media, Message
from twilio_component.emulator.model.messaging_service import MessagingService
from twilio_component.emulator.model.phone_number import PhoneNumber
from twilio_component.emulator.model.verification import Verification
from twilio_component.emulator.model.verify_service import Bucket, RateLimit, VerifyService
from twilio_component.emulator.request_log import RequestRecord
from twilio_component.host.errors import DocumentError, InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.model.message_log import MessageLog
    from twilio_component.emulator.request_log import WebhookRecord
    from twilio_component.emulator.state import EmulatorState

VERSION = 1
_INVALID = "The emulator's state is not valid"


def save_state(state: EmulatorState, path: Path) -> None:
    """Write what an emulator holds to a file that only its owner may read, in one step.

    Raises DocumentError where the file cannot be written.
    """
    write_state(dump_state(state), path)


async def keep_state(state: EmulatorState, path: Path, *, interval: float = 1.0) -> None:
    """Save what an emulator holds whenever it has changed, every ``interval`` seconds at most, until cancelled.

    Raises DocumentError where the file cannot be written.
    """
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note_request(record: RequestRecord | WebhookRecord) -> None:
        if isinstance(record, RequestRecord) and record.request.method != "GET":
            loop.call_soon_threadsafe(changed.set)

    async def note_changes() -> None:
        async for batch in state.feed.watch(None):
            if batch:
                changed.set()

    state.request_log.listeners.append(note_request)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(note_changes())
            while True:
                await changed.wait()
                changed.clear()
                await asyncio.to_thread(write_state, dump_state(state), path)
                await asyncio.sleep(interval)
    finally:
        state.request_log.listeners.remove(note_request)
        save_state(state, path)


def write_state(content: Mapping[str, Any], path: Path) -> None:
    """Write what `dump_state` returned. Raises DocumentError where that is not possible."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    try:
        with NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        problem = Problem("", error.strerror or str(error), str(path))
        raise DocumentError("The emulator's state cannot be written", [problem]) from error


def load_state(state: EmulatorState, path: Path) -> None:
    """Replace what an emulator holds by what a file has.

    Raises DocumentError for a file that cannot be read, and InputError for one that `save_state` did not write.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = Problem("", error.strerror or str(error), str(path))
        raise DocumentError("The emulator's state cannot be read", [problem]) from error
    except ValueError as error:
        raise InputError(
            "The emulator's state is not valid", [Problem("", f"it is not JSON: {error}", str(path))]
        ) from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        reason = f"an emulator of this version did not write it: its version must be {VERSION}"
        raise InputError(_INVALID, [Problem("$.version", reason, str(path))])
    try:
        restore_state(state, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        state.reset()
        reason = f"it was changed since an emulator wrote it ({type(error).__name__}: {error})"
        raise InputError(_INVALID, [Problem("", reason, str(path))]) from error


def dump_state(state: EmulatorState) -> dict[str, Any]:
    """Return what an emulator holds as plain JSON."""
    return {
        "version": VERSION,
        "strict": state.accounts.strict,
        "accounts": [_dump_account(one) for one in state.accounts],
        "lookups": state.lookups.as_json(),
    }


def restore_state(state: EmulatorState, content: Mapping[str, Any]) -> None:
    """Replace what an emulator holds by what `dump_state` returned."""
    state.reset()
    for one in content["accounts"]:
        _restore_account(state, one)
    state.accounts.strict = content["strict"]
    for number, packages in content["lookups"].items():
        state.lookups.add_facts(number, **packages)


def _dump_account(account: Account) -> dict[str, Any]:
    own = ("sid", "auth_token", "created", "friendly_name", "owner_sid", "shared_key", "test", "status", "updated")
    return {
        **{name: getattr(account, name) for name in (*own, "api_keys")},
        "numbers": [asdict(one) for one in account.numbers.values()],
        "services": [{**asdict(one), "pool": [*one.pool]} for one in account.services.values()],
        "templates": [asdict(one) for one in account.templates.values()],
        "opt_outs": account.opt_outs.pairs(),
        "verify_services": [_dump_verify_service(one) for one in account.verify_services.values()],
        "messages": [_dump_message(one) for one in account.messages],
        # Oldest first in the order of lists, which a scheduled message changes.
        "listed": [message.sid for _, message in account.messages.oldest_first(-1)],
        "code_messages": [_dump_message(one) for one in account.code_messages],
    }


def _restore_account(state: EmulatorState, content: Mapping[str, Any]) -> None:
    content = dict(content)
    inside = {
        name: content.pop(name)
        for name in (
            "numbers",
            "services",
            "templates",
            "opt_outs",
            "verify_services",
            "messages",
            "listed",
            "code_messages",
        )
    }
    shared_key = content.pop("shared_key")
    account = state.accounts.restore(**content, shared_key=tuple(shared_key) if shared_key else None)
    account.numbers.update((one["sid"], _restore(PhoneNumber, one)) for one in inside["numbers"])
    for one in inside["services"]:
        pool = {sid: account.numbers[sid] for sid in one["pool"]}
        account.services[one["sid"]] = _restore(MessagingService, {**one, "pool": pool})
    account.templates.update((one["sid"], _restore(ContentTemplate, one)) for one in inside["templates"])
    for sender, recipient in inside["opt_outs"]:
        account.opt_outs.add(sender, recipient)
    _restore_messages(state, account.messages, inside["messages"])
    for sid in inside["listed"]:
        message = account.messages.get(sid)
        if message is not None:
            account.messages.bring_forward(message)
    _restore_messages(state, account.code_messages, inside["code_messages"])
    for one in inside["verify_services"]:
        account.verify_services[one["sid"]] = _restore_verify_service(account, one)


def _dump_message(message: Message) -> dict[str, Any]:
    media = [{**asdict(one), "content": base64.b64encode(one.content).decode()} for one in message.media]
    return {**asdict(message), "media": media}


def _restore_messages(state: EmulatorState, log: MessageLog, messages: Iterable[Mapping[str, Any]]) -> None:
    for one in messages:
        media = [Media(**{**file, "content": base64.b64decode(file["content"])}) for file in one["media"]]
        history = [(at, status) for at, status in one["history"]]
        message = _restore(Message, {**one, "media": media, "history": history})
        log.append(message)
        state.lifecycle.resume(message, log)


def _dump_verify_service(service: VerifyService) -> dict[str, Any]:
    own = ("account_sid", "friendly_name", "created", "sid", "updated", "declared", "settings")
    limits = [
        {
            **{name: getattr(limit, name) for name in ("unique_name", "created", "description", "sid", "updated")},
            "buckets": [
                {name: getattr(bucket, name) for name in ("maximum", "interval", "created", "sid", "updated")}
                for bucket in limit.buckets.values()
            ],
        }
        for limit in service.rate_limits.values()
    ]
    verifications = []
    for one in service.verifications.values():
        names = [name for name in Verification.__slots__ if name != "sends"]
        verifications.append({name: getattr(one, name) for name in names} | {"sends": [sent.sid for sent in one.sends]})
    return {**{name: getattr(service, name) for name in own}, "rate_limits": limits, "verifications": verifications}


def _restore_verify_service(account: Account, content: Mapping[str, Any]) -> VerifyService:
    limits = {}
    for one in content["rate_limits"]:
        buckets = {bucket["sid"]: _restore(Bucket, bucket) for bucket in one["buckets"]}
        limits[one["sid"]] = _restore(RateLimit, {**one, "buckets": buckets})
    verifications = {}
    for one in content["verifications"]:
        sent = [account.code_messages.get(sid) for sid in one["sends"]]
        sends = [message for message in sent if message is not None]
        verifications[one["sid"]] = _restore(Verification, {**one, "sends": sends})
    service: VerifyService = _restore(VerifyService, {**content, "rate_limits": limits, "verifications": verifications})
    return service


def _restore(kind: Any, content: Mapping[str, Any]) -> Any:
    """Return an object of a dataclass with exactly the values of ``content``, also those that it sets by itself."""
    # The constructor adds to lists, such as the history of a message.
    made = kind(**{name: [*value] if isinstance(value, list) else value for name, value in content.items()})
    for name, value in content.items():
        setattr(made, name, value)
    return made
