"""What a perform function receives about its execution."""

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


async def _keep_with_result(_state: Mapping[str, Any]) -> None:
    """Do nothing: a host of this kind stores states only after the invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The context of one invocation.

    The states are what earlier executions returned; a perform function changes them by returning a ``Result``.
    The host fills in ``resources`` (clients and other objects that stay open between invocations) and ``page`` (the
    page of a list to fetch, if only one is wanted). ``debug`` asks for logs that show requests and responses, never
    secrets.

    ``waited`` is how many seconds ago an action that waits was first called. With ``asks_again`` the caller does the
    waiting: it then gets ``{"again": seconds}`` instead of data.

    With ``attempt_seconds`` the caller repeats what was certainly not processed: an action then makes one request,
    which is over within that time.

    ``keep_instance_state`` stores keys of the instance state at once (None removes one). Await it before changing
    something elsewhere, so that the state survives if this process dies in between. Deploying and deleting need it.
    """

    logger: logging.Logger | logging.LoggerAdapter[Any] = _LOGGER
    debug: bool = False
    page: PageRequest | None = None
    waited: float = 0.0
    asks_again: bool = False
    attempt_seconds: float | None = None
    instance_state: Mapping[str, Any] = field(default_factory=dict)
    keep_instance_state: KeepState = _keep_with_result
    cross_flow_state: Mapping[str, Any] = field(default_factory=dict)
    execution_state: Mapping[str, Any] = field(default_factory=dict)
    integration_state: Mapping[str, Any] = field(default_factory=dict)
    config_vars: Mapping[str, Any] = field(default_factory=dict, repr=False)
    step_id: str = ""
    execution_id: str = ""
    webhook_urls: Mapping[str, str] = field(default_factory=dict)
    webhook_api_keys: Mapping[str, list[str]] = field(default_factory=dict, repr=False)
    invoke_url: str = ""
    customer: Mapping[str, Any] = field(default_factory=dict)
    instance: Mapping[str, Any] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)
    integration: Mapping[str, Any] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)
    started_at: str = ""
    resources: Resources = field(default=None, repr=False)  # type: ignore[assignment]  # the host fills it in

    @property
    def request_seconds(self) -> float | None:
        """The time limit of the one request that ``attempt_seconds`` allows; None without it.

        The request ends before the caller gives up, so that it is known whether it was written.
        """
        return None if self.attempt_seconds is None else 0.9 * self.attempt_seconds
