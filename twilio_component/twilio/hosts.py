"""Twilio's hosts: `PRODUCT.twilio.com`, or `PRODUCT.EDGE.REGION.twilio.com` for a region or an edge location."""

from __future__ import annotations

EDGES = {"us1": "ashburn", "ie1": "dublin", "au1": "sydney"}
"""The edge location of each region, in the region's own place."""

MERGED_REGIONS = {"br1": "sao-paulo", "de1": "frankfurt", "jp1": "tokyo", "sg1": "singapore", "us2": "umatilla"}
"""Former regions, which Twilio has merged into us1, and the edge location that is still in their place."""

_DEFAULT_REGION = "us1"


def origin_of(product: str, region: str | None = None, edge: str | None = None) -> str:
    """Return the origin of a product's host, such as ``https://api.dublin.ie1.twilio.com``.

    A region alone gets its own edge location, an edge location alone the region us1. Raises ``ValueError`` for a region
    without a known edge location, when none is given.
    """
    if not region and not edge:
        return f"https://{product}.twilio.com"
    region = region or _DEFAULT_REGION
    edge = edge or EDGES.get(region)
    if edge is None:
        raise ValueError(f"the edge location of the region {region} is not known; give the edge too")
    return f"https://{product}.{edge}.{region}.twilio.com"
