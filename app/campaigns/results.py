"""What came of each arm of a campaign by the clock, and what may be said of it.

Who converted is found for all members at once: the purchases of the window are read one time, and held against the
members. The statistics are made of those sums alone, the same on both databases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import copysign, floor
from typing import Any

from sqlalchemy import BigInteger, FromClause, Select, and_, case, func, select

from app.campaigns.measures import cost_of, kept, net
from app.campaigns.statistics import (
    MOST_MEMBERS,
    Arm,
    Interval,
    Lift,
    incremental_conversions,
    incremental_revenue,
    incremental_roi,
    lift,
    needed,
    ratio,
    roi,
    sentence,
)
from app.outreach.tables import Campaign, CampaignArm, CampaignMember
from app.platform.database import Key
from app.platform.days import day_of
from app.purchases.tables import Purchase
from app.query import sql
from app.query.fact import constant
from app.query.flow import Statement, fenced
from app.query.shape import Shape, described

_SUMS = ("converted", "orders", "spend")
_ARMS = {"treated": CampaignArm.TREATMENT, "held_out": CampaignArm.HOLDOUT}
# A day of the organisation's may end so much later than it does in UTC.
_MARGIN_DAYS = 2


def _results(statement: Statement, keys: Select[Any] | None) -> FromClause:
    """One row for each campaign that is launched."""
    now = statement.now if statement.clock.past else None
    c: Any = Campaign.__table__.alias(statement.name("launched_campaign"))
    launched = c.c.launched_at.is_not(None) if now is None else c.c.launched_at <= now
    tests = [c.c.org_id == statement.org, launched, *([c.c.id.in_(keys)] if keys is not None else [])]
    until_day = c.c.launched_day + c.c.conversion_days
    latest = sql.DaysLater(c.c.launched_at, c.c.conversion_days + constant(_MARGIN_DAYS))
    each = fenced(
        select(
            *(c.c[key] for key in ("org_id", "id", "launched_at", "treatment", "holdout")),
            until_day.label("until_day"),
            # Computed here: PostgreSQL compares nothing that it must compute before it has looked whose row it is, and
            # would read an index to its end.
            latest.label("latest"),
            cost_of(c.c, now).label("cost"),
        ).where(*tests),
        statement.name("launched"),
    )
    sums = _sums(statement, each, now)
    names = [f"{arm}_{key}" for arm in _ARMS for key in _SUMS]
    return (
        select(
            each.c.org_id,
            each.c.id,
            each.c.until_day,
            each.c.cost,
            each.c.treatment.label("treated_members"),
            each.c.holdout.label("held_out_members"),
            statement.today.label("today"),
            *(func.coalesce(sums.c[name], constant(0)).label(name) for name in names),
        )
        .select_from(each.outerjoin(sums, sums.c.campaign_id == each.c.id))
        .cte(statement.name("results"))
    )


def _sums(statement: Statement, each: Any, now: Any) -> FromClause:
    """By campaign: how many of each arm converted, by how many orders, and what they spent."""
    p: Any = Purchase.__table__.alias(statement.name("bought"))
    m: Any = CampaignMember.__table__.alias(statement.name("member"))
    # The days decide; the instants are there for the index.
    in_window = and_(
        p.c.org_id == statement.org,
        p.c.purchased_at >= each.c.launched_at,
        p.c.purchased_at <= each.c.latest,
        p.c.local_day <= each.c.until_day,
    )
    # Folded before members are looked at: what is held against them is so few and narrow that it fits into memory.
    b = (
        select(
            each.c.id, p.c.customer_id, func.count().label("orders"), sql.whole(func.sum(net(p.c, now))).label("spend")
        )
        .select_from(each.join(p, in_window))
        .where(*kept(p.c, now))
        .group_by(each.c.id, p.c.customer_id)
        .subquery(statement.name("buyer"))
    )
    members = and_(
        m.c.org_id == statement.org,
        m.c.campaign_id == b.c.id,
        m.c.customer_id == b.c.customer_id,
        m.c.arm.is_not(None),
    )
    values = {"converted": constant(1), "orders": b.c.orders, "spend": b.c.spend}
    sums = [
        sql.whole(func.sum(case((m.c.arm == sql.text(arm.name), values[key])))).label(f"{name}_{key}")
        for name, arm in _ARMS.items()
        for key in _SUMS
    ]
    found = select(m.c.campaign_id, *sums).select_from(b.join(m, members)).group_by(m.c.campaign_id)
    return found.subquery(statement.name("sums"))


COLUMNS = ("until_day", "today", "cost", *(f"{arm}_{key}" for arm in _ARMS for key in ("members", *_SUMS)))
results = Shape(
    "campaign_result",
    described("campaign_results", id=Key(), **dict.fromkeys(COLUMNS, BigInteger())),
    derived=_results,
)


# ------------------------------------------------------------------ what is said of them


@dataclass(frozen=True)
class ArmResult:
    """Money in minor units of the reporting currency."""

    arm: Arm
    orders: int
    revenue: int


@dataclass(frozen=True)
class Result:
    """`incremental_revenue` in minor units, not rounded. `needed`: members that each arm should have had."""

    treatment: ArmResult
    holdout: ArmResult | None
    cost: int
    until: date
    open: bool
    lift: Lift | None
    ratio: Interval | None
    incremental_conversions: Interval | None
    incremental_revenue: Interval | None
    incremental_roi: Interval | None
    attributed_roi: float | None
    needed: int | None
    sentence: str


def result_of(row: Mapping[str, int], margin: float) -> Result:
    """What may be said of a row of `results`, by its COLUMNS, if that share of what is spent is kept."""
    treated, held_out = (
        ArmResult(Arm(row[f"{arm}_members"], row[f"{arm}_converted"]), row[f"{arm}_orders"], row[f"{arm}_spend"])
        for arm in _ARMS
    )
    arms, cost = (treated.arm, held_out.arm), row["cost"]
    until, is_open = day_of(row["until_day"]), row["today"] <= row["until_day"]
    revenue, wanted = incremental_revenue(*arms, treated.revenue), needed(*arms)
    return Result(
        treatment=treated,
        holdout=held_out if held_out.arm.members else None,
        cost=cost,
        until=until,
        open=is_open,
        lift=lift(*arms),
        ratio=ratio(*arms),
        incremental_conversions=incremental_conversions(*arms),
        incremental_revenue=revenue,
        incremental_roi=incremental_roi(revenue, margin, cost) if revenue else None,
        attributed_roi=roi(treated.revenue, margin, cost),
        needed=wanted if wanted is not None and wanted <= MOST_MEMBERS else None,
        sentence=sentence(*arms, until if is_open else None),
    )


def whole_minor(amount: float) -> int:
    """Rounded half away from zero, as money is everywhere."""
    return int(copysign(floor(abs(round(amount, 6)) + 0.5), amount))
