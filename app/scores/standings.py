"""Standings: the stage, score and net that were last judged of each customer, kept as an index (app/query/standing.py),
and how they are judged anew.

Settling judges open rows by the hundred, each batch a transaction that also brings the sums in line. It may be done at
any time, by several at once, and be killed: what is not settled is only answered more slowly.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Engine,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

import app.purchases.facts
import app.touchpoints.measures  # noqa: F401 - what stage and score rest on
from app.customers.facts import facts
from app.customers.measures import customers, net_minor
from app.platform.access import Org
from app.platform.database import Key
from app.platform.rounds import Rounds
from app.platform.sending import Prepared, key_from, prepare
from app.platform.work import Work, operator, work
from app.policy.tables import Policy
from app.query import sql
from app.query.fact import FAR, OPEN, constant
from app.query.flow import Reading, Statement, in_force, read
from app.query.question import Clock, Compare
from app.query.standing import Standing
from app.query.where import member
from app.scores.lifecycle import LifecycleStage, stage
from app.scores.measures import score
from app.scores.tables import StandingSum

standing = Standing(
    customers,
    group=stage,
    key=score,
    total=net_minor,
    outcomes=len(LifecycleStage),
    live=Compare("archived_at", "is_null"),
    sums=StandingSum.__table__,
)

AT_ONCE = 2_000
_judged: Any = facts.table.c


def settler(
    engine: Engine, clock: Callable[[], datetime], at_once: int = AT_ONCE, *, rest_seconds: float = 0.0
) -> Rounds:
    """Settles in the background of a server, up to `at_once` rows of one organisation in a step."""
    return Rounds(
        engine,
        clock,
        lambda work: bool(_found(work, 1, locked=False)),
        lambda work: settle_some(work, at_once),
        at_once,
        rest_seconds,
    )


def settle(engine: Engine, org: Org, clock: Callable[[], datetime], at_once: int = AT_ONCE) -> int:
    """Judge every open row of the organisation anew; how many. What is being written just then is left open."""
    total = 0
    while judged := _settle_some(engine, org, clock(), at_once):
        total += judged
    return total


def _settle_some(engine: Engine, org: Org, now: datetime, at_once: int) -> int:
    with work(engine, operator(org), now) as unit:
        return settle_some(unit, at_once)


def settle_some(work: Work, at_once: int = AT_ONCE) -> int:
    """Judge up to so many open rows anew, and bring the sums in line."""
    if work.dialect == "postgresql":
        # One settler of an organisation at a time: they would pick the same rows.
        work.session.execute(select(func.pg_advisory_xact_lock(_lock(work.org.id))))
    ids = _found(work, at_once, locked=True)
    if ids:
        given = _given(work) | {"those": ids}
        before = _contributed(work, given)
        work.run(_rejudging(work.dialect), given)
        _add(work, _contributed(work, given), before)
    return len(ids)


def unsettle(work: Work) -> None:
    """Forget what was judged, and its sums: all is judged anew."""
    if work.dialect == "postgresql":
        work.session.execute(select(func.pg_advisory_xact_lock(_lock(work.org.id))))
    mine = _judged.org_id == work.org.id
    nothing = {"judged_stage": None, "judged_score": None, "judged_net_minor": 0, "judged_until": OPEN}
    work.session.execute(update(facts.table).where(mine).values(nothing))
    work.session.execute(delete(StandingSum).where(StandingSum.org_id == work.org.id))


def wrongly_judged(work: Work) -> list[UUID]:
    """Customers whose settled standing is not what the definitions say today. None, unless something is broken."""
    return list(work.session.scalars(_wrong(work.dialect), _given(work)))


def sums_differ(work: Work) -> bool:
    """Whether the sums are not those of the rows. Never, unless something is broken."""
    s: Any = StandingSum
    kept = select(s.stage.label("stage"), s.members.label("members"), s.net_minor.label("net"))
    less = select(_judged.judged_stage, constant(-1), -_judged.judged_net_minor)
    both = union_all(
        kept.where(s.org_id == work.org.id),
        less.where(_judged.org_id == work.org.id, _judged.judged_stage.is_not(None)),
    ).subquery("both")
    apart = or_(func.sum(both.c.members) != 0, func.sum(both.c.net) != 0)
    return work.session.execute(select(both.c.stage).group_by(both.c.stage).having(apart)).first() is not None


# ------------------------------------------------------------------ the statements, made once


def _given(work: Work) -> dict[str, Any]:
    return {"org": work.org.id, "now": work.now, "today": work.today}


def _lock(org_id: UUID) -> int:
    return int.from_bytes(org_id.bytes[8:], signed=True) ^ 0x57A4D


def _statement(dialect: str) -> Statement:
    statement = Statement(dialect, Clock())
    statement.policy = in_force(statement, Policy.__table__)
    return statement


def _found(work: Work, at_most: int, *, locked: bool) -> list[UUID]:
    given = _given(work) | {"at_most": at_most}
    return [key_from(key) for (key,) in work.run(_finding(work.dialect, locked), given)]


@cache
def _finding(dialect: str, locked: bool) -> Prepared:
    statement = _statement(dialect)
    at_most = statement.bind("at_most")
    ranges = [
        select(
            select(f.c.customer_id)
            .select_from(source)
            .where(f.c.org_id == statement.org, *tests)
            .limit(at_most)
            .subquery()
        )
        for source, f, tests in standing.open_ranges(statement)
    ]
    open_rows = union_all(*ranges).limit(at_most)
    if not locked:
        return prepare(select(open_rows.subquery("open")), dialect)
    # What somebody is just writing is open again in a moment.
    those = select(_judged.customer_id).where(_judged.org_id == statement.org, _judged.customer_id.in_(open_rows))
    return prepare(those.with_for_update(skip_locked=True), dialect)


@cache
def _contributing(dialect: str) -> Prepared:
    statement = _statement(dialect)
    contributed = (
        select(_judged.judged_stage, func.count(), sql.whole(func.sum(_judged.judged_net_minor)))
        .where(_judged.org_id == statement.org, member(statement, _judged.customer_id, "those", Key()))
        .where(_judged.judged_stage.is_not(None))
        .group_by(_judged.judged_stage)
    )
    return prepare(contributed, dialect)


def _contributed(work: Work, given: dict[str, Any]) -> dict[int, tuple[int, int]]:
    return {stage: (members, net) for stage, members, net in work.run(_contributing(work.dialect), given)}


def _add(work: Work, after: dict[int, tuple[int, int]], before: dict[int, tuple[int, int]]) -> None:
    members, net = Counter[int](), Counter[int]()
    for sums, sign in ((after, 1), (before, -1)):
        for place, (count, amount) in sums.items():
            members[place] += sign * count
            net[place] += sign * amount
    given = {"the_org": work.org.id, "the_day": work.today}
    for place in sorted(members):
        if members[place] or net[place]:
            work.run(_adding(work.dialect), given | {"place": place, "more": members[place], "net": net[place]})
    work.run(_dating(work.dialect), given)


@cache
def _adding(dialect: str) -> Prepared:
    s: Any = StandingSum.__table__
    row = {
        s.c.org_id: bindparam("the_org", type_=Key()),
        s.c.stage: bindparam("place"),
        s.c.members: bindparam("more"),
        s.c.net_minor: bindparam("net"),
        s.c.latest_day: bindparam("the_day"),
    }
    made = (postgresql if dialect == "postgresql" else sqlite).insert(s).values(row)
    sums = {name: s.c[name] + made.excluded[name] for name in ("members", "net_minor")}
    return prepare(made.on_conflict_do_update(index_elements=[s.c.org_id, s.c.stage], set_=sums), dialect)


@cache
def _dating(dialect: str) -> Prepared:
    s: Any = StandingSum.__table__
    day: Any = bindparam("the_day", type_=s.c.latest_day.type)
    earlier = s.c.org_id == bindparam("the_org", type_=Key()), s.c.latest_day < day
    return prepare(update(s).where(*earlier).values(latest_day=day), dialect)


def _values(statement: Statement, rows: Reading) -> dict[str, ColumnElement[Any]]:
    """What is kept of a row: nobody archived stands anywhere."""
    live = rows["archived_at"].is_(None)
    return {
        "judged_stage": case((live, rows["stage"])),
        "judged_score": case((live, rows["score"])),
        "judged_net_minor": case((live, rows["net_minor"]), else_=constant(0)),
        "judged_until": case((live, rows["judged_until"]), else_=constant(FAR)),
    }


_NODES = ("archived_at", "stage", "score", "net_minor", "judged_until")


@cache
def _rejudging(dialect: str) -> Prepared:
    statement = _statement(dialect)
    f = facts.table.alias("those_facts")
    those = (
        select(f.c.customer_id.label("id"))
        .where(f.c.org_id == statement.org, member(statement, f.c.customer_id, "those", Key()))
        .cte("those")
    )
    rows = read(statement, customers, _NODES, cut=those)
    values = _values(statement, rows)
    made: CTE = (
        select(rows["id"].label("id"), *(value.label(name) for name, value in values.items()))
        .select_from(rows.source)
        .cte("made")
    )
    now: dict[str, ColumnElement[Any]] = {name: made.c[name] for name in values}
    now |= {"judged_policy": select(statement.policy.c.version).scalar_subquery(), "judged_day": statement.today}
    mine = _judged.org_id == statement.org, _judged.customer_id == made.c.id
    return prepare(update(facts.table).where(*mine).values(now), dialect)


@cache
def _wrong(dialect: str) -> Select[Any]:
    statement = _statement(dialect)
    rows = read(statement, customers, _NODES)
    kept: Any = facts.table.alias("kept")
    settled: Iterable[ColumnElement[bool]] = (
        kept.c.judged_policy == select(statement.policy.c.version).scalar_subquery(),
        kept.c.judged_day <= statement.today,
        kept.c.judged_until >= statement.today,
    )
    differs = [kept.c[name].is_distinct_from(value) for name, value in _values(statement, rows).items()]
    return (
        select(kept.c.customer_id)
        .select_from(rows.source.join(kept, and_(kept.c.org_id == statement.org, kept.c.customer_id == rows["id"])))
        .where(*settled, or_(*differs))
    )
