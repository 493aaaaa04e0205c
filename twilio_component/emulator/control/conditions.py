"""The conditions that the control API switches on: faults, delivery rules, and the durations of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.control.views import CONDITIONS, delivery_rule_view, fault_view
from twilio_component.emulator.faults import Fault

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


_ENDINGS = ("delivered", "undelivered", "failed", "sent", "read")


def set_timings(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Set how many seconds a message spends in each status."""
    durations = state.lifecycle.durations
    for status, seconds in wanted.items():
        if not hasattr(durations, status):
            raise ValueError(f"no message waits in the status {status!r}")
        setattr(durations, status, float(seconds))


def add_fault(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Switch a fault on; returns its number where it can be removed by itself."""
    name = wanted.get("fault")
    faults = state.faults
    if name == "lagLists":
        return faults.lag_lists(float(wanted["seconds"]))
    if name == "shiftPages":
        return faults.shift_pages(int(wanted["records"]))
    if name == "skewClock":
        return faults.skew_clock(float(wanted["seconds"]))
    if name not in _FAULT_OPTIONS:
        known = ", ".join((*_FAULT_OPTIONS, "lagLists", "shiftPages", "skewClock"))
        raise ValueError(f"there is no fault {name!r}; there are {known}")
    method, options = _FAULT_OPTIONS[name]
    known_keys = options | CONDITIONS
    unknown = wanted.keys() - known_keys.keys() - {"fault"}
    if unknown:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}; it has {', '.join(known_keys)}")
    added = getattr(faults, method)(**{known_keys[key]: wanted[key] for key in wanted if key != "fault"})
    return {"number": added.number} if isinstance(added, Fault) else None


def list_faults(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the faults that still apply."""
    return {"faults": [fault_view(fault) for fault in state.faults.active]}


def clear_faults(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Remove every fault, or the one with a ``number``."""
    if "number" not in wanted:
        state.faults.clear()
        return
    number = int(wanted["number"])
    for fault in state.faults.active:
        if fault.number == number:
            state.faults.remove(fault)


def add_delivery_rule(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Add a rule for how messages end; returns its number."""
    ending = wanted.get("ending")
    if ending not in _ENDINGS:
        raise ValueError(f"a message does not end as {ending!r}; it ends as {', '.join(_ENDINGS)}")
    conditions = {python: wanted[key] for key, python in CONDITIONS.items() if key in wanted and key != "operation"}
    default = {"failed": 30008, "undelivered": 30003}.get(ending)
    delay = float(wanted.get("delay", 0))
    if delay < 0:
        raise ValueError(f"a message is late by 0 seconds or more, not by {delay:g}")
    added = state.lifecycle.add_rule(ending, wanted.get("code", default), delay=delay, **conditions)
    return {"number": added.number}


def list_delivery_rules(state: EmulatorState, _: dict[str, Any]) -> Any:
    """Return the delivery rules."""
    return {"deliveryRules": [delivery_rule_view(one) for one in state.lifecycle.rules]}


def clear_delivery_rules(state: EmulatorState, wanted: dict[str, Any]) -> Any:
    """Remove every delivery rule, or the one with a ``number``."""
    if "number" in wanted:
        number = int(wanted["number"])
        state.lifecycle.rules[:] = [one for one in state.lifecycle.rules if one.number != number]
    else:
        state.lifecycle.rules.clear()
