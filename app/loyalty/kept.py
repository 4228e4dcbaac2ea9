"""What is kept of an account, as it reads while nothing is due and its terms are those in force.

The balances of the row are exact until `due_at`; so is the level, which only the calendar, new points and new terms can
change: the first is something that falls due, the others write it again.
"""

from dataclasses import replace
from typing import Any

import app.loyalty.due  # noqa: F401 - the measures that are kept
from app.loyalty.levels import is_levelled
from app.loyalty.measures import accounts
from app.query.kind import Flag
from app.query.measure import Measure
from app.query.shape import Kept, Shape

_KEPT = {
    "now_available": ("available", "is_posted"),
    "now_pending": ("pending", "is_posted"),
    "now_reserved": ("reserved", "is_posted"),
    "now_debt": ("debt", "is_posted"),
    "now_expired": ("expired", "is_posted"),
    "level_rank": ("kept_rank", "is_levelled"),
    "terms_version": ("kept_version", "is_levelled"),
}


def _is_posted(c: Any, p: Any) -> Any:
    return c.due_at > p.now


def _twin() -> Shape:
    twin = replace(accounts, measures=dict(accounts.measures))
    for key, (column, _) in _KEPT.items():
        rule = lambda c, _, column=column: getattr(c, column)  # noqa: E731 - one for each
        twin.measures[key] = replace(accounts.measures[key], shape=twin, rule=rule)
    for key, holds in (("is_posted", _is_posted), ("is_levelled", is_levelled)):
        twin.add(Measure(key, twin, Flag(), holds, catalogued=False))
    return twin


accounts.kept = Kept(_twin(), {key: guard for key, (_, guard) in _KEPT.items()})
