"""Until when a judgement stands by itself: read off its own rule, so that it cannot be forgotten beside it.

A rule moves with the day only where it compares the day of today with a day of the row:

    last_day < today - churn_days      first holds on last_day + churn_days + 1
    first_day >= today - new_days      last holds on first_day + new_days

Solved for today, each comparison names the last day before it turns. A judgement stands through the least of these
days that is not over yet. A rule that uses today otherwise cannot be solved: it is refused when it is declared.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ScalarSelect, case
from sqlalchemy.sql.elements import BinaryExpression, Grouping

from app.query import sql
from app.query.fact import FAR, constant
from app.query.measure import Expression, Measure
from app.query.shape import Shape

# How many days before the day that solves it a comparison `today <operator> day` has its last day as it is.
_LAST = {
    operator.lt: (1,),
    operator.ge: (1,),
    operator.le: (0,),
    operator.gt: (0,),
    operator.eq: (1, 0),
    operator.ne: (1, 0),
}
_FLIPPED = {operator.lt: operator.gt, operator.gt: operator.lt, operator.le: operator.ge, operator.ge: operator.le}


class _Thresholds:
    """The thresholds a rule is given, with one `today` that is found again in what the rule makes of it."""

    def __init__(self, p: Any) -> None:
        self._p = p
        self.today = p.today

    @property
    def now(self) -> Expression:
        raise TypeError("A judgement that is kept moves by the day, not by the instant.")

    def __getattr__(self, key: str) -> Expression:
        found: Expression = getattr(self._p, key)
        return found


def stands_until(measures: Iterable[Measure], c: Any, p: Any) -> Expression:
    """The last day through which none of these measures, nor what they rest on, changes by itself."""
    thresholds = _Thresholds(p)
    days: list[Expression] = [
        case((day >= thresholds.today, day), else_=constant(FAR))
        for measure in _below(measures)
        for day in last_days(measure.value(c, thresholds), thresholds.today)
    ]
    return _least(days) if days else constant(FAR)


def last_days(expression: Any, today: Expression) -> Iterator[Expression]:
    """For each comparison with today, the last day before it turns. Raises TypeError for another use of today."""
    if expression is today:
        raise TypeError("A judgement that is kept compares days: write `day < p.today - days`, not an age.")
    if isinstance(expression, BinaryExpression) and expression.operator in _LAST and _names(expression, today):
        yield from _solved(expression, today)
        return
    for child in expression.get_children() if not isinstance(expression, ScalarSelect) else ():
        yield from last_days(child, today)


def _solved(comparison: BinaryExpression[Any], today: Expression) -> Iterator[Expression]:
    held: Any = comparison.operator
    times, terms = _linear(comparison.left, today, 1)
    more, others = _linear(comparison.right, today, -1)
    times += more
    if times not in (1, -1):
        raise TypeError(f"A comparison of today with itself: {comparison}.")
    # today * times + terms <held> 0
    signed = [term if sign != times else -term for sign, term in terms + others]
    if not signed:
        raise TypeError(f"Today is compared with no day: {comparison}.")
    day = signed[0]
    for term in signed[1:]:
        day = day + term
    if times == -1:
        held = _FLIPPED.get(held, held)
    for before in _LAST[held]:
        yield day - constant(before) if before else day


def _linear(expression: Any, today: Expression, sign: int) -> tuple[int, list[tuple[int, Expression]]]:
    """How many times today, and the terms besides it with their signs."""
    if isinstance(expression, Grouping):
        return _linear(expression.element, today, sign)
    if expression is today:
        return sign, []
    if isinstance(expression, BinaryExpression) and expression.operator in (operator.add, operator.sub):
        times, terms = _linear(expression.left, today, sign)
        more, others = _linear(expression.right, today, sign if expression.operator is operator.add else -sign)
        return times + more, terms + others
    if _names(expression, today):
        raise TypeError(f"Today cannot be solved for in {expression}.")
    return 0, [(sign, expression)]


def _names(expression: Any, today: Expression) -> bool:
    return expression is today or any(_names(child, today) for child in expression.get_children())


def _least(days: list[Expression]) -> Expression:
    """Paired off, so that it nests little."""
    if len(days) == 1:
        return days[0]
    half = len(days) // 2
    return sql.Least(_least(days[:half]), _least(days[half:]))


def _below(measures: Iterable[Measure]) -> list[Measure]:
    """These measures and those they rest on, in order of name."""
    found: dict[str, Measure] = {}
    waiting = list(measures)
    while waiting:
        measure = waiting.pop()
        if measure.key not in found:
            found[measure.key] = measure
            shape: Shape = measure.shape
            waiting += [shape.measures[need] for need in measure.needs if need in shape.measures]
    return [found[key] for key in sorted(found)]
