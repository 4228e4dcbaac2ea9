"""Rows of segments."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, column
from sqlalchemy.orm import Mapped

from app.platform.database import STRICT, Owned

_SHOWN = column("deleted_at").is_(None)


class Segment(Owned):
    """`test`: the CustomerWhere as it was given, as JSON. A deleted one is kept for the record; its name is free."""

    __tablename__ = "segments"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        Index(
            "uq_segments_name",
            "org_id",
            "name_folded",
            unique=True,
            postgresql_where=_SHOWN,
            sqlite_where=_SHOWN,
        ),
        STRICT,
    )

    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    name: Mapped[str]
    name_folded: Mapped[str]
    description: Mapped[str | None]
    test: Mapped[str]
    deleted_at: Mapped[datetime | None]
