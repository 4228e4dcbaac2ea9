"""What is taken back of an order: refunds, and the whole of one that was recorded by mistake."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from app.customers import facts, lookup
from app.customers import rules as customers
from app.loyalty import earning as loyalty
from app.platform.ids import public_id
from app.platform.refusals import Code, Problem, Problems, Refused
from app.platform.text import LONGEST_BODY, clean
from app.platform.work import Work
from app.purchases import rules
from app.purchases.facts import bought
from app.purchases.tables import Purchase, Refund
from app.touchpoints.actions import enter, is_named, standing
from app.touchpoints.rules import Draft, Lookup, Register, Verdict, cleaned_ref, given_instant, named, not_before, units

Result = dict[str, Any]


def refund_purchase(work: Work, given: rules.PurchaseRefund) -> Result:
    """Give back some or all of what an order cost, at the order's own exchange rate."""
    problems = Problems()
    at = customers.occurred(problems, given.get("refunded_at"), work.now, "refunded_at")
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY)
    ref = cleaned_ref(problems, given.get("external_ref"))
    purchase = _find(work, problems, given["purchase"])
    amount = _amount(problems, given["amount"], purchase)
    said = {"purchase_id": purchase.id, "amount_minor": amount, "reason": reason}
    draft = Draft(
        customer={},
        problems=problems,
        ref=ref,
        link=None,
        columns={
            **said,
            "ref_system": ref and ref["system"],
            "ref_value": ref and ref["value"],
            "refunded_at": max(at, purchase.purchased_at),
            "recorded_at": work.now,
        },
        content={**said, "refunded_at": given_instant(given.get("refunded_at"))},
    )
    against = Problems()
    not_before(against, given.get("refunded_at"), purchase.purchased_at, "refunded_at")
    if purchase.voided_at is not None:
        against.add(Code.WRONG_STATE, "This purchase was voided.", "purchase")
    elif amount is not None and amount > (left := purchase.gross_minor - purchase.refunded_minor):
        message = (
            f"Only {rules.printed(left, purchase.exponent)} {purchase.currency} of this purchase is left to refund."
        )
        against.add(Code.EXCEEDS_PURCHASE, message, "amount", "amount")

    [verdict] = _entered(work, draft, against.found)
    if verdict.outcome == "RECORDED":
        share_out(work, purchase)
        loyalty.claw_back(work, purchase.id, purchase.refunded_minor, purchase.gross_minor)
        facts.rebuild(work, bought, [purchase.customer_id])
        refund = public_id("ref", draft.columns["id"])
        work.announce("purchase.refunded", _public(purchase.id), detail=refund, customers=[purchase.customer_id])
    assert verdict.key
    return {"purchase": _public(purchase.id), "refund": public_id("ref", verdict.key), "outcome": verdict.outcome}


def void_purchase(work: Work, given: rules.PurchaseVoid) -> Result:
    """Take out what was recorded by mistake: as if it had never been, and its external reference is free again."""
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY, required=True)
    purchase = _find(work, problems, given["purchase"])
    if purchase.voided_at is not None:
        problems.add(Code.WRONG_STATE, "This purchase was voided already.", "purchase")
    problems.stop()
    purchase.voided_at = work.now
    purchase.void_reason = reason
    work.session.flush()
    loyalty.claw_back(work, purchase.id, 1, 1)
    facts.rebuild(work, bought, [purchase.customer_id])
    work.announce("purchase.voided", _public(purchase.id), customers=[purchase.customer_id])
    return {"purchase": _public(purchase.id)}


def share_out(work: Work, purchase: Purchase) -> None:
    """Share the order's reporting value among its refunds anew: one that comes late changes what later ones take."""
    mine = Refund.org_id == work.org.id, Refund.purchase_id == purchase.id
    refunds = work.session.scalars(select(Refund).where(*mine).order_by(Refund.refunded_at, Refund.id)).all()
    shares = rules.shares(purchase.gross_reporting, purchase.gross_minor, [refund.amount_minor for refund in refunds])
    for refund, share in zip(refunds, shares, strict=True):
        refund.amount_reporting = share
    purchase.refunded_minor = sum(refund.amount_minor for refund in refunds)
    purchase.refunded_reporting = None if purchase.gross_reporting is None else sum(share or 0 for share in shares)
    work.session.flush()


def wrongly_summed(work: Work) -> list[UUID]:
    """Purchases beside which stands another sum than that of their refunds. None, unless something is broken."""
    p = Purchase
    of_this = Refund.org_id == work.org.id, Refund.purchase_id == p.id

    def total(amount: Any) -> Any:
        return func.coalesce(select(func.sum(amount)).where(*of_this).correlate(p).scalar_subquery(), 0)

    wrong = (
        p.refunded_minor != total(Refund.amount_minor),
        and_(p.gross_reporting.is_not(None), p.refunded_reporting.is_distinct_from(total(Refund.amount_reporting))),
    )
    return list(work.session.scalars(select(p.id).where(p.org_id == work.org.id, or_(*wrong))))


def sum_again(work: Work, purchase_ids: Iterable[UUID]) -> None:
    """Share their refunds out anew; the facts of their customers are to be rebuilt afterwards."""
    for purchase_id in purchase_ids:
        share_out(work, work.session.get_one(Purchase, (work.org.id, purchase_id), with_for_update=True))


def _entered(work: Work, draft: Draft, against: list[Problem]) -> list[Verdict]:
    def judged(work: Work, drafts: Sequence[Draft]) -> list[Verdict]:
        register = Register("ref", standing(work, Refund, drafts))
        return [register.enter(draft, against) for draft in drafts]

    def insert(new: list[Draft]) -> None:
        work.insert(Refund, [draft.columns for draft in new])

    _, verdicts = enter(work, [draft], judged, insert, whole=True)
    if problems := [problem for verdict in verdicts for problem in verdict.problems]:
        raise Refused(*problems)
    return verdicts


def _amount(problems: Problems, given: rules.Money, purchase: Purchase) -> int | None:
    if given["currency"] != purchase.currency:
        message = f"This purchase was paid in {purchase.currency}."
        problems.add(Code.CURRENCY_MISMATCH, message, "amount", "currency")
        return None
    amount: Decimal = given["amount"]
    return units(problems, amount, purchase.exponent, "amount", "amount", zero=False)


def _find(work: Work, problems: Problems, given: Lookup) -> Purchase:
    """The order that is meant, its customer locked first; without one the check ends here, with all it has found."""
    name = named(given, "pur")
    meant = Purchase.org_id == work.org.id, is_named(Purchase, Purchase.voided_at.is_(None), [name] if name else [])
    found = work.session.scalars(select(Purchase).where(*meant)).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, "There is no such purchase.", "purchase")
        raise Refused(*problems.found)
    lookup.lock(work, [found.customer_id])
    work.session.refresh(found, with_for_update=True)
    return found


def _public(key: UUID) -> str:
    return public_id("pur", key)
