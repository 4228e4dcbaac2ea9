"""The shops of tests as rows of a database, written past the actions."""

from uuid import UUID

from sqlalchemy import Engine, insert, update
from sqlalchemy.orm import Session

from app.customers import facts
from app.customers.facts import facts as fact_table
from app.customers.search import tokens, write_tokens
from app.customers.tables import Consent, Customer, CustomerRef
from app.platform.access import Org, Organization, create_key
from app.platform.text import fold
from app.platform.work import Work, operator, transaction
from app.policy.tables import Policy
from app.purchases.tables import Purchase, PurchaseLine, Refund
from app.scores.actions import first_policy
from app.touchpoints.tables import Touchpoint
from tests.query.members import store_books, store_programs
from tests.query.outreach import store_campaign, store_segments
from tests.query.shop import OPENED, Person


def store_organization(session: Session, org: Org) -> None:
    row = {"id": org.id, "name": org.name, "time_zone": org.time_zone, "currency": org.currency, "created_at": OPENED}
    session.execute(insert(Organization), row)


def open_shops(engine: Engine, houses: list[tuple[Org, list[Person]]]) -> list[str]:
    """Fill an empty database; returns a key of each organisation."""
    keys = []
    with transaction(engine) as session:
        for n, (org, everyone) in enumerate(houses):
            store_organization(session, org)
            work = Work(session, operator(org), OPENED)
            first_policy(work)
            session.execute(update(Policy).where(Policy.org_id == org.id).values(id=UUID(int=0xC0 + n)))
            store_segments(work)
            if everyone:
                store_programs(work, OPENED)
                _store(work, everyone)
            keys.append(create_key(session, org.id, ["read", "write"], OPENED))
    return keys


def _store(work: Work, people: list[Person]) -> None:
    mine = [(person, {"customer_id": person.id}) for person in people]
    work.insert(Customer, [{"id": person.id, **person.columns} for person in people])
    work.session.execute(
        insert(fact_table.table), [{"org_id": work.org.id, "customer_id": person.id} for person in people]
    )
    work.insert(
        CustomerRef,
        [
            {
                **of,
                **ref,
                "system_folded": fold(ref["system"]),
                "value_folded": fold(ref["value"]),
                "live": person.columns["archived_at"] is None,
            }
            for person, of in mine
            for ref in person.refs
        ],
    )
    # A reply comes after what it answers, so they are stored in the order of recording.
    for person, of in mine:
        for touch in person.touchpoints:
            work.insert(Touchpoint, [{"id": touch.id, **of, **touch.columns}])
    bought = [(purchase, of) for person, of in mine for purchase in person.purchases]
    work.insert(Purchase, [{"id": purchase.id, **of, **purchase.columns} for purchase, of in bought])
    work.insert(
        PurchaseLine, [{"purchase_id": purchase.id, **line} for purchase, _ in bought for line in purchase.lines]
    )
    work.insert(
        Refund,
        [
            {"purchase_id": purchase.id, "reason": None, "ref_system": None, "ref_value": None, **refund}
            for purchase, _ in bought
            for refund in purchase.refunds
        ],
    )
    store_books(work, [(person.id, each) for person in people for each in person.books])
    work.insert(Consent, [{"id": word.id, **of, **word.columns} for person, of in mine for word in person.words])
    store_campaign(work, [person.id for person in people], OPENED)
    write_tokens(
        work,
        {
            person.id: tokens(
                person.columns["name"],
                person.columns["email"],
                person.columns["phone"],
                [ref["value"] for ref in person.refs],
            )
            for person in people
        },
    )
    facts.rebuild_all(work)
