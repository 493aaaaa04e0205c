"""What a perform function is told about the execution it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.resources import Resources
    from twilio_component.host.results import PageRequest

KeepState = Callable[[Mapping[str, Any]], Awaitable[None]]

_LOGGER = logging.getLogger("twilio_component.execution")


async def _kept_with_the_result(_state: Mapping[str, Any]) -> None:
    """What a host does that keeps states only when an invocation has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The context of one invocation, the field's names in snake case.

    The states are what earlier executions returned to be kept; a perform function changes them by returning a
    ``Result``. ``resources`` belongs to the host and is filled in by it: clients and whatever else is kept open
    between invocations. ``debug`` asks for logs that show requests and answers (never secrets). ``page`` says that one
    page of a list is wanted; it too is filled in by the host.

    ``waited`` is how many seconds before this invocation an action that waits was first asked. With ``asks_again`` the
    caller waits for it: it then gets ``{"again": seconds}`` instead of data.

    ``keep_instance_state`` keeps keys of the instance state at once (None removes one): awaited before something is
    changed elsewhere, it is there again should this process die in between. Deploying and deleting need it.
    """

    logger: logging.Logger | logging.LoggerAdapter[Any] = _LOGGER
    debug: bool = False
    page: PageRequest | None = None
    waited: float = 0.0
    asks_again: bool = False
    instance_state: Mapping[str, Any] = field(default_factory=dict)
    keep_instance_state: KeepState = _kept_with_the_result
    cross_flow_state: Mapping[str, Any] = field(default_factory=dict)
    execution_state: Mapping[str, Any] = field(default_factory=dict)
    integration_state: Mapping[str, Any] = field(default_factory=dict)
    config_vars: Mapping[str, Any] = field(default_factory=dict)
    step_id: str = ""
    execution_id: str = ""
    webhook_urls: Mapping[str, str] = field(default_factory=dict)
    webhook_api_keys: Mapping[str, list[str]] = field(default_factory=dict)
    invoke_url: str = ""
    customer: Mapping[str, Any] = field(default_factory=dict)
    instance: Mapping[str, Any] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    integration: Mapping[str, Any] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)
    started_at: str = ""
    resources: Resources = field(default=None, repr=False)  # type: ignore[assignment]  # the host fills it in
