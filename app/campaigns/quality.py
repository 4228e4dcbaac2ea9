"""Which channel brings better customers: those acquired in a period, by the channel of their first touch.

Acquired is who had the first kept order in it. What became of them is told by now, not by the end of the period.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    cast,
    func,
    null,
    select,
    union_all,
)

from app.campaigns.attribution import in_period, kept, lasting
from app.outreach.tables import Campaign, CampaignCost, CampaignObjective
from app.platform.database import Instant, Words
from app.platform.text import MILLION
from app.purchases.measures import purchases
from app.query import sql
from app.query.fact import constant
from app.query.flow import Statement, fenced
from app.query.kind import Fixed, Minor
from app.query.measure import measure
from app.query.shape import Shape, described
from app.touchpoints.tables import Touchpoint

Expression = ColumnElement[Any]

# What a campaign for one of these costs is spent to win customers.
ACQUIRING = (CampaignObjective.ACQUIRE, CampaignObjective.CONVERT_PROSPECT, CampaignObjective.CLOSE_FIRST_ORDER)
_ONE, _NONE = constant(1), constant(0)


def _acquired(statement: Statement) -> CTE:
    """Whose first kept order lies in the period: when and where it was, and what they have bought by now."""
    p: Any = purchases.table.alias("bought_order")
    stands, net = kept(p, statement)
    place = func.row_number().over(partition_by=p.c.customer_id, order_by=[p.c.purchased_at, p.c.id])
    told = (p.c[key] for key in ("customer_id", "purchased_at", "local_day", "channel"))
    o = fenced(
        select(*told, net.label("net"), place.label("place")).where(*stands, p.c.purchased_at <= statement.now),
        "ordered",
    ).c
    first = func.min(o.purchased_at)
    rows = select(
        o.customer_id,
        first.label("first_at"),
        func.max(case((o.place == _ONE, o.channel))).label("channel"),
        sql.either(func.max(o.local_day) > func.min(o.local_day)).label("again"),
        func.coalesce(func.sum(o.net), _NONE).label("net"),
    )
    return fenced(rows.group_by(o.customer_id).having(and_(*in_period(first, statement))), "acquired")


def _met(statement: Statement, acquired: CTE) -> Select[Any]:
    """The first touch of each of them; who was touched by the first order was first touched by then."""
    t: Any = Touchpoint.__table__.alias("touch")
    theirs = sql.either(t.c.customer_id.in_(select(acquired.c.customer_id))) == _ONE
    place = func.row_number().over(partition_by=t.c.customer_id, order_by=[t.c.occurred_at, t.c.id])
    m = (
        select(t.c.customer_id, t.c.occurred_at, t.c.channel, place.label("place"))
        .where(t.c.org_id == statement.org, lasting(t.c.retracted_at), t.c.occurred_at <= statement.now, theirs)
        .subquery("met")
        .c
    )
    unknown = (cast(null(), Instant()), cast(null(), Words()), cast(null(), BigInteger()), cast(null(), BigInteger()))
    return select(m.customer_id, *unknown, m.occurred_at, m.channel).where(m.place == _ONE)


def _became(statement: Statement) -> Select[Any]:
    """How many a channel brought, how many of them bought again, and what they brought in, by now."""
    acquired = _acquired(statement)
    # Laid beside each other, not joined: of an organisation that has just come PostgreSQL believes that it is tiny,
    # and would compare everybody with everybody.
    unknown = cast(null(), Instant()).label("met_at"), cast(null(), Words()).label("met_channel")
    e = union_all(select(acquired, *unknown), _met(statement, acquired)).subquery("each_part").c
    by_touch = (func.max(e.met_at) <= func.max(e.first_at), func.max(e.met_channel))
    c = (
        select(
            case(by_touch, else_=func.max(e.channel)).label("channel"),
            *(func.max(e[key]).label(key) for key in ("again", "net")),
        )
        .group_by(e.customer_id)
        .subquery("customer")
        .c
    )
    sums: list[Any] = [func.count().label("customers"), func.sum(c.again).label("repurchasers")]
    sums += [func.sum(c.net).label("net"), _NONE.label("cost")]
    return select(c.channel, *sums).group_by(c.channel)


def _spent(statement: Statement) -> Select[Any]:
    """What campaigns that are to win customers booked in the period, by their channel."""
    k: Any = CampaignCost.__table__.alias("booked")
    c: Any = Campaign.__table__.alias("acquiring")
    return (
        select(
            c.c.channel,
            _NONE.label("customers"),
            _NONE.label("repurchasers"),
            _NONE.label("net"),
            func.sum(k.c.amount_reporting).label("cost"),
        )
        .select_from(k.join(c, (c.c.org_id == k.c.org_id) & (c.c.id == k.c.campaign_id)))
        .where(
            k.c.org_id == statement.org,
            c.c.objective.in_([sql.text(each.name) for each in ACQUIRING]),
            *in_period(k.c.at, statement),
        )
        .group_by(c.c.channel)
    )


def _quality(statement: Statement, _: Select[Any] | None) -> FromClause:
    made: CTE | None = statement.shared.get("quality")
    if made is None:
        each = union_all(_became(statement), _spent(statement)).subquery("each_channel")
        sums = [sql.whole(func.sum(each.c[key])).label(key) for key in ("customers", "repurchasers", "net", "cost")]
        rows = select(statement.org.label("org_id"), each.c.channel.label("id"), each.c.channel, *sums)
        made = statement.shared["quality"] = fenced(rows.group_by(each.c.channel), "quality")
    return made


qualities = Shape(
    "channel_quality",
    described(
        "channel_qualities",
        id=Words(),
        channel=Words(),
        customers=BigInteger(),
        repurchasers=BigInteger(),
        net=BigInteger(),
        cost=BigInteger(),
    ),
    derived=_quality,
)


def _per_customer(of: Expression, customers: Expression, unit: int = 1) -> Expression:
    """Rounded once, half away from zero; unknown where there is nobody."""
    return case((customers > _NONE, sql.Share(of, constant(unit), _ONE, _ONE, customers)))


@measure(qualities, Minor(), nullable=True, catalogued=False)
def cac(c: Any, _: Any) -> Any:
    return _per_customer(c.cost, c.customers)


@measure(qualities, Fixed(decimals=6), nullable=True, catalogued=False)
def repurchase_rate(c: Any, _: Any) -> Any:
    return _per_customer(c.repurchasers, c.customers, MILLION)


@measure(qualities, Minor(), nullable=True, catalogued=False)
def net_per_customer(c: Any, _: Any) -> Any:
    return _per_customer(c.net, c.customers)
