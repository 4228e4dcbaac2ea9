"""The same request twice is done once: the key's row is written in the transaction of the effect, so a crash leaves
both or neither."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Index, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.database import STRICT, Base, Instant, Key
from app.platform.foreseen import Unused
from app.platform.refusals import Code, Problem, Refused
from app.platform.sending import Prepared, prepare
from app.platform.steps import AFTER_ROWS, Step, Writing
from app.platform.work import Work

KEPT = timedelta(days=7)
LONGEST_KEY = 200
Result = dict[str, Any]


class IdempotencyKey(Base):
    """`result` holds ids, outcome and counts: never personal data, since it outlives an erasure."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "org_id", "created_at"), STRICT)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    result: Mapped[str | None]
    created_at: Mapped[datetime]


def fingerprint(arguments: Any) -> str:
    """Of the coerced arguments: equal for equal meanings, whatever the order of an object's fields."""
    return hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def claim(work: Work, field: str, key: str, print_: str) -> Result | None:
    """Take the key for this transaction (None), or the result of the first use of it.

    Raises Refused: INVALID for a key that is none, IDEMPOTENCY_KEY_REUSED when it was used with other arguments,
    IDEMPOTENCY_IN_PROGRESS when its first use has not ended within the lock timeout.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise Refused(Problem(Code.INVALID, f"An idempotency key has 1 to {LONGEST_KEY} printable characters."))
    if work.foresees(_UNUSED, (field, key)):
        return None
    org_id = work.org.id
    row = {"org_id": org_id, "field": field, "key": key, "fingerprint": print_, "created_at": work.now}
    dialect = postgresql if work.session.get_bind().dialect.name == "postgresql" else sqlite
    mine = IdempotencyKey.org_id == org_id, IdempotencyKey.field == field, IdempotencyKey.key == key
    try:
        taken = work.session.execute(
            dialect.insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.key)
        ).first()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise Refused(
                Problem(Code.IDEMPOTENCY_IN_PROGRESS, "The first request with this key is still running.")
            ) from None
        raise
    if taken:
        return None
    first = work.session.execute(select(IdempotencyKey).where(*mine)).scalar_one()
    if work.now - first.created_at > KEPT:
        work.session.execute(update(IdempotencyKey).where(*mine).values({**row, "result": None}))
        return None
    if first.fingerprint != print_:
        raise Refused(Problem(Code.IDEMPOTENCY_KEY_REUSED, "This idempotency key was used with other arguments."))
    result: Result = orjson.loads(first.result or "{}")
    return result


def remember(work: Work, field: str, key: str, print_: str, result: Result) -> None:
    """Keep the answer beside its effect; keys past their time are let go meanwhile."""
    kept = orjson.dumps(result).decode()
    if work.foresees(_LET_GO, work.now - KEPT):
        row = {"field": field, "key": key, "fingerprint": print_, "result": kept, "created_at": work.now}
        work.insert(IdempotencyKey, [row])
        return
    work.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.org_id == work.org.id, IdempotencyKey.field == field, IdempotencyKey.key == key)
        .values(result=kept)
    )
    work.session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.org_id == work.org.id, IdempotencyKey.created_at < work.now - KEPT)
    )


class _LetGo(Step):
    """Keys from before an instant are forgotten."""

    place = AFTER_ROWS

    def send(self, writing: Writing, values: Sequence[datetime]) -> Any:
        return writing.send(_letting_go(writing.dialect), {"the_org": writing.org_id, "the_end": max(values)})


@cache
def _letting_go(dialect: str) -> Prepared:
    k = IdempotencyKey
    mine = k.org_id == bindparam("the_org", type_=Key()), k.created_at < bindparam("the_end", type_=Instant())
    return prepare(delete(k).where(*mine), dialect)


_LET_GO = _LetGo()
_UNUSED = Unused(IdempotencyKey.__table__, ("field", "key"))
