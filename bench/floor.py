"""(d), the floor: one Starlette route for each question, over hand-written SQL, as fast as one would write it by hand.

It knows who asks (the key is looked up once and remembered for a second) and names the organisation in every
statement. It has no limits, no row level security and no GraphQL. On PostgreSQL the statements are prepared on
connections of its own, build the JSON in the database, and nothing is reset between requests; on SQLite a read runs on
the loop itself, and writes take turns in one thread, each in its own transaction with FULL durability.

    GUANXI_DATABASE_URL=... python -m bench.floor PORT
"""

import asyncio
import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uuid_utils.compat
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.floor_sql import POSTGRESQL, SQLITE, numbered, statements

CONNECTIONS = 8
# Beside the prepared statements of a connection stands itself.
CONNECTION = "connection"
Values = dict[str, Any]


class OnPostgres:
    """A few connections with every statement prepared."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.free: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._names: dict[str, list[str]] = {}

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(self._url, server_settings={"jit": "off"}, statement_cache_size=100)
            await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
            prepared: dict[str, Any] = {CONNECTION: connection}
            for name, statement in statements(POSTGRESQL).items():
                text, self._names[name] = numbered(statement)
                prepared[name] = await connection.prepare(text)
            self.free.put_nowait(prepared)

    async def ask(self, name: str, values: Values) -> bytes | None:
        prepared = self.free.get_nowait() if not self.free.empty() else await self.free.get()
        try:
            answer: bytes | None = await self.run(prepared, name, values)
            return answer
        finally:
            self.free.put_nowait(prepared)

    async def run(self, prepared: dict[str, Any], name: str, values: Values) -> Any:
        """The one value of a statement, on a connection that is taken."""
        return await prepared[name].fetchval(*[values[key] for key in self._names[name]])

    async def key(self, key: UUID) -> tuple[UUID, str] | None:
        prepared = await self.free.get()
        try:
            row = await prepared["key"].fetchrow(key)
        finally:
            self.free.put_nowait(prepared)
        return (row["org_id"], row["secret_hash"]) if row else None

    async def record(self, values: Values) -> bytes | None:
        return await self.ask("M1", values)

    async def move(self, name: str, values: Values) -> bytes | None:
        """All or nothing; for a key that was used before, what was said then."""
        with suppress(asyncpg.UniqueViolationError):
            if said := await self.moved(name, values):
                return said
        # The balance may not suffice because it was done before.
        kept: Any = await self.ask("kept", values)
        return kept.encode() if kept else None

    async def moved(self, name: str, values: Values) -> bytes | None:
        return await self.ask(name, values)


class OnSqlite:
    """One connection for reading, on the loop; one for writing, in a thread."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")
        self._writer = ThreadPoolExecutor(1)
        self._sql = statements(SQLITE)

    async def open(self) -> None:
        self._reading, self._writing = self._connect(), self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000", "cache_size = -16384"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 268435456")
        return connection

    async def ask(self, name: str, values: Values) -> bytes | None:
        row = self._reading.execute(self._sql[name], values).fetchone()
        return row[0].encode() if row else None

    async def key(self, key: UUID) -> tuple[str, str] | None:
        row = self._reading.execute(self._sql["key"], {"key": key.hex}).fetchone()
        return (row[0], row[1]) if row else None

    async def record(self, values: Values) -> bytes | None:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._record, values)

    def _record(self, values: Values) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        made = uuid_utils.compat.uuid7().hex
        given = {**values, "now": now, "touchpoint": made, "entry": uuid_utils.compat.uuid7().hex}
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            for name in ("M1.touchpoint", "M1.facts", "M1.audit"):
                self._writing.execute(self._sql[name], given)
        except BaseException:
            self._writing.execute("ROLLBACK")
            raise
        self._writing.execute("COMMIT")
        return orjson.dumps({"id": f"tou_{made}", "kind": values["kind"], "occurredAt": now})

    async def move(self, name: str, values: Values) -> bytes | None:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._move, name, values)

    def _move(self, name: str, values: Values) -> bytes | None:
        """All or nothing; for a key that was used before, what was said then."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        given = {**values, "now": now, "entry": uuid_utils.compat.uuid7().hex}
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            changed = self._writing.execute(self._sql[f"{name}.account"], given).fetchall()
            said = {"id": f"ent_{given['entry']}", "points": values["points"], "available": changed and changed[0][0]}
            given["said"] = orjson.dumps(said).decode()
            if changed:
                self._writing.execute(self._sql[f"{name}.entry"], given)
                self._writing.execute(self._sql[f"{name}.key"], given)
        except sqlite3.IntegrityError:
            changed = []
        except BaseException:
            self._writing.execute("ROLLBACK")
            raise
        if changed:
            self._writing.execute("COMMIT")
            return given["said"].encode()
        self._writing.execute("ROLLBACK")
        # The balance may not suffice because it was done before.
        row = self._writing.execute(self._sql["kept"], values).fetchone()
        return row[0].encode() if row else None


class Routes:
    """One method for each question."""

    def __init__(self, url: str, on_postgres: type[OnPostgres]) -> None:
        self._on_postgres = not url.startswith("sqlite")
        self._base: Any = on_postgres(url) if self._on_postgres else OnSqlite(url)
        self._remembered: dict[str, tuple[float, Any, Any]] = {}

    async def open(self) -> None:
        await self._base.open()

    async def customer(self, request: Request) -> Response:
        given = await self._values(request)
        given["id"] = self._key(request.path_params["id"].removeprefix("cus_"))
        return _answer(await self._base.ask("Q1", given) or b"null")

    async def page(self, request: Request) -> Response:
        given = await self._values(request)
        given["from"] = self._instant(request.query_params["from"])
        return _answer(await self._base.ask("Q2", given))

    async def pages(self, request: Request) -> Response:
        given, found = await self._values(request), []
        for start in request.query_params["from"].split(","):
            given["from"] = self._instant(start)
            found.append(await self._base.ask("Q3", given))
        return _answer(b"[" + b",".join(found) + b"]")

    async def top(self, request: Request) -> Response:
        return _answer(await self._base.ask(f"Q4.{request.path_params['stage']}", await self._values(request)))

    async def stages(self, request: Request) -> Response:
        return _answer(await self._base.ask("Q5", await self._values(request)))

    async def touchpoint(self, request: Request) -> Response:
        given = await self._values(request)
        said = orjson.loads(await request.body())
        content = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        given |= {key: said[key] for key in ("kind", "channel", "direction", "subject")}
        given["customer"] = self._key(said["customer"].removeprefix("cus_"))
        given["hash"] = hashlib.sha256(content).hexdigest()
        return _answer(await self._base.record(given) or b"null")

    async def earn(self, request: Request) -> Response:
        return await self._move(request, "M2", "pointsEarn")

    async def redeem(self, request: Request) -> Response:
        return await self._move(request, "M3", "pointsRedeem")

    async def _move(self, request: Request, name: str, field: str) -> Response:
        given, body = await self._values(request), await request.body()
        said = orjson.loads(body)
        given |= {"points": said["points"], "reason": said.get("reason"), "once": said["key"], "field": field}
        given["account"] = self._key(said["account"].removeprefix("acc_"))
        given["hash"] = hashlib.sha256(body).hexdigest()
        answer = await self._base.move(name, given)
        if not answer:
            raise HTTPException(409)
        return _answer(answer)

    async def _values(self, request: Request) -> Values:
        org, key = await self._who(request)
        now = time.time()
        return {"org": org, "key": key, "today": int(now // 86400), "year": time.gmtime(now).tm_year}

    async def _who(self, request: Request) -> tuple[Any, Any]:
        """The organisation of the key, and the key's own id."""
        given = request.headers.get("authorization", "")
        found = self._remembered.get(given)
        if found is None or found[0] < time.monotonic():
            _, hexed, secret = given.removeprefix("Bearer ").split("_", 2)
            known = await self._base.key(UUID(hexed))
            if known is None or known[1] != hashlib.sha256(secret.encode()).hexdigest():
                raise HTTPException(401)
            found = self._remembered[given] = (time.monotonic() + 1, known[0], self._key(hexed))
        return found[1], found[2]

    def _key(self, text: str) -> Any:
        return UUID(text) if self._on_postgres else text

    def _instant(self, text: str) -> Any:
        return datetime.fromisoformat(text) if self._on_postgres else text


def create_app(url: str, on_postgres: type[OnPostgres] = OnPostgres) -> Starlette:
    """The routes over that database."""
    routes = Routes(url, on_postgres)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await routes.open()
        yield

    return Starlette(
        routes=[
            Route("/customers/{id}", routes.customer),
            Route("/page", routes.page),
            Route("/pages", routes.pages),
            Route("/top/{stage}", routes.top),
            Route("/stages", routes.stages),
            Route("/touchpoints", routes.touchpoint, methods=["POST"]),
            Route("/points/earned", routes.earn, methods=["POST"]),
            Route("/points/redeemed", routes.redeem, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _answer(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def serve(on_postgres: type[OnPostgres] = OnPostgres) -> None:
    """Until it is ended, on the port that the command line names."""
    uvicorn.run(
        create_app(os.environ["GUANXI_DATABASE_URL"], on_postgres),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        server_header=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    serve()
