"""A life in which each operation happens once."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from tests.conftest import NOW, Begin
from tests.loyalty.acting import (
    adjust,
    buy,
    capture,
    close,
    earn,
    member,
    program,
    redeem,
    refund,
    reserve,
    reverse,
    row,
    transfer,
    void,
    void_purchase,
)
from tests.loyalty.conftest import Post
from tests.loyalty.judging import sound

TODAY, DAY, MINUTE = NOW.date(), timedelta(days=1), timedelta(minutes=1)


def in_days(days: int) -> date:
    return TODAY + days * DAY


def everything_happens(begin: Begin, post: Post) -> tuple[str, list[str]]:
    """Each operation once; the programme and its accounts, sound after each of them."""
    made: dict[str, Any] = {}

    def step(now: Any, act: Callable[[Any], Any], name: str = "") -> None:
        with begin(now=now) as work:
            made[name] = act(work)
            if name != "program":
                sound(work, made["program"])

    step(NOW, program, "program")
    step(NOW, lambda work: member(work, made["program"]), "ana")
    step(NOW, lambda work: member(work, made["program"]), "bo")
    ana, bo = made["ana"], made["bo"]
    step(NOW, lambda work: earn(work, ana, 100, expires_on=in_days(10)))
    step(NOW, lambda work: earn(work, ana, 7, active_on=in_days(3)))
    step(NOW, lambda work: buy(work, ana, "50.90"), "order")
    step(NOW + DAY, lambda work: redeem(work, ana, 60), "redemption")
    step(NOW + DAY, lambda work: reverse(work, made["redemption"], 25))
    step(NOW + 2 * DAY, lambda work: reserve(work, ana, 30), "first")
    step(NOW + 2 * DAY, lambda work: capture(work, made["first"], 10))
    step(NOW + 2 * DAY, lambda work: reserve(work, ana, 5), "second")
    step(NOW + 2 * DAY, lambda work: void(work, made["second"]))
    step(NOW + 2 * DAY, lambda work: reserve(work, ana, 5), "third")
    step(NOW + 4 * DAY, lambda work: transfer(work, ana, bo, 20))
    step(NOW + 4 * DAY, lambda work: adjust(work, bo, 3))
    step(NOW + 4 * DAY, lambda work: adjust(work, bo, -4))
    post(NOW + 11 * DAY)
    step(NOW + 11 * DAY, lambda work: redeem(work, ana, row(work, ana).available))
    step(NOW + 11 * DAY, lambda work: refund(work, made["order"], "25.45"))
    step(NOW + 11 * DAY, lambda work: void_purchase(work, made["order"]))
    step(NOW + 11 * DAY, lambda work: earn(work, ana, 5))
    post(NOW + 20 * DAY)
    step(NOW + 20 * DAY, lambda work: earn(work, bo, 9, active_on=in_days(40)))
    step(NOW + 20 * DAY, lambda work: close(work, bo))
    return made["program"], [ana, bo]
