"""Regions and edge locations of a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twilio_component.twilio.hosts import EDGES, MERGED_REGIONS
from twilio_component.twilio.inputs.secrets import trim

_REGION = re.compile(r"[a-z]{2}[0-9]{1,2}")
_ROAMING = "roaming"
_EDGE = re.compile(r"[a-z0-9-]{2,30}")


def region(value: str, fields: Mapping[str, Any]) -> str:
    """Return a region such as ``ie1``; raises ``ValueError`` for one that no host can be made of."""
    name = trim(value).lower()
    if not _REGION.fullmatch(name):
        raise ValueError(f"must be a Twilio region: {', '.join(EDGES)}")
    if name in MERGED_REGIONS:
        raise ValueError(
            f"the region {name} has been merged into us1; leave region out, and set edge to {MERGED_REGIONS[name]} if "
            "the requests should enter Twilio's network there"
        )
    if name not in EDGES and not fields.get("edge"):
        raise ValueError(f"must be {', '.join(EDGES)}, or another region together with its edge")
    return name


def edge(value: str, fields: Mapping[str, Any]) -> str:
    """Return an edge location such as ``dublin``; raises ``ValueError`` for anything else."""
    name = trim(value).lower()
    if not _EDGE.fullmatch(name):
        raise ValueError("must be a Twilio edge location such as ashburn, dublin or sydney")
    if name == _ROAMING and trim(str(fields.get("region") or "")).lower() not in ("", "us1"):
        # The certificates of the other regions do not name that host.
        raise ValueError(
            f"{_ROAMING} works with the region us1 only; leave edge out to enter at the region's own place"
        )
    return name
