"""What could happen next to a customer: each a change of facts, over which the judgements are asked again. A change by 0 changes nothing."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_, case, func, or_

from app.query import sql
from app.query.fact import constant
from app.query.measure import Expression, Rule, Step

MOST_COUNTED = 6
PROMOTER = 9
Change = Callable[[Any, Any, Expression], dict[str, Expression]]


def up_to_six(value: Expression) -> Expression:
    return sql.Least(value, constant(MOST_COUNTED))


def missing(minimum: Expression, value: Expression) -> Expression:
    """How many are missing to a minimum; 0 when it is reached."""
    return sql.Greatest(minimum - value, constant(0))


def one(_c: Any, _p: Any) -> Expression:
    return constant(1)


def _bought(last: Rule) -> Change:
    """n more purchase days, the last of them as said."""

    def change(c: Any, p: Any, n: Expression) -> dict[str, Expression]:
        return {
            "kept_orders": c.kept_orders + n,
            "occasions": c.occasions + n,
            "first_day": case((n == constant(0), c.first_day), else_=func.coalesce(c.first_day, p.today)),
            "last_day": case((n == constant(0), c.last_day), else_=last(c, p)),
            "recent_occasions": up_to_six(c.recent_occasions + n),
        }

    return change


def _latest_or_today(c: Any, p: Any) -> Expression:
    return sql.Greatest(p.today, func.coalesce(c.last_day, p.today))


def long_enough(c: Any, p: Any) -> Expression:
    """The first day, from today on, on which a purchase makes the span that loyalty wants."""
    return sql.Greatest(_latest_or_today(c, p), func.coalesce(c.first_day, p.today) + p.loyal_min_span_days)


def _to_loyalty(c: Any, p: Any) -> Expression:
    """Purchase days to loyalty; 0 when one purchase today would do, which is a step of its own."""
    # A span has two ends, and who has never bought has neither.
    both_ends = and_(c.first_day.is_(None), p.loyal_min_span_days > constant(0))
    days = sql.Greatest(p.loyal_min_occasions - c.occasions, case((both_ends, constant(2)), else_=constant(1)))
    at_once = and_(days == constant(1), long_enough(c, p) == p.today)
    return case((at_once, constant(0)), else_=days)


def purchase(needed: Rule = one, by: Rule | None = None) -> Step:
    return Step("purchase", "occasions", "Days with a purchase: {needed} more", needed, _bought(_latest_or_today), by)


def loyalty(by: Rule | None = None, useless: Rule | None = None) -> Step:
    """The purchases that loyalty wants; none where they would come too late, or be of no use."""

    def needed(c: Any, p: Any) -> Expression:
        reasons = ([by(c, p) < long_enough(c, p)] if by else []) + ([useless(c, p)] if useless else [])
        days = _to_loyalty(c, p)
        return case((or_(*reasons), constant(0)), else_=days) if reasons else days

    sentence = "Days with a purchase: {needed} more, the last of them on or after {since}"
    return Step("loyalty", "occasions", sentence, needed, _bought(long_enough), by, long_enough)


def contact(needed: Rule = one, by: Rule | None = None) -> Step:
    def change(c: Any, p: Any, n: Expression) -> dict[str, Expression]:
        return {"inbound_90": up_to_six(c.inbound_90 + n), "inbound_365": up_to_six(c.inbound_365 + n)}

    return Step("contact", "inboundLast90Days", "Contacts from the customer: {needed} more", needed, change, by)


def open_complaints(c: Any, _p: Any) -> Expression:
    found: Expression = c.open_complaints
    return found


def resolve(needed: Rule = open_complaints, by: Rule | None = None) -> Step:
    """All open complaints resolved: then none is overdue."""

    def change(c: Any, p: Any, n: Expression) -> dict[str, Expression]:
        left = c.open_complaints - n
        return {"open_complaints": left, "overdue_complaint": and_(c.overdue_complaint, left > constant(0))}

    return Step("resolve", "openComplaints", "Open complaints to resolve: {needed}", needed, change, by)


def answer(needed: Rule = one, by: Rule | None = None) -> Step:
    """A survey answered today, as a promoter does."""

    def change(c: Any, p: Any, n: Expression) -> dict[str, Expression]:
        return {
            "nps": case((n == constant(0), c.nps), else_=constant(PROMOTER)),
            "nps_day": case((n == constant(0), c.nps_day), else_=p.today),
        }

    return Step("answer", "nps", "Survey answers of 9 or 10: {needed} more", needed, change, by)


def more(key: str, fact: str, measure: str, sentence: str, needed: Rule, by: Rule | None = None) -> Step:
    """n more of what is counted up to six in a window."""

    def change(c: Any, p: Any, n: Expression) -> dict[str, Expression]:
        return {measure: up_to_six(getattr(c, measure) + n)}

    return Step(key, fact, sentence, needed, change, by)
