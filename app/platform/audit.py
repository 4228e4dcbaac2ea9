"""Who did what, when: one row for every change, written in its transaction. Ids only, no personal data.

The trail is the outbox too: what concerns a customer names it, and is told to those who listen (outbox.py).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Index, Sequence, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.database import STRICT, Base, Owned


class SetByPostgreSQL(ColumnElement[int]):
    """A default that SQLite has no need of: nothing there, in an index that tests for it neither."""

    inherit_cache = True
    type = BigInteger()

    def __init__(self, expression: str) -> None:
        self.said = expression


@compiles(SetByPostgreSQL)
def _nothing(*_: Any, **__: Any) -> str:
    return "NULL"


@compiles(SetByPostgreSQL, "postgresql")
def _set(element: SetByPostgreSQL, *_: Any, **__: Any) -> str:
    return element.said


PLACES = "audit_entries_place"
TRANSACTION = SetByPostgreSQL("((pg_current_xact_id())::text)::bigint")
NEXT_PLACE = SetByPostgreSQL(f"nextval('{PLACES}')")
Sequence(PLACES, metadata=Base.metadata)


class AuditEntry(Owned):
    """`event` is a dotted past tense, like purchase.recorded; `subject` the public id of what changed;
    `detail` what else it is about, if anything: a refund, a redemption; `customer_id` who is to be read anew. Whoever
    looks for one of them reads the organisation's trail: an index would cost every change more than it ever gives back.

    On PostgreSQL `xact` tells when it was committed, which no row's own id can. `place` orders what was written to one
    customer: whoever changes it has it locked.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(
            "ix_audit_entries_outbox",
            "org_id",
            "xact",
            postgresql_where=text("customer_id IS NOT NULL"),
            # SQLite is read in the order of its rows: there this index stays empty.
            sqlite_where=text("xact IS NOT NULL"),
        ),
        STRICT,
    )

    at: Mapped[datetime]
    key_id: Mapped[UUID | None]
    event: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str | None]
    customer_id: Mapped[UUID | None]
    xact: Mapped[int | None] = mapped_column(server_default=TRANSACTION)
    place: Mapped[int | None] = mapped_column(server_default=NEXT_PLACE)
