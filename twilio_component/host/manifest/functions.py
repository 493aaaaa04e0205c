"""Whether a function can be called as the manifest's key calls it: seen in its signature, without calling it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.manifest.documents import PathParts

# The arguments of each function that a manifest names, by its key; those of `perform` differ by the section.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "check": ("host", "connection"),
    "page": ("context", "inputs", "after"),
    "lookFor": ("context", "inputs", "since"),
    "onInstanceDeploy": ("context", "inputs"),
    "onInstanceDelete": ("context", "inputs"),
    "clean": ("value", "inputs"),
    "identifyEvent": ("payload",),
    "identifyReply": ("payload",),
    "identifyReport": ("payload",),
}
_PERFORMED: Mapping[str, tuple[str, ...]] = {
    "actions": ("context", "inputs"),
    "dataSources": ("context", "inputs"),
    "triggers": ("context", "payload", "inputs"),
}
_ASYNCHRONOUS = frozenset({"perform", "check", "page", "lookFor", "onInstanceDeploy", "onInstanceDelete"})
# What an ordinary function may say that it returns, and be awaited all the same.
_AWAITED = ("Awaitable", "Coroutine", "Future", "Task")


def misuse(function: Callable[..., Any], place: PathParts) -> Iterator[str]:
    """Yield why the function at this place of a manifest cannot be called as hosts call it.

    An ordinary function that says in its annotation that it returns an awaitable is taken at its word.
    """
    section, key = str(place[0]), str(place[-1])
    arguments = _PERFORMED.get(section, ()) if key == "perform" else _ARGUMENTS.get(key, ())
    signature = _signature(function)
    if signature is None or not arguments:
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        yield f"takes ({', '.join(signature.parameters)}), and is called with ({', '.join(arguments)})"
    inner = inspect.unwrap(function)
    is_plain = inspect.isfunction(inner) and not inspect.iscoroutinefunction(inner)
    returned = str(signature.return_annotation)
    if key in _ASYNCHRONOUS and is_plain and not any(name in returned for name in _AWAITED):
        yield "must be an 'async def'"


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # a function of an extension module may have none
        return None
