"""The built-in components' face to any host."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest.loader import load_component

if TYPE_CHECKING:
    from twilio_component.host.model import Component

MANIFESTS = Path(__file__).parent / "manifests"


@hookimpl
def register_component() -> tuple[Component, ...]:
    """The built-in components, as their manifests declare them."""
    return _components()


@cache  # a program opens many hosts, and the manifests do not change under it
def _components() -> tuple[Component, ...]:
    ours = version("twilio-component")
    return tuple(load_component(path, version=ours) for path in sorted(MANIFESTS.glob("*.yaml")))
