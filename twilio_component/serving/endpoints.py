"""The paths of webhooks: one for each flow that a request can start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twilio_component.durable.errors import DurableError
from twilio_component.flows import control_steps
from twilio_component.flows.runner.trigger_payload import webhook_urls

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, Loaded
    from twilio_component.flows.model import Flow

# Twilio retries after a 503 only where the URL says so; the fragment is for Twilio and is never sent.
RETRIES = "#rc=5&rp=all"


@dataclass(frozen=True, slots=True)
class Served:
    """A definition that is served: its file, its text, and the digest by which runs refer to it."""

    file: str
    text: str
    digest: str
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A flow and the URL that starts it."""

    served: Served
    flow: Flow
    url: str

    @property
    def path(self) -> str:
        """The URL's path below the public URL's host."""
        return urlsplit(self.url).path

    @property
    def url_for_twilio(self) -> str:
        """The URL to paste into Twilio's console."""
        return self.url + RETRIES


def endpoints(deployment: Deployment, served: Iterable[Served]) -> Mapping[str, Endpoint]:
    """Return the endpoints by their paths.

    Raises ``DurableError`` when two flows have the same path, and for a flow that nothing would ever start.
    """
    found: dict[str, Endpoint] = {}
    for one in served:
        integration = one.loaded.integration
        urls = webhook_urls(integration, deployment.webhook_base(integration))
        for flow in integration.flows:
            if flow.trigger.schedule is not None or flow.trigger.operation == control_steps.SCHEDULE:
                continue  # only the clock starts it
            if _polls(deployment, flow):
                raise DurableError(
                    f"the flow '{flow.name}' of {one.file} polls, but has no schedule: add one beside its trigger's "
                    'action, such as schedule: "*/5 * * * *"'
                )
            endpoint = Endpoint(one, flow, urls[flow.name])
            other = found.setdefault(endpoint.path, endpoint)
            if other is not endpoint:
                raise DurableError(
                    f"the flow '{flow.name}' of {one.file} and the flow '{other.flow.name}' of {other.served.file} "
                    f"would have the same path {endpoint.path}: rename one of them, or its integration"
                )
    return found


def _polls(deployment: Deployment, flow: Flow) -> bool:
    """Return whether the flow's trigger polls, and so is started by no request."""
    component = deployment.host.components.get(flow.trigger.component)
    trigger = component.triggers.get(flow.trigger.action) if component is not None else None
    return trigger is not None and bool(trigger.options.get("polls"))
