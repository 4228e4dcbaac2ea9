"""The demonstration of one morning, and a client who asks it."""

import asyncio
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import demo
from app.platform.access import create_key, organizations
from app.platform.database import connect
from app.platform.work import transaction
from schema.audience import audience_of
from tests.client import Client, application


class House:
    """The tea house of one morning, in a database of its own, and a client who asks that morning."""

    def __init__(self, url: str, now: datetime) -> None:
        self.engine, self.now = connect(url), now
        self.said = demo.fill(self.engine, now, audience_of)
        with transaction(self.engine) as session:
            (self.org,) = organizations(session)
            key = create_key(session, self.org.id, ["read"], now)
        self.client = Client(application(url), key, now)

    def ask(self, query: str) -> Any:
        return asyncio.run(self.client.ask(query))

    def groups(self, dimension: str, key: str) -> dict[str | None, int]:
        """How many customers there are of each."""
        asked = self.ask(f"{{ customerGroups(by: [{dimension}]) {{ rows {{ {key} count }} }} }}")
        return {row[key]: row["count"] for row in asked["customerGroups"]["rows"]}

    def known(self, column: Any, *where: Any) -> set[Any]:
        """What occurs in a column."""
        with Session(self.engine) as session:
            mine = column.class_.org_id == self.org.id
            return set(session.scalars(select(column).where(mine, *where).distinct()))
