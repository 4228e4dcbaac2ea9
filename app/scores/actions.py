"""Publishing a policy: versions follow one another and never change."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from app.customers.facts import facts
from app.customers.tables import Customer
from app.platform.ids import new_id, public_id
from app.platform.refusals import Code, Problems, refuse
from app.platform.work import Work
from app.policy.tables import Policy
from app.query.fact import constant
from app.scores.policy import CUTS, Columns, defaults, proposed

# The cuts of this many equal parts of the base.
_PARTS = 5
_PROVENANCE = ("cuts_computed_at", "cuts_from_customers")


class PolicyPublish(TypedDict, total=False):
    """`set` is keyed as PolicySetInput, in snake case; a key that is not there stays as it is."""

    expected_version: int | None
    rfm_cuts_from_base: bool
    set: Mapping[str, Any]


class Published(TypedDict):
    policy: str


def first_policy(work: Work) -> Published:
    """Version 1, with the defaults: an organisation has a policy from its first day."""
    return _publish(work, Policy(version=1, published_at=work.now, **defaults(work.org.exponent)))


def publish_policy(work: Work, publish: PolicyPublish) -> Published:
    """The next version: the current one with what is said changed, even when that is nothing.

    Raises Refused with all that is wrong: STALE_VERSION when the version that it builds on is no longer the newest,
    WRONG_STATE when cuts are to be taken from a base in which nobody has bought, and what the rules say of the change.
    """
    current = _newest(work)
    change = publish.get("set", {})
    problems = Problems()
    expected = publish.get("expected_version")
    if expected is not None and expected != current.version:
        message = f"The current version is {current.version}."
        problems.add(Code.STALE_VERSION, message, "expected_version", node=policy_id(current))
    columns = proposed(problems.under("set"), _columns(current), change, work.org.exponent)
    typed = [key for key in _CUT_LISTS if change.get(key) is not None]
    provenance: dict[str, Any] = {key: None if typed else getattr(current, key) for key in _PROVENANCE}
    if publish.get("rfm_cuts_from_base"):
        for key in typed:
            problems.add(Code.INVALID, "Cuts are either taken from the base or listed, not both.", "set", key)
        with problems.gathering("rfm_cuts_from_base"):
            cuts, customers = cuts_from_base(work)
            columns |= cuts
            provenance = {"cuts_computed_at": work.now, "cuts_from_customers": customers}
    problems.stop()
    # Even when the clock stands still, or was set back: asOf asks which version was in force at an instant.
    published_at = max(work.now, current.published_at + timedelta(microseconds=1))
    return _publish(work, Policy(version=current.version + 1, published_at=published_at, **provenance, **columns))


def cuts_from_base(work: Work) -> tuple[Columns, int]:
    """Inverted-CDF quintiles of the live customers with a kept order, as columns of a policy; and how many these are.

    The k-th cut is the value at rank ceil(k * n / 5): a value that somebody has.
    Raises Refused WRONG_STATE when there is nobody.
    """
    row = work.session.execute(_quintiles(work)).one()._asdict()
    customers: int = row.pop("customers")
    if not customers:
        refuse(Code.WRONG_STATE, "Nobody has a kept order yet, so there is no base to take cuts from.")
    return row, customers


def policy_id(policy: Policy) -> str:
    return public_id("pol", policy.id)


_CUT_LISTS = tuple(f"rfm_{kind}_cuts" for kind in CUTS)


def _newest(work: Work) -> Policy:
    mine = Policy.org_id == work.org.id
    # Two publishers in turn. The first version is the one that both can hold on to: the newest may be another by then.
    work.session.execute(select(Policy.id).where(mine, Policy.version == 1).with_for_update())
    return work.session.scalars(select(Policy).where(mine).order_by(Policy.version.desc()).limit(1)).one()


def _publish(work: Work, policy: Policy) -> Published:
    policy.org_id, policy.id = work.org.id, new_id()
    work.add(policy)
    work.session.flush()
    work.announce("policy.published", policy_id(policy))
    return {"policy": policy_id(policy)}


def _columns(policy: Policy) -> Columns:
    return {column.key: getattr(policy, column.key) for column in Policy.__table__.columns}


def _quintiles(work: Work) -> Select[Any]:
    f = facts.table.c
    base = (
        select(
            _or_nought(work.today - f.last_day).label("recency"),
            f.occasions.label("frequency"),
            _or_nought(f.gross_minor - f.refunded_minor).label("monetary"),
        )
        .join_from(facts.table, Customer, and_(Customer.org_id == f.org_id, Customer.id == f.customer_id))
        .where(f.org_id == work.org.id, f.kept_orders > 0, Customer.archived_at.is_(None))
        .cte("base")
    )
    ranks = [func.row_number().over(order_by=base.c[kind]).label(f"{kind}_rank") for kind in CUTS]
    ranked = select(base, *ranks, func.count().over().label("customers")).cte("ranked").c
    cuts = [
        func.max(case((ranked[f"{kind}_rank"] == _rank(ranked.customers, k), ranked[kind]))).label(f"{kind}_cut_{k}")
        for kind in CUTS
        for k in range(1, _PARTS)
    ]
    return select(func.coalesce(func.max(ranked.customers), constant(0)).label("customers"), *cuts)


def _rank(customers: ColumnElement[int], k: int) -> ColumnElement[int]:
    """ceil(k * n / 5), in whole numbers."""
    return (customers * constant(k) + constant(_PARTS - 1)) // constant(_PARTS)


def _or_nought(number: ColumnElement[int]) -> ColumnElement[int]:
    return case((number < constant(0), constant(0)), else_=number)
