"""The conditions that the control API switches on: faults, delivery rules, and the durations of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control import arguments
from twilio_component.emulator.control.arguments import (
    COUNT,
    FLAG,
    INTEGER,
    SECONDS,
    TEXT,
    Argument,
    read_arguments,
)
from twilio_component.emulator.control.views import CONDITIONS, delivery_rule_view, fault_view
from twilio_component.emulator.errors import NotThereError
from twilio_component.emulator.faults import Fault
from twilio_component.host.errors import join_names

if TYPE_CHECKING:
    from twilio_component.emulator.state import EmulatorState

# Names in JSON, what Python calls them, and the options of each.
_FAULT_OPTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "rateLimit": ("rate_limit", {"retryAfter": "retry_after"}),
    "serverError": ("server_error", {"status": "status", "accepted": "accepted"}),
    "html": ("html", {"status": "status", "accepted": "accepted"}),
    "blank": ("blank", {"content": "content", "accepted": "accepted"}),
    "apiError": ("api_error", {"code": "code", "status": "status", "message": "message"}),
    "refuse": ("refuse", {"seconds": "seconds"}),
    "drop": ("drop", {"accepted": "accepted"}),
    "cutOff": ("cut_off", {"share": "share"}),
    "slow": ("slow", {"seconds": "seconds", "pieces": "pieces"}),
    "doubleCallbacks": ("double_callbacks", {}),
    "swapCallbacks": ("swap_callbacks", {}),
}


_ARGUMENTS = {
    **arguments.CONDITIONS,
    "operation": TEXT,
    "retryAfter": SECONDS,
    "status": INTEGER,
    "code": Argument("an integer", required=True),
    "message": TEXT,
    "content": TEXT,
    "accepted": FLAG,
    "seconds": SECONDS,
    "pieces": COUNT,
    "share": SECONDS,
}
# Faults that are a setting: their method, and its argument.
_SETTINGS = {
    "lagLists": ("lag_lists", "seconds", Argument("a number", required=True, least=0)),
    "skewClock": ("skew_clock", "seconds", Argument("a number", required=True)),
    "shiftPages": ("shift_pages", "records", Argument("an integer", required=True)),
}
_ENDINGS = ("delivered", "undelivered", "failed", "sent", "read")


def set_timings(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Set how many seconds a message spends in each status."""
    durations = state.lifecycle.durations
    for status in wanted:
        if not hasattr(durations, status):
            raise ValueError(f"no message waits in the status {status!r}")
    seconds = read_arguments("the timings", dict.fromkeys(wanted, SECONDS), wanted)
    for status, duration in seconds.items():
        setattr(durations, status, float(duration))


def add_fault(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Switch a fault on; returns its number where it can be removed by itself."""
    name = wanted.get("fault")
    faults = state.faults
    if name in _SETTINGS:
        method, key, argument = _SETTINGS[name]
        read = read_arguments(name, {"fault": TEXT, key: argument}, wanted)
        getattr(faults, method)(read[key])
        return None
    if name not in _FAULT_OPTIONS:
        known = ", ".join((*_FAULT_OPTIONS, *_SETTINGS))
        raise ValueError(f"there is no fault {name!r}; there are {known}")
    method, options = _FAULT_OPTIONS[name]
    known_keys = options | CONDITIONS
    types = {**{key: _ARGUMENTS[key] for key in known_keys}, "fault": TEXT}
    read = read_arguments(name, types, wanted)
    added = getattr(faults, method)(**{known_keys[key]: read[key] for key in read if key != "fault"})
    return {"number": added.number} if isinstance(added, Fault) else None


def list_faults(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the faults that still apply."""
    return {"faults": [fault_view(fault) for fault in state.faults.active]}


def clear_faults(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Remove every fault, or the one with a ``number``."""
    if "number" not in wanted:
        state.faults.clear()
        return
    number = wanted["number"]
    found = next((fault for fault in state.faults.active if fault.number == number), None)
    if found is None:
        raise _not_switched_on("fault", number, [fault.number for fault in state.faults.active])
    state.faults.remove(found)


def add_delivery_rule(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Add a rule for how messages end; returns its number."""
    ending = wanted.get("ending")
    if ending not in _ENDINGS:
        raise ValueError(f"a message does not end as {ending!r}; it ends as {', '.join(_ENDINGS)}")
    conditions = {python: wanted[key] for key, python in CONDITIONS.items() if key in wanted and key != "operation"}
    default = {"failed": 30008, "undelivered": 30003}.get(ending)
    delay = float(wanted.get("delay", 0))
    added = state.lifecycle.add_rule(ending, wanted.get("code", default), delay=delay, **conditions)
    return {"number": added.number}


def list_delivery_rules(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the delivery rules."""
    return {"deliveryRules": [delivery_rule_view(one) for one in state.lifecycle.rules]}


def clear_delivery_rules(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Remove every delivery rule, or the one with a ``number``."""
    if "number" in wanted:
        number, rules = wanted["number"], state.lifecycle.rules
        if all(one.number != number for one in rules):
            raise _not_switched_on("delivery rule", number, [one.number for one in rules])
        rules[:] = [one for one in rules if one.number != number]
    else:
        state.lifecycle.rules.clear()


def _not_switched_on(noun: str, number: int, numbers: list[int]) -> NotThereError:
    known = join_names(sorted(numbers)) if numbers else "none"
    return NotThereError(f"there is no {noun} {number}: it never was, is used up or was removed; there is {known}")
