"""What was bought, credited to the touches before it: by channel or by campaign, and to the last minor unit.

Descriptive only: it tells what came before a purchase, not what brought it about. That a campaign's result tells, whose
holdout shows what would have happened anyway.

Each purchase is shared by whole numbers. A touch has a weight, its part is revenue x weight / all weights, rounded
down; the units left over go one each to the largest remainders, of equal ones to the later touch. The parts of a
purchase so add up to it exactly, and rows to the period. A conversion is shared in the same way, as a million parts.
"""

from enum import Enum
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    null,
    or_,
    select,
    union_all,
)

from app.platform.database import Instant, Key, Words
from app.platform.text import MILLION
from app.purchases.measures import purchases
from app.query import sql
from app.query.calendar import StartUtc
from app.query.fact import constant
from app.query.flow import Statement, fenced
from app.query.shape import Shape, described
from app.touchpoints.tables import Touchpoint

Expression = ColumnElement[Any]


class AttributionModel(Enum):
    FIRST = "FIRST"
    LAST = "LAST"
    LINEAR = "LINEAR"
    POSITION = "POSITION"
    TIME_DECAY = "TIME_DECAY"


class AttributionKey(Enum):
    CHANNEL = "CHANNEL"
    CAMPAIGN = "CAMPAIGN"


# 2^30 x 2^(-n/7), rounded: weights after n days, to be halved for each whole week.
DECAYED = (1 << 30, 972513379, 880828381, 797787109, 722574664, 654452972, 592753544)
# A product of numbers below 2^47 is made in two steps by this, so that neither passes 2^63.
_HALF = constant(1 << 15)
_ONE, _NONE = constant(1), constant(0)


def lasting(undone: Expression) -> ColumnElement[bool]:
    """That it was not undone. Not said as the indexes of external references say it: where nothing is known of a table
    yet, PostgreSQL takes these for tiny, and would read one of them whole for each customer."""
    return sql.either(undone.is_(None)) == _ONE


def kept(purchase: Any, statement: Statement) -> tuple[list[ColumnElement[bool]], Expression]:
    """The conditions on an order that still stands, and what it brought in; unknown where it is not converted."""
    refunded = {key: purchase.c[key] for key in ("refunded_minor", "refunded_reporting")}
    if statement.clock.past:
        refunded = {key: purchases.past[key](purchase.c, statement.now) for key in refunded}
    stands = [
        purchase.c.org_id == statement.org,
        lasting(purchase.c.voided_at),
        or_(refunded["refunded_minor"] == _NONE, refunded["refunded_minor"] < purchase.c.gross_minor),
    ]
    return stands, purchase.c.gross_reporting - func.coalesce(refunded["refunded_reporting"], _NONE)


def in_period(at: Expression, statement: Statement) -> list[ColumnElement[bool]]:
    """From `since` to before `until`, and not after now."""
    since, until = statement.bind("since", Instant()), statement.bind("until", Instant())
    return [at >= since, at < until, at <= statement.now]


def _bought(statement: Statement) -> CTE:
    """What is shared, with the day of the last touch before it: null where there is none."""
    p: Any = purchases.table.alias("bought_order")
    stands, revenue = kept(p, statement)
    t: Any = Touchpoint.__table__.alias("last_touch")
    last = select(t.c.local_day).where(*_before(t, p, statement)).order_by(t.c.occurred_at.desc(), t.c.id.desc())
    return fenced(
        select(
            p.c.id,
            p.c.customer_id,
            p.c.purchased_at,
            p.c.local_day,
            revenue.label("revenue"),
            last.limit(_ONE).correlate(p).scalar_subquery().label("last_day"),
        ).where(*stands, p.c.gross_reporting.is_not(None), *in_period(p.c.purchased_at, statement)),
        "bought",
    )


def _before(touch: Any, bought: Any, statement: Statement) -> list[ColumnElement[bool]]:
    """The live touches of the look-back: of its local day and so many before, up to the purchase."""
    earliest = bought.c.local_day - statement.bind("look_back")
    return [
        touch.c.org_id == statement.org,
        touch.c.customer_id == sql.Given(bought.c.customer_id),
        touch.c.occurred_at <= sql.Given(bought.c.purchased_at),
        # By this the index is read from there on: no day begins more than a day before it does in UTC.
        touch.c.occurred_at >= StartUtc(earliest - _ONE),
        touch.c.local_day >= earliest,
        lasting(touch.c.retracted_at),
    ]


