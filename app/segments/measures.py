"""Segments as something to be asked about."""

from app.query.shape import Shape
from app.segments.tables import Segment

segments = Shape(
    "segment",
    Segment.__table__,
    prefix="seg",
    hidden=lambda segment: [segment.deleted_at.is_(None)],
)
