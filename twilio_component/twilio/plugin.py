"""The component's entry point for hosts: its manifest and its hook implementations."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest.files import shipped_file
from twilio_component.host.manifest.loader import load_component

if TYPE_CHECKING:
    from twilio_component.host.model import Component


def manifest_file() -> Path:
    """Return the path of the component's manifest, in a checkout or in an installed package."""
    return shipped_file("component.yaml")


@hookimpl
def register_component() -> Component:
    """Return the component with the key ``twilio``, as its manifest declares it."""
    return load_component(manifest_file(), version=version("twilio-component"))
