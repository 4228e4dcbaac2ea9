"""Who did what, when: one row for every change, written in its transaction. Ids only, no personal data."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from app.platform.database import STRICT, Owned


class AuditEntry(Owned):
    """`event` is a dotted past tense, like purchase.recorded; `subject` the public id of what changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "org_id", "subject", "id"), STRICT)

    at: Mapped[datetime]
    key_id: Mapped[UUID | None]
    event: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str | None]
