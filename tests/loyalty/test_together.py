"""Commands on one account that are asked for at once, by its own name and by its customer's: none undoes another."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from app.loyalty import actions
from app.loyalty.looks import before_buying, before_earning, before_spending
from app.loyalty.verify import verify
from app.platform.access import Org
from app.platform.steps import Look
from app.platform.work import Work, operator
from app.platform.writer import writer_of
from tests.conftest import NOW, Begin
from tests.customers.acting import create
from tests.loyalty import acting
from tests.platform.acting import contact, order

MEMBERS = 6
Looks = list[tuple[Look, Any]]
Asked = tuple[Callable[[Work], Any], Looks]


def all_at_once(engine: Engine, org: Org, first: Callable[[Work], Any], asked: list[Asked]) -> list[Any]:
    """The first is under way while the others gather."""
    writer = writer_of(engine)

    async def ask() -> list[Any]:
        writes = [writer.write(operator(org), NOW, do, looks=looks) for do, looks in asked]
        return await asyncio.gather(writer.write(operator(org), NOW, first, in_memory=True), *writes)

    return asyncio.run(ask())


def test_a_purchase_and_points_of_its_customer_at_once(engine: Engine, org: Org, begin: Begin) -> None:
    with begin(now=NOW - timedelta(days=9)) as work:
        program = acting.program(work, levels=[acting.level("Silver", 1, 100, 50)])
        customers = [create(work, f"N{n}") for n in range(MEMBERS + 1)]
        accounts = [acting.member(work, program, each) for each in customers]
        for account in accounts:
            acting.earn(work, account, 150)
    with begin(now=NOW - timedelta(days=1)) as work:
        # A level is judged anew by whoever comes next, even by a purchase that earns nothing.
        acting.change_terms(work, program, {"earn_rate": Decimal(2)})
    asked: list[Asked] = []
    for n, (account, customer) in enumerate(zip(accounts[:MEMBERS], customers, strict=False)):
        lookup: Any = {"id": account}
        earn: Any = {"account": lookup, "points": 10, "reason": "A visit", "active_on": None, "expires_on": None}
        spend: Any = {"account": lookup, "spend": {"points": 10}, "reason": None}
        by_account: Asked = (
            (lambda work, given=earn: dict(actions.earn_points(work, given)), before_earning(lookup))
            if n % 2
            else (lambda work, given=spend: dict(actions.redeem_points(work, given)), before_spending(lookup))
        )
        by_customer: Asked = order(customer, "0.01"), before_buying({"id": customer})
        asked += [by_customer, by_account] if n % 3 else [by_account, by_customer]
    all_at_once(engine, org, contact(customers[MEMBERS]), asked)
    with begin() as work:
        assert verify(work) == {}
        told = [acting.balance(work, each)[0] for each in accounts]
    assert told == [160 if n % 2 else 140 for n in range(MEMBERS)] + [150]
