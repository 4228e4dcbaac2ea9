"""Finding the customer that is meant, and locking it: two writers of one customer come one after the other."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from app.customers.rules import Lookup, RefKey, email_of, phone_of
from app.customers.tables import Customer, CustomerRef
from app.platform.foreseen import There
from app.platform.ids import key_of, public_id
from app.platform.refusals import Code, Path, Problem, Problems, Refused
from app.platform.text import clean_ref
from app.platform.work import Work

PREFIX = "cus"
Thing = TypeVar("Thing")
THERE = There(Customer.__table__)
# Written as the partial index has it; SQLite would not know it in `live = 1`.
LIVE_REF: ColumnElement[bool] = literal_column("customer_refs.live")


def find(work: Work, lookup: Lookup, *path: str | int, lock: bool = True) -> Customer:
    """The one customer that is meant, as it is now. Raises Refused NOT_FOUND or AMBIGUOUS.

    An id also finds an archived customer; a reference, an email or a phone only a live one.
    """
    kind, value = _normal(lookup)
    if value is None:
        raise Refused(_problem(Code.NOT_FOUND, *path))
    asked = select(Customer).where(Customer.org_id == work.org.id, _test(work, kind, value)).limit(2)
    if kind != "id":
        asked = asked.where(Customer.archived_at.is_(None))
    if lock:
        asked = asked.with_for_update()
    found = work.session.scalars(asked.execution_options(populate_existing=True)).all()
    if len(found) != 1:
        raise Refused(_problem(Code.AMBIGUOUS if found else Code.NOT_FOUND, *path))
    return found[0]


def find_many(work: Work, lookups: Sequence[tuple[Lookup, Path]]) -> list[UUID | Problem]:
    """For each lookup, in a few statements for all: the customer's id, or what is wrong. Those found are locked."""
    asked = [_normal(lookup) for lookup, _ in lookups]
    values: dict[str, set[Any]] = {}
    for kind, value in asked:
        # What is foreseen is there, and locked.
        if value is not None and not (kind == "id" and work.foresees(THERE, value)):
            values.setdefault(kind, set()).add(value)
    answers = {kind: _FINDING[kind](work, some) for kind, some in values.items()}
    found: list[UUID | Problem] = []
    for (kind, value), (_, path) in zip(asked, lookups, strict=True):
        if kind == "id" and value is not None and "id" not in answers:
            found.append(value)
            continue
        answer = answers[kind].get(value, Code.NOT_FOUND) if kind in answers else Code.NOT_FOUND
        found.append(answer if isinstance(answer, UUID) else _problem(answer, *path))
    if answers:
        lock(work, {key for key in found if isinstance(key, UUID)})
    return found


def lock(work: Work, ids: Collection[UUID]) -> None:
    """Hold these customers until the transaction ends."""
    ids = [key for key in ids if not work.foresees(THERE, key)]
    # In the order of their ids: no two transactions wait for each other.
    for some in chunks(sorted(ids)):
        mine = Customer.org_id == work.org.id, Customer.id.in_(some)
        work.session.execute(select(Customer.id).where(*mine).order_by(Customer.id).with_for_update()).all()


def holders(work: Work, refs: Collection[RefKey]) -> dict[RefKey, UUID]:
    """Which live customer has each of these references, where one has."""
    found: dict[RefKey, UUID] = {}
    for some in chunks(sorted(set(refs))):
        wanted = set(some)
        systems, values = {system for system, _ in some}, {value for _, value in some}
        mine = CustomerRef.org_id == work.org.id, CustomerRef.system.in_(systems), CustomerRef.value.in_(values)
        rows = work.session.execute(
            select(CustomerRef.system, CustomerRef.value, CustomerRef.customer_id).where(*mine, LIVE_REF)
        )
        # Every system was asked for every value: what was not meant is left out.
        found.update({(system, value): key for system, value, key in rows if (system, value) in wanted})
    return found


def public(key: UUID) -> str:
    return public_id(PREFIX, key)


def _normal(lookup: Lookup) -> tuple[str, Any]:
    """What the lookup goes by, and the value as it is stored; None for a value that cannot be."""
    if "id" in lookup:
        return "id", key_of(lookup["id"], PREFIX)
    if "email" in lookup:
        return "email", email_of(lookup["email"])
    if "phone" in lookup:
        return "phone", phone_of(lookup["phone"])
    ref = clean_ref(Problems(), lookup["external_ref"])
    return "external_ref", (ref["system"], ref["value"]) if ref else None


def _test(work: Work, kind: str, value: Any) -> ColumnElement[bool]:
    if kind == "external_ref":
        system, name = value
        mine = CustomerRef.org_id == work.org.id, CustomerRef.system == system, CustomerRef.value == name
        value = select(CustomerRef.customer_id).where(*mine, LIVE_REF).scalar_subquery()
    by: dict[str, InstrumentedAttribute[Any]] = {"email": Customer.email, "phone": Customer.phone}
    test: ColumnElement[bool] = by.get(kind, Customer.id) == value
    return test


def _existing(work: Work, keys: Collection[UUID]) -> dict[UUID, UUID]:
    found = {key: key for key in keys if work.foresees(THERE, key)}
    for some in chunks(sorted(key for key in keys if key not in found)):
        mine = Customer.org_id == work.org.id, Customer.id.in_(some)
        found.update({key: key for key in work.session.scalars(select(Customer.id).where(*mine))})
    return found


def _owners(column: InstrumentedAttribute[Any], work: Work, values: Collection[str]) -> dict[str, UUID | Code]:
    """Who has each of these emails or phones: the one live customer, or AMBIGUOUS."""
    found: dict[str, UUID | Code] = {}
    for some in chunks(sorted(values)):
        mine = Customer.org_id == work.org.id, Customer.archived_at.is_(None), column.in_(some)
        # Counted first: one address may be that of a hundred thousand customers.
        several = select(column).where(*mine).group_by(column).having(func.count() > 1)
        shared = set(work.session.scalars(several))
        found.update(dict.fromkeys(shared, Code.AMBIGUOUS))
        alone = Customer.org_id == work.org.id, Customer.archived_at.is_(None), column.in_(set(some) - shared)
        found.update((value, key) for value, key in work.session.execute(select(column, Customer.id).where(*alone)))
    return found


_FINDING: dict[str, Callable[[Work, Collection[Any]], Mapping[Any, UUID | Code]]] = {
    "id": _existing,
    "external_ref": holders,
    "email": partial(_owners, Customer.email),
    "phone": partial(_owners, Customer.phone),
}


def _problem(code: Code, *path: str | int) -> Problem:
    # The same words whatever was asked, so that nothing tells an id of someone else from one that never was.
    if code is Code.AMBIGUOUS:
        return Problem(code, "Several customers have this; name one by its id or an external reference.", path)
    return Problem(code, "There is no such customer.", path)


def chunks(values: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    """A thousand at a time, since drivers bound how many parameters a statement has."""
    for start in range(0, len(values), 1000):
        yield values[start : start + 1000]
