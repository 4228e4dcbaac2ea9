"""Acting on customers in one line, and looking at what came of it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from app.customers import actions
from app.customers.lookup import find
from app.customers.tables import Customer, CustomerRef, CustomerToken
from app.platform.audit import AuditEntry
from app.platform.ids import key_of
from app.platform.refusals import Refused
from app.platform.work import Work

Told = list[tuple[str, tuple[str | int, ...], str | None]]


def ref(value: str, system: str = "shop") -> Any:
    return {"system": system, "value": value}


def create(work: Work, name: str = "Ana", **given: Any) -> str:
    return str(actions.create_customer(work, {"name": name, **given})["customer"])  # type: ignore[typeddict-item]


def update(work: Work, customer: str, expected_version: int | None = None, **given: Any) -> None:
    change: Any = {"customer": {"id": customer}, "expected_version": expected_version, "set": given}
    assert actions.update_customer(work, change) == {"customer": customer}


def upsert(work: Work, value: str, **given: Any) -> str:
    return str(actions.upsert_customer(work, row(value, **given))["outcome"])


def row(value: str, expected_version: int | None = None, **given: Any) -> Any:
    return {"external_ref": ref(value), "expected_version": expected_version, "set": given}


def many(work: Work, *rows: Any, on_error: str = "REJECT_ALL") -> Any:
    return actions.upsert_customers(work, {"rows": list(rows), "on_error": on_error})


def read(work: Work, customer: str) -> Customer:
    return find(work, {"id": customer}, lock=False)


def refs_of(work: Work, customer: str) -> dict[str, str]:
    mine = CustomerRef.org_id == work.org.id, CustomerRef.customer_id == key_of(customer, "cus")
    found = work.session.execute(select(CustomerRef.system, CustomerRef.value).where(*mine)).all()
    return {ref.system: ref.value for ref in found}


def tokens_of(work: Work, customer: str) -> set[str]:
    mine = CustomerToken.org_id == work.org.id, CustomerToken.customer_id == key_of(customer, "cus")
    return set(work.session.scalars(select(CustomerToken.token).where(*mine)))


def events_of(work: Work, subject: str) -> list[str]:
    mine = AuditEntry.org_id == work.org.id, AuditEntry.subject == subject
    return list(work.session.scalars(select(AuditEntry.event).where(*mine).order_by(AuditEntry.id)))


def rows_in(work: Work, table: Any) -> int:
    return work.session.execute(select(func.count(table.org_id)).where(table.org_id == work.org.id)).scalar_one()


def refused(act: Callable[..., Any], *given: Any, **more: Any) -> Told:
    with pytest.raises(Refused) as caught:
        act(*given, **more)
    return [(problem.code.value, problem.path, problem.node) for problem in caught.value.problems]


def told(answer: Any) -> list[tuple[str, list[str | int]]]:
    return [(problem["code"], problem["path"]) for problem in answer["user_errors"]]
