"""Points moved in one line, and the books looked through without asking the code that keeps them."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.loyalty import actions, programs
from app.loyalty.tables import (
    LoyaltyAccount,
    PointsEntry,
    PointsLot,
    Redemption,
)
from app.platform.ids import key_of
from app.platform.refusals import Problem, Refused
from app.platform.work import Work
from app.purchases import actions as purchases
from tests.customers.acting import create
from tests.purchases import acting as buying

# ------------------------------------------------------------------------------------------------ arranging


def program(work: Work, **given: Any) -> str:
    said: dict[str, Any] = {"name": "Stars", "points_name": "stars", "currency": "EUR", "earn_rate": Decimal(1)}
    said |= {"activation_days": 0, "expiry_days": None, "point_value": Decimal("0.01"), "level_grace_days": 30}
    return str(programs.create_program(work, {**said, "soft_landing": True, "levels": [], **given})["program"])  # type: ignore[typeddict-item]


def change_terms(work: Work, program: str, terms: Any) -> None:
    programs.update_program(work, {"id": program, "expected_version": None, "set": terms})


def level(name: str, rank: int, qualify: int, retain: int, multiplier: str = "1") -> Any:
    points = {"qualify_points": qualify, "retain_points": retain}
    return {"name": name, "rank": rank, **points, "multiplier": Decimal(multiplier), "benefits": []}


def reward(work: Work, program: str, points: int, stock: int | None = None) -> str:
    said = {"program_id": program, "name": "Cup", "points": points, "stock": stock}
    return str(programs.create_reward(work, said)["reward"])  # type: ignore[arg-type]


def member(work: Work, program: str, customer: str | None = None, number: str | None = None) -> str:
    said = {"program_id": program, "customer": {"id": customer or create(work)}, "number": number}
    return str(actions.open_account(work, said)["account"])  # type: ignore[arg-type]


def customer_of(work: Work, account: str) -> str:
    return f"cus_{row(work, account).customer_id.hex}"


# ------------------------------------------------------------------------------------------------ acting


def earn(work: Work, account: str, points: int, active_on: date | None = None, expires_on: date | None = None) -> Any:
    said = {"account": {"id": account}, "points": points, "reason": "Review"}
    return actions.earn_points(work, {**said, "active_on": active_on, "expires_on": expires_on})  # type: ignore[typeddict-item]


def buy(work: Work, account: str, price: str, **given: Any) -> str:
    return buying.buy(work, customer_of(work, account), buying.line(price), **given)


def refund(work: Work, purchase: str, amount: str, **given: Any) -> Any:
    return buying.refund(work, purchase, amount, **given)


def void_purchase(work: Work, purchase: str) -> Any:
    return purchases.void_purchase(work, {"purchase": {"id": purchase}, "reason": "Typed twice."})


def redeem(work: Work, account: str, points: int) -> str:
    said: Any = {"account": {"id": account}, "spend": {"points": points}, "reason": None}
    return str(actions.redeem_points(work, said)["redemption"])


def redeem_reward(work: Work, account: str, reward: str) -> str:
    said: Any = {"account": {"id": account}, "spend": {"reward_id": reward}, "reason": None}
    return str(actions.redeem_points(work, said)["redemption"])


def reverse(work: Work, redemption: str, points: int) -> Any:
    return actions.reverse_redemption(work, {"redemption_id": redemption, "points": points, "reason": None})


def reserve(work: Work, account: str, points: int, minutes: int = 15) -> str:
    said: Any = {"account": {"id": account}, "points": points, "minutes": minutes}
    return str(actions.reserve_points(work, said)["reservation"])


def capture(work: Work, reservation: str, points: int) -> Any:
    return actions.capture_reservation(work, {"reservation_id": reservation, "points": points})


def captured(work: Work, reservation: str, points: int) -> str:
    """The redemption that a capture makes."""
    capture(work, reservation, points)
    [made] = rows_of(work, Redemption, Redemption.reservation_id == key_of(reservation, "res"))
    return f"red_{made.id.hex}"


def void(work: Work, reservation: str) -> Any:
    return actions.void_reservation(work, {"reservation_id": reservation})


def adjust(work: Work, account: str, points: int, expires_on: date | None = None) -> Any:
    said: Any = {"account": {"id": account}, "points": points, "reason": "Goodwill", "expires_on": expires_on}
    return actions.adjust_points(work, said)


def transfer(work: Work, account: str, to: str, points: int) -> Any:
    said: Any = {"from": {"id": account}, "to": {"id": to}, "points": points, "reason": None}
    return actions.transfer_points(work, said)


def close(work: Work, account: str) -> Any:
    return actions.close_account(work, {"account": {"id": account}, "reason": None})


def refused(act: Callable[..., Any], *given: Any, **more: Any) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        act(*given, **more)
    return list(caught.value.problems)


def codes(act: Callable[..., Any], *given: Any, **more: Any) -> list[str]:
    return [problem.code.value for problem in refused(act, *given, **more)]


# ------------------------------------------------------------------------------------------------ looking


def rows_of(work: Work, table: Any, *where: Any, by: Any = ()) -> list[Any]:
    asked = select(table).where(table.org_id == work.org.id, *where).order_by(*by)
    return list(work.session.scalars(asked.execution_options(populate_existing=True)))


def row(work: Work, account: str) -> LoyaltyAccount:
    [found] = rows_of(work, LoyaltyAccount, LoyaltyAccount.id == key_of(account, "acc"))
    assert isinstance(found, LoyaltyAccount)
    return found


def accounts(work: Work, program: str) -> list[str]:
    mine = LoyaltyAccount.program_id == key_of(program, "lpr")
    return [f"acc_{each.id.hex}" for each in rows_of(work, LoyaltyAccount, mine, by=[LoyaltyAccount.opened_at])]


def entries(work: Work, account: str) -> list[PointsEntry]:
    return rows_of(work, PointsEntry, PointsEntry.account_id == key_of(account, "acc"), by=[PointsEntry.place])


def lots(work: Work, account: str) -> list[PointsLot]:
    return rows_of(work, PointsLot, PointsLot.account_id == key_of(account, "acc"), by=[PointsLot.id])


def balance(work: Work, account: str) -> tuple[int, int, int, int]:
    """Available, pending, reserved, owed; as they are stored."""
    found = row(work, account)
    return found.available, found.pending, found.reserved, found.debt


def posted(work: Work, account: str) -> list[tuple[str, str, str, int]]:
    """What was posted, in order: "EARN", "ISSUED", "AVAILABLE", 5."""
    return [(entry.kind, entry.debit, entry.credit, entry.points) for entry in entries(work, account)]
