"""What was bought, credited to the touches before it: by channel or by campaign, and to the last minor unit.

Descriptive only: it tells what came before a purchase, not what brought it about. That a campaign's result tells, whose
holdout shows what would have happened anyway.

Each purchase is shared by whole numbers. A touch has a weight, its part is revenue x weight / all weights, rounded
down; the units left over go one each to the largest remainders, of equal ones to the later touch. The parts of a
purchase so add up to it exactly, and rows to the period. A conversion is shared in the same way, as a million parts.
"""

from collections.abc import Iterable
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
    true,
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


# 2^36 x 2^(-n/7), rounded: weights after n days, to be halved for each whole week.
DECAYED = (1 << 36, 62240856276, 56373016413, 51058374991, 46244778488, 41884990225, 37936226825)
# Of more touches than that the weights have fewer bits, so that their sum stays below 2^46, of 2^16 on one day too.
MANY, FEWER_BITS = 256, 6
# A product is made in two steps by this, so that neither passes 2^63.
_HALF = constant(1 << 18), constant(1 << 15)
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
    """What is shared; `span`: into which stretch of the look-back's length its day falls."""
    p: Any = purchases.table.alias("bought_order")
    stands, revenue = kept(p, statement)
    told = (p.c[key] for key in ("id", "customer_id", "purchased_at", "local_day"))
    span = p.c.local_day // (statement.bind("look_back") + _ONE)
    return fenced(
        select(*told, revenue.label("revenue"), span.label("span")).where(
            *stands, p.c.gross_reporting.is_not(None), *in_period(p.c.purchased_at, statement)
        ),
        "bought",
    )


def _touched(statement: Statement, bought: CTE) -> FromClause:
    """Each touch before each purchase, in their order, and what tells their weights."""
    t: Any = Touchpoint.__table__.alias("touch")
    by = statement.bind("by")
    channel, campaign = (by == constant(place) for place, _ in enumerate(AttributionKey))
    credited = case((channel, t.c.channel)).label("channel"), case((campaign, t.c.campaign_id)).label("campaign_id")
    pairs = _laid_beside if statement.dialect == "postgresql" else _looked_up
    touches = pairs(statement, bought, t, credited)
    of_one = _of_one(touches)
    return select(
        touches,
        func.count().over(**of_one).label("touches"),
        func.first_value(touches.c.id).over(**of_one).label("first_id"),
        func.last_value(touches.c.id).over(**of_one).label("last_id"),
        func.last_value(touches.c.local_day).over(**of_one).label("last_day"),
    ).subquery("placed")


def _pair(bought: CTE, touch: Any, credited: Iterable[Expression]) -> Select[Any]:
    told = (touch.c[key] for key in ("id", "occurred_at", "local_day"))
    return select(bought.c.id.label("purchase_id"), bought.c.revenue, *told, *credited)


def _looked_up(statement: Statement, bought: CTE, t: Any, credited: Iterable[Expression]) -> FromClause:
    """By the index of a customer's touches, purchase by purchase."""
    earliest = bought.c.local_day - statement.bind("look_back")
    before = and_(
        t.c.org_id == statement.org,
        t.c.customer_id == sql.Given(bought.c.customer_id),
        t.c.occurred_at <= sql.Given(bought.c.purchased_at),
        # By this the index is read from there on: no day begins more than a day before it does in UTC.
        t.c.occurred_at >= StartUtc(earliest - _ONE),
        t.c.local_day >= earliest,
        lasting(t.c.retracted_at),
    )
    return _pair(bought, t, credited).select_from(bought.join(t, before)).subquery("touched")


def _laid_beside(statement: Statement, bought: CTE, t: Any, credited: Iterable[Expression]) -> FromClause:
    """By customer and span, of all touches that may come before one of them: each is laid into its own span and into
    the next, and so beside what was bought in the look-back after it.

    A full join, and a test that it cannot see through: PostgreSQL hashes both, however few rows it takes them for. Of
    an organisation that has just come it takes the wrong index for as good, and would read all touches for each
    purchase.
    """
    later: Any = union_all(select(_NONE.label("spans")), select(_ONE.label("spans"))).subquery("later")
    span = t.c.local_day // (statement.bind("look_back") + _ONE) + later.c.spans
    told = (t.c[key] for key in ("id", "customer_id", "occurred_at", "local_day"))
    m = (
        select(*told, *credited, span.label("span"))
        .select_from(t.join(later, true()))
        .where(
            t.c.org_id == statement.org,
            lasting(t.c.retracted_at),
            t.c.occurred_at >= statement.bind("touched_since", Instant()),
            t.c.occurred_at < statement.bind("until", Instant()),
            t.c.occurred_at <= statement.now,
        )
        .subquery("met")
    )
    same = and_(m.c.customer_id == bought.c.customer_id, m.c.span == bought.c.span)
    earliest = bought.c.local_day - statement.bind("look_back")
    before = sql.either(and_(m.c.occurred_at <= bought.c.purchased_at, m.c.local_day >= earliest)) == _ONE
    rows = _pair(bought, m, (m.c.channel, m.c.campaign_id)).select_from(bought.join(m, same, full=True))
    return rows.where(before).subquery("touched")


