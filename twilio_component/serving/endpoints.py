"""The paths of webhooks: one for each flow that a request can start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from twilio_component.durable.errors import DurableError
from twilio_component.flows import control_steps
from twilio_component.flows.runner.trigger_payload import webhook_urls

if TYPE_CHECKING:
    from twilio_component.durable.deployment import Deployment, LoadedDefinition
    from twilio_component.flows.model import Flow

# Twilio retries after a 503 only where the URL says so; the fragment is for Twilio and is never sent.
RETRIES = "#rc=5&rp=all"
# GET is a method only of triggers that declare it: links are followed and prefetched by programs that mean nothing.
METHODS = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A flow and the URL that starts it.

    ``methods`` are those that start the flow. A trigger that ``parses_request`` parses requests itself, and one that
    ``verifies_request`` accepts only what it has verified.
    """

    definition: LoadedDefinition
    flow: Flow
    url: str
    methods: tuple[str, ...] = METHODS
    parses_request: bool = False
    verifies_request: bool = False

    @property
    def path(self) -> str:
        """The URL's path below the public URL's host, decoded, as the web server gives a request's."""
        return unquote(urlsplit(self.url).path)

    @property
    def url_for_twilio(self) -> str:
        """The URL to paste into Twilio's console."""
        return self.url + RETRIES


def endpoints(deployment: Deployment, definitions: Iterable[LoadedDefinition]) -> Mapping[str, Endpoint]:
    """Return the endpoints by their paths.

    Raises ``DurableError`` when two flows have the same path, and for a flow that nothing would ever start.
    """
    found: dict[str, Endpoint] = {}
    for one in definitions:
        integration = one.integration
        urls = webhook_urls(integration, deployment.webhook_base(integration))
        for flow in integration.flows:
            if flow.trigger.schedule is not None or flow.trigger.operation == control_steps.SCHEDULE:
                continue  # only the clock starts it
            if _trigger_options(deployment, flow).get("polls"):
                raise DurableError(
                    f"the flow '{flow.name}' of {one.file} polls, but has no schedule: add one beside its trigger's "
                    'action, such as schedule: "*/5 * * * *"'
                )
            options = _trigger_options(deployment, flow)
            endpoint = Endpoint(
                one,
                flow,
                urls[flow.name],
                methods=tuple(options.get("methods") or METHODS),
                parses_request=bool(options.get("parsesRequest")),
                verifies_request=bool(options.get("verifiesRequest")),
            )
            other = found.setdefault(endpoint.path, endpoint)
            if other is not endpoint:
                raise DurableError(
                    f"the flow '{flow.name}' of {one.file} and the flow '{other.flow.name}' of {other.definition.file} "
                    f"would have the same path {endpoint.path}: rename one of them, or its integration"
                )
    return found


def find_endpoint(endpoints: Mapping[str, Endpoint], path: str) -> Endpoint | None:
    """Return the endpoint whose path is ``path`` or the beginning of it: the rest is the payload's ``pathFragment``."""
    while path not in endpoints:
        path, slash, _ = path.rpartition("/")
        if not slash:
            return None
    return endpoints[path]


def _trigger_options(deployment: Deployment, flow: Flow) -> Mapping[str, Any]:
    """Return what the manifest says of the flow's trigger; nothing for one that is not installed."""
    component = deployment.host.components.get(flow.trigger.component)
    trigger = component.triggers.get(flow.trigger.action) if component is not None else None
    return trigger.options if trigger is not None else {}
