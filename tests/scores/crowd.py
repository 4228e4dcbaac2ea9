"""Customers with lives at random, told once for all tests of a process."""

from functools import cache

from tests.histories import histories, write
from tests.house import FULL, Shop, house
from tests.oracle.history import History

COUNT = 100 if FULL else 60
ZONE = "Asia/Shanghai"


@cache
def lived(backend: str) -> tuple[Shop, list[History]]:
    shop = house(backend).shop(ZONE)
    lives = histories(77, COUNT, shop.zone)
    write(shop, lives)
    return shop, lives
