"""The customer as something to be asked about, and the judgements that rest on this capability's facts alone."""

from typing import Any

from sqlalchemy import Select, and_, case, func, not_, select, union_all

from app.customers.facts import JUDGED_COLUMNS, facts
from app.customers.tables import Consent, Customer, CustomerRef, CustomerToken
from app.platform.database import Words
from app.query import sql
from app.query.fact import constant
from app.query.flow import Statement
from app.query.kind import Flag, Minor
from app.query.measure import measure
from app.query.shape import Shape


def _found(statement: Statement, terms: int) -> Select[Any]:
    """Customers with a token for each of so many terms (bounds `term_<n>_low` to `term_<n>_high`); whole words outrank beginnings."""
    hits = []
    for n in range(terms):
        t: Any = CustomerToken.__table__.alias(f"token_{n}")
        low, high = statement.bind(f"term_{n}_low", Words()), statement.bind(f"term_{n}_high", Words())
        worth = func.max(t.c.weight * case((t.c.token == low, constant(2)), else_=constant(1)))
        hits.append(
            select(t.c.customer_id.label("subject"), worth.label("worth"))
            .where(t.c.org_id == statement.org, t.c.token >= low, t.c.token < high)
            .group_by(t.c.customer_id)
        )
    each = union_all(*hits).subquery("hit") if len(hits) > 1 else hits[0].subquery("hit")
    rank = func.sum(each.c.worth)
    return (
        select(each.c.subject, sql.whole(rank).label("rank"))
        .group_by(each.c.subject)
        .having(func.count() == constant(terms))
    )


customers = Shape(
    "customer",
    Customer.__table__,
    prefix="cus",
    facts=facts,
    typed=JUDGED_COLUMNS,
    search=_found,
)
references = Shape("reference", CustomerRef.__table__, key=("customer_id", "system"))
consents = Shape("consent", Consent.__table__, prefix="con", at="at")


def last_words(word: Any, statement: Statement) -> list[Any]:
    """Of all words on a purpose and channel only the last one, by instant and then by id."""
    later: Any = Consent.__table__.alias(statement.name("later"))
    same = [later.c[key] == word[key] for key in ("org_id", "customer_id", "purpose", "channel")]
    after = (later.c.at > word.at) | and_(later.c.at == word.at, later.c.id > word.id)
    known = [later.c.at <= statement.now] if statement.clock.past else []
    return [
        ~select(constant(1))
        .where(later.c.org_id == statement.org, *same, after, *known)
        .correlate_except(later)
        .exists()
    ]


@measure(
    customers,
    Minor(),
    name="Net",
    definition="Gross less refunded, in the reporting currency; what could not be converted is left out.",
    unit="money",
)
def net_minor(c: Any, p: Any) -> Any:
    return c.gross_minor - c.refunded_minor


@measure(
    customers,
    Minor(),
    nullable=True,
    name="Average order value",
    definition="Net by kept, converted order; unknown without one.",
    unit="money",
)
def average_order_minor(c: Any, p: Any) -> Any:
    orders = func.nullif(c.kept_orders - c.unconverted_orders, constant(0), type_=c.kept_orders.type)
    mean = (func.abs(c.net_minor) * constant(2) + orders) // (orders * constant(2))
    return case((c.net_minor < constant(0), -mean), else_=mean)


@measure(
    customers, Flag(), name="Contactable", definition="A granted marketing consent on any channel, and not suppressed."
)
def contactable(c: Any, p: Any) -> Any:
    return and_(c.marketing_granted > constant(0), not_(c.suppressed))
