"""Taking out what the measured writes have put in, so that every run starts from the same rows.

The product's own rebuilding makes the facts of the touched customers again; whatever else follows from them is settled
as after loading.
"""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.customers.facts import rebuild
from app.platform.access import organization
from app.platform.audit import AuditEntry
from app.platform.database import connect
from app.platform.idempotency import IdempotencyKey
from app.platform.work import operator, work
from app.touchpoints.facts import contacted
from app.touchpoints.tables import Touchpoint
from bench.data import ORG
from bench.load import settle


def undo(url: str, began: datetime) -> int:
    """Remove the touchpoints recorded since then, and their trail; how many there were."""
    engine = connect(url)
    with Session(engine.execution_options(reading=True)) as session:
        org = organization(session, ORG)
    assert org is not None
    recent = Touchpoint.org_id == ORG, Touchpoint.recorded_at >= began
    with Session(engine.execution_options(reading=True)) as session:
        removed = session.execute(select(func.count()).where(*recent)).scalar_one()
    if not removed:
        return 0
    with work(engine, operator(org), began) as each:
        touched = each.session.scalars(select(Touchpoint.customer_id).where(*recent).distinct()).all()
        each.session.execute(delete(Touchpoint).where(*recent), execution_options={"synchronize_session": False})
        trail = AuditEntry.org_id == ORG, AuditEntry.event == "touchpoint.recorded"
        each.session.execute(delete(AuditEntry).where(*trail), execution_options={"synchronize_session": False})
        keys = delete(IdempotencyKey).where(IdempotencyKey.org_id == ORG)
        each.session.execute(keys, execution_options={"synchronize_session": False})
        for start in range(0, len(touched), 1000):
            rebuild(each, contacted, touched[start : start + 1000])
    settle(url)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE) touchpoints, customer_facts, customers, audit_entries")
    engine.dispose()
    return int(removed)
