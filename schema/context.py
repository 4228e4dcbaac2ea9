"""What a request carries: who asks, when, and what it may use."""

import time
from collections.abc import Mapping, Set
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
import strawberry
from anyio.to_thread import run_sync
from sqlalchemy import Engine, case, select
from strawberry.dataloader import DataLoader

from app.campaigns.clock import something_later
from app.platform.access import Caller
from app.platform.limits import Standing
from app.platform.walls import enter
from app.policy.tables import Policy
from app.query.fetch import Reader
from app.query.question import Question
from app.segments.lookup import definitions
from schema.given import Segments
from schema.plan import Planner
from schema.policies import OPERATIONS


class Asked:
    """One request. `set_clock`: its clock came with it, and may lie before what has happened since; `extensions`: what is
    said beside its answer; `changed`: whether any of its mutations did something; `done`: by response key, the results of
    mutation fields that were made already, or what went wrong with them."""

    # What most requests have stands here once.
    loader: DataLoader[Any, Any] | None = None
    changed = False
    charged: tuple[int, Standing] | None = None

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        caller: Caller,
        now: datetime,
        set_clock: bool,
        idempotency_key: str | None,
        extensions: dict[str, Any],
    ) -> None:
        self.engine, self.reader, self.caller, self.now = engine, reader, caller, now
        self.set_clock, self.idempotency_key, self.extensions = set_clock, idempotency_key, extensions
        self.done: dict[str, Any] = {}
        # By the clock that never jumps.
        self.came = time.monotonic()

    @cached_property
    def segments(self) -> Segments:
        """Those that filters name."""
        return Segments()

    async def read(self, question: Question, values: Mapping[str, Any]) -> Any:
        """The answer, as plain dictionaries and lists."""
        return orjson.loads(await self.reader.read(question, values))

    def require(self, info: strawberry.Info) -> None:
        """Raises Forbidden for a root field that is not this caller's to ask; what hangs below was looked at before
        (schema/access.py)."""
        raw = info._raw_info
        scope = OPERATIONS.get(raw.parent_type.name, {}).get(raw.field_name)
        if scope is not None:
            self.caller.require(scope)

    async def planner(self, info: strawberry.Info) -> Planner:
        """A plan for the field that is being resolved."""
        self.require(info)
        raw = info._raw_info
        past = self.set_clock and await run_sync(self.something_later)
        return Planner(
            raw.schema,
            raw.fragments,
            raw.variable_values,
            self.caller,
            self.now,
            past,
            completed=True,
            segments=self.segments,
        )

    async def read_segments(self, named: Set[UUID]) -> None:
        """The segments that the operation's filters name, as they are now; read again after each change."""
        self.segments = Segments(await run_sync(self._definitions, named) if named else {}, set(named))

    def _definitions(self, named: Set[UUID]) -> Mapping[UUID, str]:
        with self.engine.execution_options(reading=True).connect() as connection:
            enter(connection, self.caller.org.id)
            return definitions(connection, self.caller.org.id, named)

    async def policy_columns(self) -> dict[str, Any]:
        """The thresholds in force, as stored."""
        return await run_sync(self._policy_columns)

    def _policy_columns(self) -> dict[str, Any]:
        in_force = Policy.published_at <= self.now
        found = select(Policy.__table__).where(Policy.org_id == self.caller.org.id)
        with self.engine.execution_options(reading=True).connect() as connection:
            enter(connection, self.caller.org.id)
            rows = connection.execute(
                found.order_by(case((in_force, Policy.version), else_=-Policy.version).desc()).limit(1)
            )
            return dict(rows.mappings().one())

    def something_later(self) -> bool:
        """Whether anything is recorded that lies ahead of a clock that was set."""
        with self.engine.execution_options(reading=True).connect() as connection:
            enter(connection, self.caller.org.id)
            return something_later(connection, self.caller.org.id, self.now)


def asked(info: strawberry.Info) -> Asked:
    """The request that a field is resolved for."""
    found: Asked = info.context
    return found
