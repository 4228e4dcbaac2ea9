"""A real server for clients, with its own database, a key, and thirty customers in Lyon."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2 as httpx

from tests.api.acting import open_house
from tests.live.serving import serving

FILL = """
mutation Fill($rows: [CustomerUpsertInput!]!) { customersUpsert(input: { rows: $rows }) { created } }
"""
ROWS = [
    {"externalRef": {"system": "shop", "value": f"c-{number}"}, "set": {"name": f"Customer {number}", "city": "Lyon"}}
    for number in range(30)
]


@contextmanager
def served(backend: str) -> Iterator[dict[str, str]]:
    """What a client is to know, as environment; SMALL are those of a server whose bucket is soon empty."""
    with open_house(backend) as house:
        # With one organisation alone it would ask nobody for a key.
        house.shop()
        shop = house.shop()
        keys = shop.key, house.key(shop.org, ("read", "write"))
        small = {"cost_limit": "500", "cost_restored": "250"}
        with serving(house.url) as server, serving(house.url, **small) as other:
            _fill(server.url, keys[0])
            yield {
                "GUANXI_URL": server.url,
                "GUANXI_KEY": keys[0],
                "GUANXI_SMALL_URL": other.url,
                "GUANXI_SMALL_KEY": keys[1],
            }


def _fill(url: str, key: str) -> None:
    sent = {"query": FILL, "variables": {"rows": ROWS}}
    answer = httpx.post(url, json=sent, headers={"authorization": f"Bearer {key}"}, trust_env=False).json()
    assert answer["data"]["customersUpsert"]["created"] == len(ROWS), answer
