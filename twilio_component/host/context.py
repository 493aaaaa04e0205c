"""What a perform function is told about the execution it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio_component.host.model import PageRequest
    from twilio_component.host.resources import Resources

_LOGGER = logging.getLogger("twilio_component.execution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The context of one invocation, the field's names in snake case.

    The states are what earlier executions returned to be kept; a perform function changes them by returning a
    ``Result``. ``resources`` belongs to the host and is filled in by it: clients and whatever else is kept open
    between invocations. ``debug`` asks for logs that show requests and answers (never secrets). ``page`` says that one
    page of a list is wanted; it too is filled in by the host.
    """

    logger: logging.Logger | logging.LoggerAdapter[Any] = _LOGGER
    debug: bool = False
    page: PageRequest | None = None
    instance_state: Mapping[str, Any] = field(default_factory=dict)
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
