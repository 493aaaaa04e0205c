"""The plugins that installed distributions offer to hosts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, distribution, distributions

from twilio_component.host.errors import PluginError

GROUP = "integration_components"


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that could not be loaded; the others run without it."""

    plugin: str
    distribution: str
    error: PluginError


def installed_plugins() -> list[EntryPoint]:
    """Return the entry points of the group ``integration_components``, in the order of their names.

    ``importlib.metadata.entry_points`` parses those of every distribution, which takes three times as long as looking
    for the group's name first: hardly any distribution has it.
    """
    names = {found.name for found in distributions() if GROUP in (found.read_text("entry_points.txt") or "")}
    # Of two distributions of one name, the first on the path is the one that imports find.
    entries = [entry for name in names for entry in distribution(name).entry_points if entry.group == GROUP]
    return sorted(entries, key=lambda entry: (entry.name, entry.value))


def distribution_of(entry: EntryPoint) -> str:
    """Return the name of the distribution that an entry point belongs to, for messages."""
    return entry.dist.name if entry.dist else "an unknown distribution"


def version_of(entry: EntryPoint) -> str:
    """Return the version of the distribution that an entry point belongs to; empty where it has none."""
    return entry.dist.version if entry.dist else ""


def load_plugin(entry: EntryPoint) -> object:
    """Import what an entry point names; raises ``PluginError`` with the plugin and its distribution."""
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(
            f"the plugin '{entry.name}' of {distribution_of(entry)} cannot be loaded: {reason}"
        ) from error
