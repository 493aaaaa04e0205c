"""The hosts that the official SDKs for Python and Node ask, by region and edge, and those that the component asks."""

from __future__ import annotations

from itertools import product

import pytest
from support.node import ask_node
from twilio.rest import Client

from twilio_component.twilio.hosts import EDGES, origin_of

PRODUCTS = ("api", "messaging", "content", "verify", "lookups")
PLACES = ("ashburn", "dublin", "frankfurt", "sydney", "tokyo", "sao-paulo", "singapore", "umatilla")


def sdk_origin(name: str, region: str | None, edge: str | None) -> str:
    sdk = Client("AC" + "a" * 32, "token", region=region, edge=edge)
    origin: str = sdk.get_hostname(f"https://{name}.twilio.com")
    return origin


@pytest.mark.parametrize("name", PRODUCTS)
def test_with_an_edge_or_without_a_region_it_is_the_same_host(name: str) -> None:
    for region, edge in [(None, None), *product([None, *EDGES], PLACES)]:
        assert origin_of(name, region, edge) == sdk_origin(name, region, edge)


@pytest.mark.parametrize(("region", "edge"), EDGES.items())
def test_a_region_alone_gets_its_edge_which_the_sdk_leaves_to_the_caller(region: str, edge: str) -> None:
    """Twilio's guide to API domains asks for both; this release of the SDK leaves the edge out."""
    assert origin_of("api", region) == sdk_origin("api", region, edge)
    assert sdk_origin("api", region, None) in (f"https://api.{region}.twilio.com", origin_of("api", region))


def test_the_node_sdk_asks_the_same_hosts() -> None:
    pairs = [(None, None), *product([None, *EDGES], PLACES)]
    found = ask_node("hosts.cjs", pairs, package="twilio")
    assert len(found) == len(pairs)
    for place in found:
        ours = {name: origin_of(name, place["region"], place["edge"]) for name in PRODUCTS}
        assert ours == place["hosts"]