def _touched(statement: Statement, bought: CTE) -> CTE:
    """Each touch before each purchase, and what tells their weights."""
    t: Any = Touchpoint.__table__.alias("touch")
    by, age = statement.bind("by"), bought.c.last_day - t.c.local_day
    of_days = case(
        {constant(n): constant(weight) for n, weight in enumerate(DECAYED)}, value=sql.Remainder(age, constant(7))
    )
    channel, campaign = (by == constant(place) for place, _ in enumerate(AttributionKey))
    touches = fenced(
        select(
            bought.c.id.label("purchase_id"),
            bought.c.revenue,
            t.c.id,
            t.c.occurred_at,
            case((channel, t.c.channel)).label("channel"),
            case((campaign, t.c.campaign_id)).label("campaign_id"),
            cast(of_days, BigInteger).bitwise_rshift(cast(age // constant(7), Integer)).label("decayed"),
        )
        .select_from(bought.join(t, and_(*_before(t, bought, statement))))
        .where(bought.c.last_day.is_not(None)),
        "touched",
    )
    of_one: Any = {"partition_by": touches.c.purchase_id, "order_by": [touches.c.occurred_at, touches.c.id]}
    of_one["rows"] = (None, None)
    return fenced(
        select(
            touches,
            func.count().over(**of_one).label("touches"),
            func.first_value(touches.c.id).over(**of_one).label("first_id"),
            func.last_value(touches.c.id).over(**of_one).label("last_id"),
            sql.whole(func.sum(touches.c.decayed).over(**of_one)).label("all_decayed"),
        ),
        "placed",
    )


def _weighed(statement: Statement, placed: CTE) -> CTE:
    """The weight of each touch by the model, and the sum of those of its purchase."""
    model = statement.bind("model")
    is_first, is_last = placed.c.id == placed.c.first_id, placed.c.id == placed.c.last_id
    # 40/20/40: each end has twice what all in between have together.
    between = placed.c.touches - constant(2)
    ends = case((and_(or_(is_first, is_last), between > _NONE), constant(2) * between), else_=_ONE)
    of_all = case((between > _NONE, constant(5) * between), else_=placed.c.touches)
    found = {
        AttributionModel.FIRST: (sql.either(is_first), _ONE),
        AttributionModel.LAST: (sql.either(is_last), _ONE),
        AttributionModel.LINEAR: (_ONE, placed.c.touches),
        AttributionModel.POSITION: (ends, of_all),
        AttributionModel.TIME_DECAY: (placed.c.decayed, placed.c.all_decayed),
    }

    def by_model(which: int) -> Expression:
        return case({constant(n): found[each][which] for n, each in enumerate(AttributionModel)}, value=model)

    carried = (placed.c[key] for key in ("purchase_id", "id", "occurred_at", "channel", "campaign_id", "revenue"))
    weight, all_weights = by_model(0).label("weight"), by_model(1).label("weights")
    return fenced(select(*carried, constant(MILLION).label("conversions"), weight, all_weights), "weighed")


_SHARED = ("revenue", "conversions")


def _credits(weighed: CTE) -> list[Select[Any]]:
    """What each touch is credited with: its part rounded down, and one more for the largest remainders."""
    parts: list[Any] = []
    for key in _SHARED:
        whole, rest = _share(weighed.c[key], weighed.c.weight, weighed.c.weights)
        parts += [whole.label(key), rest.label(f"{key}_rest")]
    told = (weighed.c[key] for key in ("purchase_id", "id", "occurred_at", "channel", "campaign_id", "weights"))
    parted = fenced(select(*told, *parts), "parted")
    e = parted.c
    return [select(e.channel, e.campaign_id, e.revenue, e.conversions), *(_left_over(parted, key) for key in _SHARED)]


def _left_over(parted: CTE, key: str) -> Select[Any]:
    """The units that rounding down has left over. They are fewer than the touches with a remainder, so that the others
    need not be ranked."""
    e, rest = parted.c, parted.c[f"{key}_rest"]
    order = [rest.desc(), e.occurred_at.desc(), e.id.desc()]
    ranked = (
        select(
            e.channel,
            e.campaign_id,
            e.weights,
            sql.whole(func.sum(rest).over(partition_by=e.purchase_id)).label("rests"),
            func.row_number().over(partition_by=e.purchase_id, order_by=order).label("place"),
        )
        .where(rest > _NONE)
        .subquery(f"{key}_left")
    )
    units = (_ONE if each == key else _NONE for each in _SHARED)
    return select(ranked.c.channel, ranked.c.campaign_id, *units).where(
        ranked.c.place <= ranked.c.rests // ranked.c.weights
    )


def _share(amount: Expression, weight: Expression, of: Expression) -> tuple[Expression, Expression]:
    """amount x weight / of, rounded down, and what remains. Exact for weights up to 2^30, and so for 2^16 touches of
    one purchase on one day."""
    rest = sql.Remainder(amount, of)
    high = rest * (weight // _HALF)
    low = sql.Remainder(high, of) * _HALF + rest * sql.Remainder(weight, _HALF)
    return amount // of * weight + high // of * _HALF + low // of, sql.Remainder(low, of)


def _attributed(statement: Statement, _: Select[Any] | None) -> FromClause:
    made: CTE | None = statement.shared.get("attributed")
    if made is None:
        made = statement.shared["attributed"] = _made(statement)
    return made


def _made(statement: Statement) -> CTE:
    bought = _bought(statement)
    alone = select(
        cast(null(), Words()).label("channel"),
        cast(null(), Key()).label("campaign_id"),
        bought.c.revenue,
        constant(MILLION).label("conversions"),
    ).where(bought.c.last_day.is_(None))
    credited = _credits(_weighed(statement, _touched(statement, bought)))
    each = union_all(*credited, alone).subquery("each_credit")
    by, sums = (each.c.channel, each.c.campaign_id), [sql.whole(func.sum(each.c[key])) for key in _SHARED]
    named = (total.label(key) for total, key in zip(sums, _SHARED, strict=True))
    # Whoever is credited with nothing, as those between are by the first touch, has no row.
    rows = select(*by, *named).group_by(*by).having(or_(*(total > _NONE for total in sums))).cte("rows_of")
    order: list[Any] = [rows.c.revenue.desc(), rows.c.conversions.desc()]
    # What belongs to none comes after what is worth as much.
    order += [each for key in (rows.c.channel, rows.c.campaign_id) for each in (sql.either(key.is_(None)), key)]
    place = func.row_number().over(order_by=order)
    return fenced(select(statement.org.label("org_id"), place.label("id"), rows), "attributed")


attributed = Shape(
    "attribution_row",
    described(
        "attribution_rows",
        id=BigInteger(),
        channel=Words(),
        campaign_id=Key(),
        conversions=BigInteger(),
        revenue=BigInteger(),
    ),
    derived=_attributed,
)
