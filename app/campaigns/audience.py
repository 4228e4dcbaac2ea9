"""Whom a question finds, and who of them may be addressed for a purpose on a channel: consent is part of the question.

    matched     whom the CustomerWhere finds, archived ones too
    fate        the first reason to leave one out, in the order of ExclusionReason; none: reachable

One statement says both, so that nobody can be asked for without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, and_, case, func, or_, select, true

from app.customers.measures import customers
from app.customers.tables import Consent, ConsentPurpose, ConsentState
from app.outreach.tables import Campaign, ExclusionReason
from app.platform.database import Words
from app.platform.work import Work
from app.query import question as q
from app.query import sql
from app.query.compile import Compiler
from app.query.fact import constant
from app.query.flow import Statement, fenced, read
from app.query.where import nodes_of, passes
from app.touchpoints.tables import Direction, Touchpoint

Expression = ColumnElement[Any]
# The parameters that say for what, and through what.
PURPOSE, CHANNEL = "audience_purpose", "audience_channel"
SAMPLE = 10


@dataclass(frozen=True)
class Audience:
    """A CustomerWhere as the compiler takes it, with the values of its parameters; `tests`: how many it makes."""

    where: q.Where
    values: Mapping[str, Any]
    tests: int


# A stored CustomerWhere read again, at the clock of the work; raises BadInput for what cannot be asked.
Reads = Callable[[Work, str], Audience]


def found(statement: Statement, where: q.Where) -> CTE:
    """Whom the question finds, as `id`, with `fate`: the place of the reason to leave one out, or null."""
    rows = read(statement, customers, {*nodes_of(where), "archived_at", "suppressed"})
    sent = _sends(statement)
    purpose = statement.bind(PURPOSE, Words())
    marketing = purpose == _word(ConsentPurpose.MARKETING)
    policy = statement.policy.c
    caps = ((sent.c.on_channel, policy.marketing_cap_per_channel), (sent.c.in_all, policy.marketing_cap_total))
    capped = [
        func.coalesce(count, constant(0)) >= select(cap).select_from(statement.policy).scalar_subquery()
        for count, cap in caps
    ]
    reasons = {
        ExclusionReason.ARCHIVED: rows["archived_at"].is_not(None),
        ExclusionReason.NO_CONSENT: _last_word(statement, rows["id"]).is_distinct_from(_word(ConsentState.GRANTED)),
        ExclusionReason.SUPPRESSED: and_(rows["suppressed"], marketing),
        ExclusionReason.FREQUENCY_CAP: and_(marketing, or_(*capped)),
    }
    places = {reason: place for place, reason in enumerate(ExclusionReason)}
    fate = case(*((reasons[reason], constant(places[reason])) for reason in ExclusionReason))
    each = (
        select(rows["id"].label("id"), fate.label("fate"))
        .select_from(rows.source.outerjoin(sent, sent.c.customer_id == rows["id"]))
        .where(*rows.tests, passes(statement, customers, rows, where))
    )
    # Once: each of those who read it would judge everybody again.
    return fenced(each, statement.name("audience"))


def _word(value: Any) -> Expression:
    return sql.text(value.value)


def _last_word(statement: Statement, customer: Expression) -> Expression:
    """What was last said on the purpose and channel, by instant and then by id."""
    w: Any = Consent.__table__.alias(statement.name("word"))
    about = [
        w.c.org_id == statement.org,
        w.c.customer_id == customer,
        w.c.purpose == statement.bind(PURPOSE, Words()),
        w.c.channel == statement.bind(CHANNEL, Words()),
        w.c.at <= statement.now,
    ]
    last = select(w.c.state).where(*about).order_by(w.c.at.desc(), w.c.id.desc()).limit(constant(1))
    return last.correlate_except(w).scalar_subquery()


def _sends(statement: Statement) -> FromClause:
    """How often customers were contacted for marketing campaigns within the policy's days, up to today."""
    t: Any = Touchpoint.__table__.alias(statement.name("sent"))
    k: Any = Campaign.__table__.alias(statement.name("sender"))
    days = select(statement.policy.c.marketing_cap_days).scalar_subquery()
    on_channel = case((t.c.channel == statement.bind(CHANNEL, Words()), constant(1)))
    return (
        select(
            t.c.customer_id,
            sql.whole(func.count()).label("in_all"),
            sql.whole(func.count(on_channel)).label("on_channel"),
        )
        .select_from(t.join(k, and_(k.c.org_id == t.c.org_id, k.c.id == t.c.campaign_id)))
        .where(
            t.c.org_id == statement.org,
            t.c.campaign_id.is_not(None),
            t.c.local_day > statement.today - days,
            t.c.occurred_at <= statement.now,
            t.c.direction == _word(Direction.OUTBOUND),
            t.c.retracted_at.is_(None),
            k.c.purpose == _word(ConsentPurpose.MARKETING),
        )
        .group_by(t.c.customer_id)
        .cte(statement.name("sends"))
    )


