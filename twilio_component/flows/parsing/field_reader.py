"""The values of a flow definition, of the kind that belongs where they stand, or a finding that says what does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.flows.model import normalize
from twilio_component.flows.parsing.known_keys import COMPONENT, OPERATION, PLATFORM
from twilio_component.host.errors import did_you_mean, join_names
from twilio_component.host.inputs.messages import type_name

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.host.manifest.documents import PathParts


class FieldReader:
    """Takes values out of a document's objects; what is not as it should be goes to ``findings``."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def operation(self, raw: Any, at: PathParts, *, optional: bool = False) -> tuple[str, str]:
        """Component and key, from ``{key, component: {key}}`` or ``component.key``."""
        if raw is None and optional:
            return "", ""
        if isinstance(raw, str):
            component, _, key = raw.partition(".")
            if component and key:
                return component, key
        elif isinstance(raw, Mapping):
            self.keys(raw, at, OPERATION, ())
            if isinstance(raw.get("component"), Mapping):
                self.keys(raw["component"], (*at, "component"), COMPONENT, ())
            owner, action = raw.get("component"), raw.get("key")
            owner = owner.get("key") if isinstance(owner, Mapping) else owner
            if isinstance(owner, str) and isinstance(action, str) and owner and action:
                return owner, action
        if raw is not None:
            self.findings.add(
                "wrong-type",
                at,
                f"{at[-1]} must name a component and a key",
                "Write it as twilio.sendSMS, or with key and component.",
            )
        return "", ""

    def keys(self, raw: Mapping[str, Any], at: PathParts, known: Collection[str], required: Collection[str]) -> None:
        """Report keys that are not known, and required ones that are missing."""
        for key in raw:
            if key not in known:
                names = join_names([one for one in known if one not in PLATFORM], limit=40)
                hint = did_you_mean(key, known)
                code = "misspelt-key" if hint else "unknown-key"
                self.findings.add(
                    code,
                    (*at, key),
                    f"'{key}' is not known here{hint}",
                    f"Known: {names}.",
                    key=True,
                )
        for key in required:
            if key not in raw:
                self.findings.add("missing-key", at, f"'{key}' is missing", f"Add {key}: here.")

    def objects(self, raw: Any, at: PathParts, *, optional: bool = False) -> list[tuple[PathParts, Mapping[str, Any]]]:
        """The members of a list that are objects, each with its path."""
        if raw is None and (optional or at not in self.findings.document.values):
            return []
        if not isinstance(raw, list):
            self.findings.add("wrong-type", at, f"{at[-1]} must be a list, not {type_name(raw)}")
            return []
        found = []
        for index, item in enumerate(raw):
            if isinstance(item, Mapping):
                found.append(((*at, index), item))
            else:
                self.findings.add(
                    "wrong-type", (*at, index), f"each of {at[-1]} must be an object, not {type_name(item)}"
                )
        return found

    def text(self, raw: Mapping[str, Any], key: str, at: PathParts) -> str:
        """A name; empty, with a finding, where there is none."""
        value = raw.get(key, "")
        # A name like 2026 or yes is a number or a boolean to YAML, and meant as it is written.
        if isinstance(value, (Mapping, list)) or (key in raw and value in (None, "")):
            self.findings.add("wrong-type", (*at, key), f"{key} must be text that is not empty")
            return ""
        return normalize(value if isinstance(value, str) else str(value))

    def flag(self, raw: Mapping[str, Any], key: str, at: PathParts) -> bool | None:
        """A boolean; None, with a finding, for anything else."""
        value = raw.get(key)
        if value is not None and not isinstance(value, bool):
            self.findings.add("wrong-type", (*at, key), f"{key} must be true or false, not {type_name(value)}")
            return None
        return value
