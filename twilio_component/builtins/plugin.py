"""The built-in components' face to any host."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest.manifest_file import ManifestFile

MANIFESTS = Path(__file__).parent / "manifests"


@hookimpl
def register_component() -> tuple[ManifestFile, ...]:
    """The built-in components, as their manifests declare them; each file has the name of its component's key."""
    return _manifests()


@cache  # a program opens many hosts, and the manifests do not change under it
def _manifests() -> tuple[ManifestFile, ...]:
    ours = version("twilio-component")
    return tuple(ManifestFile(key=path.stem, path=path, version=ours) for path in sorted(MANIFESTS.glob("*.yaml")))