# ------------------------------------------------------------------ preview


@dataclass(frozen=True)
class Preview:
    """A whole question (app/query/question.py): the funnel of an audience, before anything is sent. `fields`: matched,
    excluded, reachable and sample by response key; `samples`: what is selected of a customer, by response key."""

    where: q.Where
    fields: tuple[q.Told, ...]
    samples: tuple[tuple[str, q.Items], ...]
    clock: q.Clock

    def answer(self, compiler: Compiler) -> Expression:
        """The answer as JSON."""
        statement = compiler.statement
        audience = found(statement, self.where)
        counted = [func.count().label("matched")]
        counted += [
            func.count(case((audience.c.fate == constant(place), constant(1)))).label(f"fate_{place}")
            for place in range(len(ExclusionReason))
        ]
        counted.append(func.count(case((audience.c.fate.is_(None), constant(1)))).label("reachable"))
        counts = select(*counted).select_from(audience).cte(statement.name("counts"))
        source: FromClause = counts
        samples: dict[str, Expression] = {}
        for key, items in self.samples:
            lists = _sample(compiler, audience, items)
            source = source.join(lists, true())
            samples[key] = lists.c.list
        parts = [(each.key, _told(each, counts, samples)) for each in self.fields]
        return select(sql.template(sql.json_object(parts))).select_from(source).scalar_subquery()


def _sample(compiler: Compiler, audience: CTE, items: q.Items) -> CTE:
    """Some of those who can be reached: the first ten."""
    statement = compiler.statement
    reachable = select(audience.c.id).where(audience.c.fate.is_(None)).order_by(audience.c.id).limit(constant(SAMPLE))
    cut = reachable.cte(statement.name("cut"))
    rows = compiler.level(customers, cut, [items], {}, None, keep=["id"])
    ordered = (
        select(rows.c.json_0, rows.c.kept_id.label("place"))
        .order_by(rows.c.kept_id)
        .subquery(statement.name("ordered"))
    )
    joined = func.coalesce(sql.Joined(ordered.c.json_0, ordered.c.place), sql.text(""))
    return select(sql.template(["[", joined, "]"]).label("list")).cte(statement.name("sample"))


def _told(each: q.Told, counts: CTE, samples: Mapping[str, Expression]) -> sql.Pattern:
    match each.name:
        case "sample":
            return [samples[each.key]]
        case "excluded":
            reasons: sql.Pattern = ["["]
            for place, reason in enumerate(ExclusionReason):
                said: dict[str, Any] = {
                    "reason": f'"{reason.value}"',
                    "count": sql.whole_text(counts.c[f"fate_{place}"]),
                }
                parts: list[tuple[str, sql.Pattern]] = [
                    (part.key, [said.get(part.name, f'"{part.name}"')]) for part in each.fields
                ]
                reasons += [*([","] if place else []), *sql.json_object(parts)]
            return [*reasons, "]"]
        case "matched" | "reachable":
            return [sql.whole_text(counts.c[each.name])]
        case _:
            return [f'"{each.name}"']
