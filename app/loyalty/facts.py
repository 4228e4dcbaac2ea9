"""What membership tells of a customer."""

from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased

from app.customers.facts import facts
from app.loyalty.tables import LoyaltyAccount
from app.query.fact import Horizon


def _memberships(horizon: Horizon) -> Select[Any]:
    """Accounts that are open, or were then."""
    a = aliased(LoyaltyAccount, name="membership")
    still = a.closed_at.is_(None) if horizon.until is None else or_(a.closed_at.is_(None), a.closed_at > horizon.until)
    found: Any = select(a.customer_id.label("subject"), a.opened_at.label("at")).where(
        horizon.of(a, at=a.opened_at, subject=a.customer_id), still
    )
    selected: Select[Any] = found
    return selected


# A closing takes back an opening, so a new one is never merely added.
enrolled = facts.fed_by("enrolled", _memberships)
enrolled.count("memberships")
