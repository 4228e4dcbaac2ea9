"""Campaigns and their members as something to be asked about.

A member's state is read from what happened: contacts that name the campaign, and what was bought in the window.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, case, func, not_, select, union_all

from app.outreach.tables import Campaign, CampaignCost, CampaignMember, CampaignStatus, ExclusionReason
from app.platform.database import Key
from app.purchases.tables import Purchase, Refund
from app.query import sql
from app.query.fact import constant
from app.query.flow import Statement
from app.query.kind import Fixed, Minor, Position
from app.query.measure import measure
from app.query.shape import AsOf, Shape, described
from app.touchpoints.tables import Direction, Touchpoint

Expression = ColumnElement[Any]


class MemberStatus(Enum):
    """The lowest first."""

    ENROLLED = "ENROLLED"
    CONTACTED = "CONTACTED"
    RESPONDED = "RESPONDED"
    CONVERTED = "CONVERTED"


# ------------------------------------------------------------------ campaigns


def cost_of(campaign: Any, now: Any = None) -> Expression:
    """What was booked; up to an instant if one is given."""
    k: Any = CampaignCost.__table__.alias("booked")
    total = select(sql.whole(func.sum(k.c.amount_reporting)))
    total = total.where(k.c.org_id == campaign.org_id, k.c.campaign_id == campaign.id)
    total = total if now is None else total.where(k.c.at <= now)
    return func.coalesce(total.correlate_except(k).scalar_subquery(), constant(0))


def _status_then(campaign: Any, now: Any) -> Expression:
    draft, running = (sql.text(each.name) for each in (CampaignStatus.DRAFT, CampaignStatus.RUNNING))
    return case((campaign.ended_at <= now, campaign.status), (campaign.launched_at <= now, running), else_=draft)


def _since(key: str, instant: str) -> AsOf:
    return lambda campaign, now: case((campaign[instant] <= now, campaign[key]))


campaigns = Shape(
    "campaign",
    Campaign.__table__,
    prefix="cam",
    at="created_at",
    past={
        "status": _status_then,
        "launched_at": _since("launched_at", "launched_at"),
        "ended_at": _since("ended_at", "ended_at"),
        "cancel_reason": _since("cancel_reason", "ended_at"),
        "cost_minor": cost_of,
    },
    borrowed={"cost_minor": cost_of},
)


@measure(campaigns, Position(enum=CampaignStatus), catalogued=False)
def campaign_status(c: Any, p: Any) -> Any:
    return case({sql.text(each.name): constant(n) for n, each in enumerate(CampaignStatus)}, value=c.status)


@measure(campaigns, Fixed(decimals=6), catalogued=False)
def holdout_share(c: Any, p: Any) -> Any:
    return c.holdout_e6


@measure(campaigns, Minor(), nullable=True, catalogued=False)
def budget_left(c: Any, p: Any) -> Any:
    return c.budget_minor - c.cost_minor


# ------------------------------------------------------------------ whom a launch left out


def _left_out(statement: Statement, keys: Select[Any] | None) -> FromClause:
    c: Any = Campaign.__table__.alias(statement.name("counted_out"))
    own = [c.c.org_id == statement.org, c.c.launched_at.is_not(None)] + ([c.c.id.in_(keys)] if keys is not None else [])
    each = [
        select(
            c.c.org_id,
            c.c.id.label("campaign_id"),
            constant(place).label("reason"),
            c.c[f"excluded_{reason.name.lower()}"].label("members"),
        ).where(*own)
        for place, reason in enumerate(ExclusionReason)
    ]
    return union_all(*each).cte(statement.name("left_out"))


exclusions = Shape(
    "exclusion",
    described("exclusions", campaign_id=Key(), reason=BigInteger(), members=BigInteger()),
    key=("campaign_id", "reason"),
    derived=_left_out,
)


# ------------------------------------------------------------------ members


def refunded(purchase: Any, amount: str, now: Any = None) -> Expression:
    """What was given back of a purchase; up to an instant if one is given."""
    kept_beside = purchase[f"refunded_{amount}"]
    if now is None:
        return func.coalesce(kept_beside, constant(0))
    r: Any = Refund.__table__.alias("given_back")
    total = select(sql.whole(func.sum(r.c[f"amount_{amount}"])))
    total = total.where(r.c.org_id == purchase.org_id, r.c.purchase_id == purchase.id, r.c.refunded_at <= now)
    found = func.coalesce(total.correlate_except(r).scalar_subquery(), constant(0))
    # Few are refunded at all: only those are looked up.
    return case((purchase.refunded_minor == constant(0), constant(0)), else_=found)


def kept(purchase: Any, now: Any = None) -> list[ColumnElement[bool]]:
    """The conditions that a purchase is neither voided nor refunded whole, and was made by then."""
    back = refunded(purchase, "minor", now)
    gone = and_(back > constant(0), back >= purchase.gross_minor)
    return [purchase.voided_at.is_(None), not_(gone), *([] if now is None else [purchase.purchased_at <= now])]


def net(purchase: Any, now: Any = None) -> Expression:
    """Its net in the reporting currency; unknown while no rate is."""
    value: Expression = purchase.gross_reporting - refunded(purchase, "reporting", now)
    return value


def _bought(member: Any, now: Any) -> tuple[Any, list[ColumnElement[bool]]]:
    """What a member bought in the window and kept, whatever led there: the table and the conditions."""
    p: Any = Purchase.__table__.alias("bought")
    tests = [
        p.c.org_id == member.org_id,
        p.c.customer_id == member.customer_id,
        p.c.purchased_at >= member.enrolled_at,
        p.c.local_day <= member.until_day,
        *kept(p.c, now),
    ]
    return p, tests


def _contacts(direction: str) -> Callable[[Any, Any], tuple[Any, list[ColumnElement[bool]]]]:
    """The contacts that name the campaign; one of ours must have gone through the campaign's channel."""

    def contacts(member: Any, now: Any) -> tuple[Any, list[ColumnElement[bool]]]:
        t: Any = Touchpoint.__table__.alias("contact")
        c: Any = Campaign.__table__.alias("its_campaign")
        tests = [
            t.c.org_id == member.org_id,
            t.c.campaign_id == member.campaign_id,
            t.c.customer_id == member.customer_id,
            t.c.direction == sql.text(direction),
            t.c.occurred_at >= member.enrolled_at,
            t.c.retracted_at.is_(None),
        ]
        if direction == Direction.OUTBOUND.name:
            channel = select(c.c.channel).where(c.c.org_id == member.org_id, c.c.id == member.campaign_id)
            tests.append(t.c.channel == channel.correlate_except(c).scalar_subquery())
        return t, tests if now is None else [*tests, t.c.occurred_at <= now]

    return contacts


