"""The component's face to any host: its hook implementations, nothing else."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest import load_component
from twilio_component.resources import manifest_file

if TYPE_CHECKING:
    from twilio_component.host.model import Component


@hookimpl
def register_component() -> Component:
    """The component with the key ``twilio``, as its manifest declares it."""
    return load_component(manifest_file(), version=version("twilio-component"))
