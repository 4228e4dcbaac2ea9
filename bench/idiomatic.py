"""(a), what one writes by the book: strawberry types, SQLAlchemy's async ORM, DataLoaders against N+1, stock uvicorn.

Its schema has just what bench/questions/ asks. A page is one query, its facts and touchpoints are loaded in batches,
and stage and score are computed in Python; where they select or sort, the same rule stands as an SQL expression. The
key is checked with every request, as a dependency would do it; there are no limits and no row level security.

    GUANXI_DATABASE_URL=... python -m bench.idiomatic PORT
"""

import hashlib
import json
import os
import sys
import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry
import uvicorn
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL

from app.customers.tables import Channel
from app.customers.tables import Customer as CustomerRow
from app.loyalty.tables import LoyaltyAccount as LoyaltyAccountRow
from app.platform.access import ApiKey
from app.platform.audit import AuditEntry
from app.scores.lifecycle import LifecycleStage
from app.touchpoints.tables import Direction, TouchpointKind
from app.touchpoints.tables import Touchpoint as TouchpointRow
from bench.floor_sql import STAGE, UNITS
from bench.idiomatic_rows import FactsRow, Loaders, of_everyone, ruled, score_of, stage_of, today

for kind in (LifecycleStage, TouchpointKind, Channel):
    strawberry.enum(kind)
strawberry.enum(Direction, name="TouchpointDirection")


@strawberry.type
class Touchpoint:
    id: strawberry.ID
    kind: TouchpointKind
    channel: Channel
    direction: Direction
    occurred_at: datetime


def touchpoint(row: TouchpointRow) -> Touchpoint:
    return Touchpoint(
        id=strawberry.ID(f"tou_{row.id.hex}"),
        kind=TouchpointKind[row.kind],
        channel=Channel[row.channel],
        direction=Direction[row.direction],
        occurred_at=row.occurred_at,
    )


@strawberry.type
class TouchpointConnection:
    nodes: list[Touchpoint]


@strawberry.type
class Lifecycle:
    stage: LifecycleStage


@strawberry.type
class CustomerValue:
    score: float | None


@strawberry.type
class PointsBalance:
    available: int


@strawberry.type
class LoyaltyLevel:
    name: str


@strawberry.type
class LoyaltyAccount:
    row: strawberry.Private[LoyaltyAccountRow]
    number: str
    balance: PointsBalance

    @strawberry.field
    async def level(self, info: strawberry.Info) -> LoyaltyLevel | None:
        loaders = info.context["loaders"]
        points, levels = await loaders.qualified.load(self.row.id), await loaders.levels.load(self.row.program_id)
        return next((LoyaltyLevel(name=level.name) for level in levels if points >= level.qualify_points), None)


@strawberry.type
class LoyaltyAccountConnection:
    nodes: list[LoyaltyAccount]


@strawberry.type
class Customer:
    row: strawberry.Private[CustomerRow]
    id: strawberry.ID
    name: str
    email: str | None
    phone: str | None
    city: str | None
    country: str | None
    language: str | None
    created_at: datetime

    @strawberry.field
    async def lifecycle(self, info: strawberry.Info) -> Lifecycle:
        return Lifecycle(stage=stage_of(self.row, await info.context["loaders"].facts.load(self.row.id)))

    @strawberry.field
    async def value(self, info: strawberry.Info) -> CustomerValue:
        return CustomerValue(score=score_of(await info.context["loaders"].facts.load(self.row.id)))

    @strawberry.field
    async def loyalty_accounts(self, info: strawberry.Info, first: int = 20) -> LoyaltyAccountConnection:
        rows = await info.context["loaders"].accounts.load(self.row.id)
        return LoyaltyAccountConnection(
            nodes=[
                LoyaltyAccount(row=row, number=row.number, balance=PointsBalance(available=row.available))
                for row in rows[:first]
            ]
        )

    @strawberry.field
    async def touchpoints(self, info: strawberry.Info, first: int = 20) -> TouchpointConnection:
        rows = await info.context["loaders"].latest(first).load(self.row.id)
        return TouchpointConnection(nodes=[touchpoint(row) for row in rows])


def customer(row: CustomerRow) -> Customer:
    return Customer(
        row=row,
        id=strawberry.ID(f"cus_{row.id.hex}"),
        name=row.name,
        email=row.email,
        phone=row.phone,
        city=row.city,
        country=row.country,
        language=row.language,
        created_at=row.created_at,
    )


@strawberry.input
class CustomerLookup:
    id: strawberry.ID


@strawberry.input
class DateTimeFilter:
    gte: datetime | None = None


@strawberry.input
class LifecycleStageFilter:
    eq: LifecycleStage | None = None


@strawberry.input
class LifecycleWhere:
    stage: LifecycleStageFilter | None = None


@strawberry.input
class CustomerWhere:
    created_at: DateTimeFilter | None = None
    lifecycle: LifecycleWhere | None = None


@strawberry.enum
class CustomerOrderField(Enum):
    CREATED_AT = "CREATED_AT"
    VALUE_SCORE = "VALUE_SCORE"


@strawberry.enum
class OrderDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input
class CustomerOrder:
    field: CustomerOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type
class CustomerConnection:
    nodes: list[Customer]
    condition: strawberry.Private[Any]

    @strawberry.field
    async def total_count(self, info: strawberry.Info) -> int:
        async with info.context["sessions"]() as session:
            return int(await session.scalar(self.condition(select(func.count()))))


@strawberry.type
class Money:
    amount: str


@strawberry.type
class CustomerGroup:
    lifecycle_stage: LifecycleStage
    count: int
    facts_net: Money


@strawberry.type
class CustomerGroups:
    rows: list[CustomerGroup]


