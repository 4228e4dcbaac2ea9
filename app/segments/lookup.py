"""Finding the segments that are meant."""

from collections.abc import Mapping, Set
from uuid import UUID

from sqlalchemy import Connection, select

from app.segments.tables import Segment


def definitions(connection: Connection, org_id: UUID, keys: Set[UUID]) -> Mapping[UUID, str]:
    """The tests of these segments of an organisation, as JSON; what it has not, or has no more, is left out."""
    s = Segment
    mine = s.org_id == org_id, s.id.in_(sorted(keys)), s.deleted_at.is_(None)
    found = connection.execute(select(s.id, s.test).where(*mine))
    return {row.id: row.test for row in found}
