"""What is kept of an account, as it reads while nothing is due and its terms are those in force.

The balances of the row are exact until `due_at`; so is the level, which only the calendar, new points and new terms can
change: the first is something that falls due, the others write it again.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import and_, func, select

import app.loyalty.due  # noqa: F401 - the measures that are kept
from app.loyalty.levels import is_levelled
from app.loyalty.measures import accounts
from app.loyalty.tables import LoyaltyAccount
from app.platform.work import Work
from app.query.fact import constant
from app.query.flow import Statement, read
from app.query.kind import Flag
from app.query.measure import Measure
from app.query.question import Clock
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


def _twin() -> Shape:
    twin = replace(accounts, measures=dict(accounts.measures))
    for key, (column, _) in _KEPT.items():
        rule = lambda c, _, column=column: getattr(c, column)  # noqa: E731 - one for each
        twin.measures[key] = replace(accounts.measures[key], shape=twin, rule=rule)
    twin.add(Measure("is_levelled", twin, Flag(), is_levelled, catalogued=False))
    return twin


accounts.kept = Kept(_twin(), {key: guard for key, (_, guard) in _KEPT.items()})


def wrongly_kept(work: Work) -> int:
    """In how many accounts another level is kept than a replay finds. None, unless something is broken."""
    # As of now, nothing that is kept is believed.
    statement = Statement(work.dialect, Clock(past=True))
    statement.policy = select(constant(0).label("version")).cte("policy")
    rows = read(statement, accounts, {"level_rank", "terms_version"})
    a: Any = LoyaltyAccount.__table__.alias("kept")
    # Not where something was done since, by a clock that is ahead of this one.
    since = a.c.last_at <= statement.now, a.c.kept_version == rows["terms_version"]
    wrong = (
        select(func.count())
        .select_from(rows.source.join(a, and_(a.c.org_id == statement.org, a.c.id == rows["id"])))
        .where(*rows.tests, *since, is_levelled(a.c, statement), a.c.kept_rank.is_distinct_from(rows["level_rank"]))
    )
    given = {"org": work.org.id, "now": work.now, "today": work.today}
    return int(work.session.execute(wrong, given).scalar_one())
