"""How many customers stand where."""

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.platform.database import STRICT, Base


class StandingSum(Base):
    """Of all live customers that were judged to be in a stage, whether or not that is still so: how many, and their
    net as it was then. Changed only by who judges them anew (standings.py), in the same transaction. `latest_day`: the
    latest on which anybody was."""

    __tablename__ = "standing_sums"
    __table_args__ = (STRICT,)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    stage: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    members: Mapped[int]
    net_minor: Mapped[int]
    latest_day: Mapped[int]
