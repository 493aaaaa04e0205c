"""The component's entry point for hosts: its manifest and its hook implementations."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest.files import shipped_file
from twilio_component.host.manifest.manifest_file import ManifestFile


def manifest_file() -> Path:
    """Return the path of the component's manifest, in a checkout or in an installed package."""
    return shipped_file("component.yaml")


@hookimpl
def register_component() -> ManifestFile:
    """Return the component with the key ``twilio``, as its manifest declares it."""
    return _manifest()


@cache  # a program opens many hosts, and the manifest does not change under it
def _manifest() -> ManifestFile:
    from importlib.metadata import version  # costs 10 ms to import

    return ManifestFile(key="twilio", path=manifest_file(), version=version("twilio-component"))
