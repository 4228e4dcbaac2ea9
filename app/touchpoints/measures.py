"""Touchpoints as something to be asked about, and what contacts alone say of a customer."""

from typing import Any

from sqlalchemy import and_, case, or_

import app.loyalty.facts
import app.touchpoints.facts  # noqa: F401 - what the rules below rest on
from app.customers.measures import customers
from app.query.fact import constant
from app.query.kind import Exact, Fixed, Flag, Whole
from app.query.measure import counted, measure
from app.query.shape import Shape
from app.touchpoints.tables import Touchpoint

touchpoints = Shape(
    "touchpoint",
    Touchpoint.__table__,
    prefix="tou",
    at="occurred_at",
    hidden=lambda t: [t.retracted_at.is_(None)],
    past={"resolved_at": lambda t, now: case((t.resolved_at <= now, t.resolved_at))},
)


@measure(touchpoints, Fixed(decimals=6), nullable=True, catalogued=False)
def sentiment(c: Any, p: Any) -> Any:
    return c.sentiment_e6


@measure(touchpoints, Exact(decimals=6), nullable=True, catalogued=False)
def relative_quality(c: Any, p: Any) -> Any:
    return c.quality_e6


@measure(touchpoints, Exact(decimals=6), nullable=True, catalogued=False)
def relative_price(c: Any, p: Any) -> Any:
    return c.price_e6


# Windows of days that end today, over the six latest days of each kind.
ENGAGED_DAYS = 90
CLOSE_DAYS = 365
COCREATION_DAYS = 730


@measure(
    customers,
    Whole(),
    name="Inbound touchpoints in 90 days",
    definition="Inbound touchpoints of the last 90 days, counted up to 6.",
)
def inbound_90(c: Any, p: Any) -> Any:
    return counted(c.latest("inbound", 6), p.today - ENGAGED_DAYS)


@measure(
    customers,
    Whole(),
    name="Inbound touchpoints in 365 days",
    definition="Inbound touchpoints of the last 365 days, counted up to 6.",
)
def inbound_365(c: Any, p: Any) -> Any:
    return counted(c.latest("inbound", 6), p.today - CLOSE_DAYS)


@measure(
    customers,
    Whole(),
    name="Dialogues in 365 days",
    definition="Replies to a touchpoint of the other side, meetings and calls of the last 365 days, counted up to 6.",
)
def dialogues_365(c: Any, p: Any) -> Any:
    return counted(c.latest("dialogue", 6), p.today - CLOSE_DAYS)


@measure(customers, Whole(), name="Valid needs", definition="Needs confirmed in the last 365 days, counted up to 6.")
def needs_365(c: Any, p: Any) -> Any:
    return counted(c.latest("need", 6), p.today - CLOSE_DAYS)


@measure(
    customers,
    Whole(),
    name="Co-creations in 730 days",
    definition="Co-creations and converted referrals of the last 730 days, counted up to 6.",
)
def cocreations_730(c: Any, p: Any) -> Any:
    return counted(c.latest("cocreation", 6), p.today - COCREATION_DAYS)


@measure(
    customers,
    Whole(),
    name="Brand activities in 365 days",
    definition="Events, inbound social contacts and inbound reviews of the last 365 days, counted up to 6.",
)
def brand_activities_365(c: Any, p: Any) -> Any:
    return counted(c.latest("brand_activity", 6), p.today - CLOSE_DAYS)


@measure(
    customers,
    Flag(),
    name="Committed",
    definition="Accepted a quote, signed a contract, or has an open loyalty account.",
)
def committed(c: Any, p: Any) -> Any:
    return or_(c.commitments > constant(0), c.memberships > constant(0))


@measure(
    customers,
    Fixed(decimals=2),
    nullable=True,
    name="CSAT",
    definition="Mean of all satisfaction answers, 1 to 5.",
    unit="grade",
)
def csat(c: Any, p: Any) -> Any:
    return case(
        (c.csat_count > constant(0), (c.csat_sum * constant(200) + c.csat_count) // (c.csat_count * constant(2)))
    )


@measure(
    customers,
    Flag(),
    name="Overdue complaint",
    definition="A complaint is open for longer than the policy's complaintSlaDays.",
)
def overdue_complaint(c: Any, p: Any) -> Any:
    return and_(c.oldest_open_complaint_day.is_not(None), c.oldest_open_complaint_day < p.today - p.complaint_sla_days)


@measure(
    customers,
    Flag(),
    name="Recent detractor",
    definition="The latest survey answer is 0 to 6 and given in the policy's detractorWindowDays.",
)
def recent_detractor(c: Any, p: Any) -> Any:
    return and_(c.nps.is_not(None), c.nps <= constant(6), c.nps_day >= p.today - p.detractor_window_days)


@measure(
    customers,
    Fixed(decimals=4),
    nullable=True,
    name="Perceived value V",
    term="客户价值",
    definition="V = Q / P of the latest survey answer that has both: quality and price relative to the competitor, 1 is parity.",
    unit="ratio",
    rule_name="value.perceived",
)
def perceived(c: Any, p: Any) -> Any:
    return (c.quality_e6 * constant(20_000) + c.price_e6) // (c.price_e6 * constant(2))