def _of_one(touches: Any) -> dict[str, Any]:
    """A window over all touches of one purchase. Always the same, so that they are sorted once."""
    order = [touches.c.occurred_at, touches.c.id]
    return {"partition_by": touches.c.purchase_id, "order_by": order, "rows": (None, None)}


def _decayed(placed: FromClause) -> FromClause:
    """The weights after so many days, and their sum: fewer bits of them where very many are to be added."""
    age = placed.c.last_day - placed.c.local_day
    of_days = case(
        {constant(n): constant(weight) for n, weight in enumerate(DECAYED)}, value=sql.Remainder(age, constant(7))
    )
    halved = age // constant(7) + case((placed.c.touches > constant(MANY), constant(FEWER_BITS)), else_=_NONE)
    aged = select(placed, cast(of_days, BigInteger).bitwise_rshift(cast(halved, Integer)).label("decayed")).subquery(
        "aged"
    )
    total = sql.whole(func.sum(aged.c.decayed).over(**_of_one(aged)))
    return select(aged, total.label("all_decayed")).subquery("decaying")


def _weighed(statement: Statement, placed: FromClause) -> CTE:
    """The weight of each touch by the model, and the sum of those of its purchase."""
    model = statement.bind("model")
    placed = _decayed(placed)
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
    half = case((placed.c.touches > constant(MANY), _HALF[1]), else_=_HALF[0]).label("half")
    once = sql.either(is_last).label("once")
    weight, all_weights = by_model(0).label("weight"), by_model(1).label("weights")
    return fenced(select(*carried, once, constant(MILLION).label("conversions"), weight, all_weights, half), "weighed")


_SHARED = ("revenue", "conversions")


def _credits(weighed: CTE) -> list[Select[Any]]:
    """What each touch is credited with: its part rounded down, and one more for the largest remainders."""
    parts: list[Any] = []
    for key in _SHARED:
        whole, rest = _share(weighed.c[key], weighed.c.weight, weighed.c.weights, weighed.c.half)
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


def _share(amount: Expression, weight: Expression, of: Expression, half: Expression) -> tuple[Expression, Expression]:
    """amount x weight / of, rounded down, and what remains. Exact, for up to 2^16 touches of one purchase on one
    day."""
    rest = sql.Remainder(amount, of)
    high = rest * (weight // half)
    low = sql.Remainder(high, of) * half + rest * sql.Remainder(weight, half)
    return amount // of * weight + high // of * half + low // of, sql.Remainder(low, of)


def _alone(bought: CTE, weighed: CTE) -> Select[Any]:
    """What no touch came before: all that was bought, less what was."""
    b, w = bought.c, weighed.c
    all_of = select(func.sum(b.revenue).label("revenue"), func.count().label("orders")).select_from(bought)
    touched = select(func.sum(case((w.once == _ONE, w.revenue))).label("revenue"), func.sum(w.once).label("orders"))
    every, some = all_of.subquery("every_order"), touched.subquery("touched_order")
    left = {key: sql.whole(every.c[key] - func.coalesce(some.c[key], _NONE)) for key in ("revenue", "orders")}
    none = cast(null(), Words()).label("channel"), cast(null(), Key()).label("campaign_id")
    columns: list[Any] = [*none, left["revenue"], left["orders"] * constant(MILLION)]
    return select(*columns).select_from(every.join(some, true()))


def _attributed(statement: Statement, _: Select[Any] | None) -> FromClause:
    made: CTE | None = statement.shared.get("attributed")
    if made is None:
        made = statement.shared["attributed"] = _made(statement)
    return made


def _made(statement: Statement) -> CTE:
    bought = _bought(statement)
    weighed = _weighed(statement, _touched(statement, bought))
    each = union_all(*_credits(weighed), _alone(bought, weighed)).subquery("each_credit")
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