Events = Callable[[Any, Any], tuple[Any, list[ColumnElement[bool]]]]


def _any(events: Events) -> Callable[..., Expression]:
    """1 or 0: a list of members by state asks it of everyone, so it looks no further than the first."""

    def found(member: Any, now: Any = None) -> Expression:
        table, tests = events(member, now)
        return sql.either(select(constant(1)).select_from(table).where(*tests).correlate_except(table).exists())

    return found


def _first(events: Events, at: str) -> Callable[..., Expression]:
    def found(member: Any, now: Any = None) -> Expression:
        table, tests = events(member, now)
        return select(func.min(table.c[at])).where(*tests).correlate_except(table).scalar_subquery()

    return found


def _spend(member: Any, now: Any = None) -> Expression:
    p, tests = _bought(member, now)
    total = select(sql.whole(func.sum(net(p.c, now)))).where(*tests)
    return func.coalesce(total.correlate_except(p).scalar_subquery(), constant(0))


_sent, _answered = _contacts(Direction.OUTBOUND.name), _contacts(Direction.INBOUND.name)
_HAPPENED: dict[str, Any] = {
    "contacted": _any(_sent),
    "responded": _any(_answered),
    "converted": _any(_bought),
    "contacted_at": _first(_sent, "occurred_at"),
    "responded_at": _first(_answered, "occurred_at"),
    "converted_at": _first(_bought, "purchased_at"),
    "spend_minor": _spend,
}
members = Shape(
    "campaign_member",
    CampaignMember.__table__,
    prefix="mem",
    at="enrolled_at",
    # Whom the launch left out stands beside them, with the reason.
    hidden=lambda m: [m.arm.is_not(None)],
    past=_HAPPENED,
    borrowed=_HAPPENED,
)


@measure(members, Position(enum=MemberStatus), catalogued=False)
def member_status(c: Any, p: Any) -> Any:
    reached = (c.converted, "CONVERTED"), (c.responded, "RESPONDED"), (c.contacted, "CONTACTED")
    place = {each.name: constant(n) for n, each in enumerate(MemberStatus)}
    return case(*((flag == constant(1), place[name]) for flag, name in reached), else_=place["ENROLLED"])
