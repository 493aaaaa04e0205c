"""A seed file: what an emulator holds when it starts, in YAML or JSON."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control.conditions import add_delivery_rule, add_fault, set_timings
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.content_template import ContentTemplate
from twilio_component.emulator.model.message import Message
from twilio_component.emulator.model.messaging_service import MessagingService
from twilio_component.emulator.model.sids import new_sid
from twilio_component.emulator.model.verify_service import VerifyService
from twilio_component.host.errors import InputError, Problem
from twilio_component.host.manifest.documents import Document, PathParts, read_document
from twilio_component.host.manifest.files import shipped_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.state import EmulatorState

_INVALID = "The seed file is not valid"
# Keys that are not settings of the resource.
_OWN = {"sid", "number", "numbers", "senders", "friendlyName"}


def load_seed(state: EmulatorState, path: Path) -> None:
    """Give an emulator everything that a seed file has.

    Raises DocumentError for a file that cannot be read, and InputError, with file, line and path of each problem, for
    one that is not valid; where the emulator itself refuses a value, it is empty afterwards.
    """
    _read_seed(state, path).plant()


def load_seed_conditions(state: EmulatorState, path: Path) -> None:
    """Give an emulator a seed file's faults, delivery rules and timings only: what a state file does not keep.

    The errors are those of `load_seed`.
    """
    _read_seed(state, path).plant_conditions()


def _read_seed(state: EmulatorState, path: Path) -> _Seed:
    from jsonschema import Draft202012Validator

    from twilio_component.host.inputs.messages import error_messages

    document = read_document(path)
    schema = json.loads(shipped_file("schemas/emulator-seed.schema.json").read_text(encoding="utf-8"))
    found = error_messages(Draft202012Validator(schema).iter_errors(document.data))
    if found:
        raise InputError(_INVALID, [document.problem(path, text) for path, text in found])
    return _Seed(state, document)


class _Seed:
    """A document whose shape is right; a value may still be one that the emulator refuses."""

    def __init__(self, state: EmulatorState, document: Document) -> None:
        self._state = state
        self._document = document
        self._data: Mapping[str, Any] = document.data
        self._problems: list[Problem] = []

    def plant(self) -> None:
        """Add everything. Raises InputError where something is refused, after which the emulator is empty."""
        for index, wanted in enumerate(self._data.get("accounts", [])):
            self._attempt(("accounts", index), self._add_account, ("accounts", index), wanted)
        for number, packages in self._data.get("lookups", {}).items():
            self._attempt(("lookups", number), partial(self._state.lookups.add_facts, number, **packages))
        self.plant_conditions()

    def plant_conditions(self) -> None:
        """Switch on the faults, the delivery rules and the timings. Raises InputError as `plant` does."""
        for index, fault in enumerate(self._data.get("faults", [])):
            self._attempt(("faults", index), add_fault, self._state, dict(fault))
        for index, rule in enumerate(self._data.get("deliveryRules", [])):
            self._attempt(("deliveryRules", index), add_delivery_rule, self._state, dict(rule))
        self._attempt(("timings",), set_timings, self._state, dict(self._data.get("timings", {})))
        if self._problems:
            self._state.reset()
            raise InputError(_INVALID, self._problems)

    def _attempt(self, path: PathParts, action: Callable[..., Any], *arguments: Any) -> None:
        try:
            action(*arguments)
        except (ValueError, TypeError, KeyError, ApiError) as error:
            self._problems.append(self._document.problem(path, str(error)))

    def _add_account(self, path: PathParts, wanted: Mapping[str, Any]) -> None:
        account = self._account(wanted)
        account.friendly_name = wanted.get("friendlyName", account.friendly_name)
        now = self._state.clock.now()
        kinds: dict[str, Callable[[Account, Mapping[str, Any], float], None]] = {
            "numbers": self._add_number,
            "services": _add_service,
            "verifyServices": _add_verify_service,
            "templates": _add_template,
            "optOuts": _add_opt_out,
            "messages": _add_message,
        }
        for kind, add in kinds.items():
            for index, one in enumerate(wanted.get(kind, [])):
                self._attempt((*path, kind, index), add, account, one, now)

    def _account(self, wanted: Mapping[str, Any]) -> Account:
        accounts = self._state.accounts
        if "authToken" in wanted:
            test = bool(wanted.get("test", False))
            return accounts.declare(
                wanted.get("sid"), wanted["authToken"], api_keys=dict(wanted.get("apiKeys", {})), test=test
            )
        if {"apiKeys", "test"} & wanted.keys():
            raise ValueError("apiKeys and test need an authToken: without one every secret is accepted")
        return accounts.get(wanted["sid"]) if "sid" in wanted else accounts.default_account()

    def _add_number(self, account: Account, wanted: Mapping[str, Any], _: float) -> None:
        number = self._state.add_number(wanted["number"], account=account, **_settings(wanted))
        if "sid" in wanted:
            del account.numbers[number.sid]
            number.sid = wanted["sid"]
            account.numbers[number.sid] = number


def _add_service(account: Account, wanted: Mapping[str, Any], now: float) -> None:
    service = MessagingService(account.sid, wanted["friendlyName"], now, sid=wanted.get("sid") or new_sid("MG"))
    service.settings.update(_known_settings(wanted, service.settings))
    service.channel_senders.extend(addresses.sender(one) for one in wanted.get("senders", []))
    for text in wanted.get("numbers", []):
        number = account.number_of(text)
        if number is None:
            raise ValueError(f"{text} is not a number of the account")
        service.pool[number.sid] = number
    account.services[service.sid] = service


def _add_verify_service(account: Account, wanted: Mapping[str, Any], now: float) -> None:
    service = VerifyService(account.sid, wanted["friendlyName"], now, sid=wanted.get("sid") or new_sid("VA"))
    service.settings.update(_known_settings(wanted, service.settings))
    account.verify_services[service.sid] = service


def _add_template(account: Account, wanted: Mapping[str, Any], now: float) -> None:
    template = ContentTemplate(
        account.sid,
        wanted["friendlyName"],
        now,
        {"twilio/text": {"body": wanted["body"]}},
        dict(wanted.get("variables", {})),
        wanted.get("language", "en"),
        wanted.get("sid") or new_sid("HX"),
    )
    account.templates[template.sid] = template


def _add_opt_out(account: Account, wanted: Mapping[str, Any], _: float) -> None:
    account.opt_outs.add(wanted["sender"], wanted["recipient"])


def _add_message(account: Account, wanted: Mapping[str, Any], now: float) -> None:
    direction = wanted.get("direction", "outbound-api")
    created = now - wanted.get("secondsAgo", 0)
    account.messages.append(
        Message(
            sid=new_sid("SM"),
            account_sid=account.sid,
            to=addresses.recipient(wanted["to"]) if direction != "inbound" else addresses.sender(wanted["to"]),
            sender=addresses.sender(wanted["from"]),
            body=wanted["body"],
            status="received" if direction == "inbound" else "delivered",
            created=created,
            direction=direction,
            sent=created,
            segments=1,
        )
    )


def _settings(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a resource: the keys of the file are camelCase, those of the resource snake_case."""
    return {_snake_case(key): value for key, value in wanted.items() if key not in _OWN}


def _known_settings(wanted: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    settings = _settings(wanted)
    unknown = settings.keys() - known.keys()
    if unknown:
        raise ValueError(f"a service has no {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    return settings


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", lambda letter: f"_{letter[1].lower()}", name)
