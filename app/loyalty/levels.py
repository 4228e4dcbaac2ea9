"""The level of a member, replayed year by year from the points that qualified, under the terms in force at the clock.

What was earned in a year holds at once and to the end of the next; then it is carried by points that qualify or
retain it, or falls, with a soft landing by one step. In the first days of a year the old level still holds.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from app.loyalty.measures import POINTS, accounts, term_in_force
from app.loyalty.tables import LoyaltyLevel, LoyaltyProgram, LoyaltyTerms, PointsEntry
from app.query.calendar import YearOf, YearStart
from app.query.fact import constant
from app.query.kind import Day, Exact, Flag, Kind, Raw, Text, Whole
from app.query.measure import Measure, measure
from app.query.sql import Least, whole

Expression = ColumnElement[Any]
# Below every rank.
_NONE = constant(-1)


def _qualified(c: Any, year: Expression) -> Expression:
    """The points that qualified for a year, as the last entry says, by its place: an index leads to it."""
    e: Any = PointsEntry.__table__.alias("qualifying")
    mine = [e.c.org_id == c.org_id, e.c.account_id == c.id, e.c.qualifying_year == year]
    last = select(e.c.qualified).where(*mine, e.c.place <= c.entries).order_by(e.c.place.desc()).limit(constant(1))
    return func.coalesce(last.correlate_except(e).scalar_subquery(), constant(0))


def _levels(c: Any, name: str, version: Expression | None = None) -> tuple[Any, list[ColumnElement[bool]]]:
    """Those in force, and the conditions that they are."""
    level: Any = LoyaltyLevel.__table__.alias(name)
    in_force = c.terms_version if version is None else version
    return level, [level.c.org_id == c.org_id, level.c.program_id == c.program_id, level.c.version == in_force]


@measure(accounts, Whole(), catalogued=False)
def terms_version(c: Any, p: Any) -> Any:
    return term_in_force("version", c.org_id, c.program_id, p.now)


def is_levelled(c: Any, p: Any) -> ColumnElement[bool]:
    """Whether the level that is kept beside the balances still stands."""
    of: Any = LoyaltyProgram.__table__.alias("of_program")
    mine = of.c.org_id == c.org_id, of.c.id == c.program_id
    in_force = select(of.c.version).where(*mine).correlate_except(of).scalar_subquery()
    return and_(c.due_at > p.now, c.kept_version == in_force)


def _term(c: Any, key: str) -> Expression:
    t: Any = LoyaltyTerms.__table__.alias("these_terms")
    mine = [t.c.org_id == c.org_id, t.c.program_id == c.program_id, t.c.version == c.terms_version]
    return select(t.c[key]).where(*mine).correlate_except(t).scalar_subquery()


@measure(accounts, Whole(), catalogued=False)
def grace_days(c: Any, p: Any) -> Any:
    return _term(c, "grace_days")


@measure(accounts, Flag(), catalogued=False)
def soft_landing(c: Any, p: Any) -> Any:
    return _term(c, "soft_landing")


@measure(accounts, Whole(), catalogued=False)
def this_year(c: Any, p: Any) -> Any:
    return YearOf(p.today)


@measure(accounts, Whole(), catalogued=False)
def first_year(c: Any, p: Any) -> Any:
    """From which the levels are replayed."""
    e: Any = PointsEntry.__table__.alias("first_qualifying")
    mine = [e.c.org_id == c.org_id, e.c.account_id == c.id, e.c.qualifying_year.is_not(None)]
    first = select(func.min(e.c.qualifying_year)).where(*mine).correlate_except(e).scalar_subquery()
    return func.coalesce(Least(first, YearOf(p.today)), YearOf(p.today))


@measure(accounts, POINTS, catalogued=False)
def qualified(c: Any, p: Any) -> Any:
    return _qualified(c, c.this_year)


@measure(accounts, Whole(), nullable=True, catalogued=False)
def level_rank(c: Any, p: Any) -> Any:
    # Each year with its points, those of the next one, and the level at its end; from two without any.
    before = select(
        whole(c.first_year - constant(2)).label("year"),
        whole(constant(0)).label("points"),
        whole(constant(0)).label("next_points"),
        whole(_NONE).label("rank"),
        c.soft_landing.label("softly"),
        c.terms_version.label("version"),
    )
    years = before.correlate_except().cte("years", recursive=True, nesting=True)
    y = years.c
    level, in_force = _levels(c, "reached", y.version)
    holds = or_(
        y.next_points >= level.c.qualify_points,
        y.points >= level.c.qualify_points,
        and_(level.c.rank <= y.rank, y.points >= level.c.retain_points),
        and_(y.softly, level.c.rank < y.rank),
    )
    reached = select(func.max(level.c.rank)).where(*in_force, holds).correlate_except(level).scalar_subquery()
    following = select(
        y.year + constant(1),
        y.next_points,
        _qualified(c, y.year + constant(2)),
        func.coalesce(reached, _NONE),
        y.softly,
        y.version,
    )
    years = years.union_all(following.where(y.year < c.this_year).correlate_except(years))
    y = years.c
    in_grace = and_(y.year == c.this_year - constant(1), p.today - YearStart(p.today) < c.grace_days)
    held = select(func.max(y.rank)).where(or_(y.year == c.this_year, in_grace)).correlate_except(years)
    replayed = func.nullif(held.scalar_subquery(), _NONE)
    return case((is_levelled(c, p), c.kept_rank), else_=replayed)


@measure(accounts, Whole(), nullable=True, catalogued=False)
def next_rank(c: Any, p: Any) -> Any:
    level, in_force = _levels(c, "above")
    higher = level.c.rank > func.coalesce(c.level_rank, _NONE)
    return select(func.min(level.c.rank)).where(*in_force, higher).correlate_except(level).scalar_subquery()


def _of_level(key: str, rank: str) -> Callable[[Any, Any], Expression]:
    def rule(c: Any, p: Any) -> Expression:
        level, in_force = _levels(c, rank.replace("rank", "level"))
        found = select(level.c[key]).where(*in_force, level.c.rank == getattr(c, rank))
        return found.correlate_except(level).scalar_subquery()

    return rule


_SHOWN: dict[str, tuple[str, Kind]] = {
    "name": ("name", Text()),
    "name_folded": ("name_folded", Text()),
    "qualify_points": ("qualify_points", POINTS),
    "retain_points": ("retain_points", POINTS),
    "multiplier": ("multiplier_e6", Exact(decimals=6)),
    "benefits": ("benefits", Raw()),
}


def _nodes(prefix: str) -> dict[str, str]:
    """What an account calls what a level calls so, made measures of the account."""
    rank = f"{prefix}_rank"
    for name, (key, kind) in _SHOWN.items():
        node = f"{prefix}_{name}"
        accounts.add(Measure(node, accounts, kind, _of_level(key, rank), nullable=True, catalogued=False))
    return {name: f"{prefix}_{name}" for name in ("rank", *_SHOWN)}


LEVEL, NEXT = _nodes("level"), _nodes("next")


@measure(accounts, POINTS, nullable=True, catalogued=False)
def points_needed(c: Any, p: Any) -> Any:
    return c.next_qualify_points - c.qualified


@measure(accounts, Day(), nullable=True, catalogued=False)
def needed_by(c: Any, p: Any) -> Any:
    """The last day of the year."""
    return YearStart(YearStart(p.today) + constant(366)) - constant(1)