@strawberry.enum
class CustomerDimension(Enum):
    LIFECYCLE_STAGE = "LIFECYCLE_STAGE"


@strawberry.type
class Query:
    @strawberry.field
    async def customer(self, info: strawberry.Info, by: CustomerLookup) -> Customer | None:
        key = uuid.UUID(by.id.removeprefix("cus_"))
        async with info.context["sessions"]() as session:
            row = await session.get(CustomerRow, (info.context["org"], key))
        return customer(row) if row else None

    @strawberry.field
    async def customers(
        self,
        info: strawberry.Info,
        first: int = 20,
        where: CustomerWhere | None = None,
        order_by: list[CustomerOrder] | None = None,
    ) -> CustomerConnection:
        org = info.context["org"]

        def condition(statement: Any) -> Any:
            if where and where.lifecycle and where.lifecycle.stage and where.lifecycle.stage.eq:
                statement = of_everyone(org, statement).where(ruled(STAGE) == where.lifecycle.stage.eq.name)
            else:
                statement = statement.where(CustomerRow.org_id == org, CustomerRow.archived_at.is_(None))
            if where and where.created_at and where.created_at.gte:
                statement = statement.where(CustomerRow.created_at >= where.created_at.gte)
            return statement

        rows = condition(select(CustomerRow))
        falls = False
        for order in order_by or []:
            falls = order.direction is OrderDirection.DESC
            by = CustomerRow.created_at if order.field is CustomerOrderField.CREATED_AT else ruled(UNITS)
            rows = rows.order_by(by.desc().nulls_last() if falls else by.asc())
        rows = rows.order_by(CustomerRow.id.desc() if falls else CustomerRow.id).limit(first)
        async with info.context["sessions"]() as session:
            found = (await session.scalars(rows)).all()
        return CustomerConnection(nodes=[customer(row) for row in found], condition=condition)

    @strawberry.field
    async def customer_groups(self, info: strawberry.Info, by: list[CustomerDimension]) -> CustomerGroups:
        net = func.sum(FactsRow.gross_minor - FactsRow.refunded_minor)
        stage = ruled(STAGE)
        rows = of_everyone(info.context["org"], select(stage, func.count(), net)).group_by(text("1"))
        async with info.context["sessions"]() as session:
            found = (await session.execute(rows)).all()
        return CustomerGroups(
            rows=[
                CustomerGroup(
                    lifecycle_stage=LifecycleStage[name], count=count, facts_net=Money(amount=f"{net / 100:.2f}")
                )
                for name, count, net in found
            ]
        )


@strawberry.input
class TouchpointRecordInput:
    customer: CustomerLookup
    kind: TouchpointKind
    channel: Channel
    direction: Direction
    subject: str | None = None


@strawberry.type
class UserError:
    code: str
    message: str


@strawberry.type
class TouchpointRecordPayload:
    outcome: str
    touchpoint: Touchpoint
    user_errors: list[UserError]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def touchpoint_record(self, info: strawberry.Info, input: TouchpointRecordInput) -> TouchpointRecordPayload:  # noqa: A002
        org, now = info.context["org"], datetime.now(UTC)
        key = uuid.UUID(input.customer.id.removeprefix("cus_"))
        said = json.dumps([input.kind.name, input.channel.name, input.direction.name, input.subject])
        async with info.context["sessions"].begin() as session:
            facts = await session.get(FactsRow, (org, key), with_for_update=True)
            row = TouchpointRow(
                org_id=org,
                id=uuid.uuid4(),
                customer_id=key,
                kind=input.kind.name,
                channel=input.channel.name,
                direction=input.direction.name,
                occurred_at=now,
                recorded_at=now,
                local_day=today(),
                subject=input.subject,
                attributes="{}",
                content_hash=hashlib.sha256(said.encode()).hexdigest(),
            )
            session.add(row)
            facts.touchpoints += 1
            facts.last_touchpoint_at = now
            if input.direction is Direction.INBOUND:
                for n in range(6, 1, -1):
                    setattr(facts, f"inbound_{n}", getattr(facts, f"inbound_{n - 1}"))
                facts.inbound_1 = today()
            entry = AuditEntry(
                org_id=org, id=uuid.uuid4(), at=now, event="touchpoint.recorded", subject=f"tou_{row.id.hex}"
            )
            session.add(entry)
        return TouchpointRecordPayload(outcome="RECORDED", touchpoint=touchpoint(row), user_errors=[])


class Server(GraphQL):
    """The ASGI view, with a context for each request."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        super().__init__(strawberry.Schema(Query, Mutation), graphql_ide=None)
        self._sessions = sessions

    async def get_context(self, request: Request, response: Response) -> dict[str, Any]:  # type: ignore[override]
        _, key, secret = request.headers["authorization"].removeprefix("Bearer ").split("_", 2)
        async with self._sessions() as session:
            row = await session.get(ApiKey, uuid.UUID(key))
        if row is None or row.secret_hash != hashlib.sha256(secret.encode()).hexdigest():
            raise PermissionError
        return {"org": row.org_id, "sessions": self._sessions, "loaders": Loaders(self._sessions, row.org_id)}


def create_app(url: str) -> Starlette:
    """The application over that database."""
    driver = "sqlite+aiosqlite" if url.startswith("sqlite") else "postgresql+asyncpg"
    engine = create_async_engine(make_url(url).set(drivername=driver), pool_size=10, max_overflow=10)
    return Starlette(routes=[Route("/graphql", Server(async_sessionmaker(engine, expire_on_commit=False)))])


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["GUANXI_DATABASE_URL"]), port=int(sys.argv[1]), log_level="warning", access_log=False
    )
