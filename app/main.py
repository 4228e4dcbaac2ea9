"""Builds the ASGI application: the API at /graphql, GraphiQL for browsers, and nothing that leaves the host."""

import asyncio
import gc
import logging
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from app.loyalty.finality import Finality
from app.loyalty.posting import post_due_of, poster
from app.platform.access import Caller, caller_of, organization
from app.platform.away import away
from app.platform.database import connect
from app.platform.limits import Limiter
from app.platform.live import Live
from app.platform.records import count_statements
from app.platform.refusals import OperatorError, Unauthenticated
from app.platform.rounds import Rounds
from app.platform.work import operator
from app.platform.writer import writer_of
from app.query.fetch import Reader
from app.scores.standings import settler
from app.serving.journal import Journal
from app.serving.lines import Lines, mode_of
from app.serving.metrics import Metrics
from app.serving.pages import routes
from app.serving.ready import Ready
from app.serving.stop import leaving, told_to_stop
from app.serving.traces import traces
from app.settings import Settings
from schema import events, lane
from schema.http import Endpoint, Send
from schema.request import Headers, Receive, Scope, headers_of
from schema.schema import contract, world
from schema.socket import sockets
from schema.stored_documents import StoredDocuments, trusted_documents
from schema.streams import Streams

GRAPHIQL = Path(__file__).parent / "graphiql" / "dist"
_THIS_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
# A revoked key is refused within this many seconds.
REMEMBERED_SECONDS, MOST_REMEMBERED = 1.0, 10_000
# While the database is away nobody can revoke one.
KNOWN_AWAY_SECONDS = 3600.0
# Few enough at once that nobody who writes has to wait for long.
SETTLED_AT_ONCE, POSTED_AT_ONCE, PAUSE, IDLE_SECONDS = 250, 50, 0.02, 2.0
# So long the end waits for what is done in the background, even when it is asked for twice.
LAST_SECONDS = 2.0
# What is written meanwhile is settled together.
GATHERED_SECONDS = 0.5
log = logging.getLogger("guanxi.server")
_FAILED = "%s failed: %s"


def create_app(settings: Settings | None = None) -> "Application":
    """The application of these settings; raises OperatorError when it cannot be served."""
    settings = settings or Settings.from_environment()
    engine = connect(settings.database_url, serving=True)
    reader = Reader(settings.database_url, world, partial(post_due_of, engine), Finality(engine), settings.connections)
    limiter = Limiter(engine, settings.cost_limit, settings.cost_restored) if settings.cost_limit else None
    stored = StoredDocuments(trusted_documents(settings.documents), settings.documents_mode)
    callers = Callers(engine, settings)
    endpoint = Endpoint(engine, reader, callers, limiter=limiter, stored=stored, test_clock=settings.test_clock)
    live = Live(engine, settings.database_url)
    streams = Streams(endpoint, live)
    endpoint.events = partial(events.answer, streams)

    count_statements(engine)
    ready = Ready(settings.database_url)
    metrics = _metrics(engine, reader, endpoint, live)
    journal = Journal(endpoint.records, Lines(mode_of(settings.log)), metrics, traces(os.environ))
    pages: list[Any] = [*routes(ready, journal, callers.of_late, contract)]
    if (GRAPHIQL / "assets").is_dir():
        pages.append(Mount("/graphiql/assets", StaticFiles(directory=GRAPHIQL / "assets")))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # What stands until the end need not be looked through for what can go.
        gc.collect()
        gc.freeze()
        # A request makes some hundred objects, and leaves none in a circle.
        gc.set_threshold(20_000, 20, 50)
        rounds = (
            ("settling", settler(engine, _now, SETTLED_AT_ONCE, rest_seconds=GATHERED_SECONDS)),
            ("posting", poster(engine, _now, POSTED_AT_ONCE)),
        )
        tasks = [asyncio.create_task(_go_round(name, each)) for name, each in rounds]
        tasks.append(asyncio.create_task(journal.go()))
        live.start()
        with told_to_stop(stop, settings.notice_seconds):
            yield
        stop()
        await live.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait([*tasks, *callers.looking()], timeout=LAST_SECONDS)
        await reader.close()
        engine.dispose()
        await ready.close()
        journal.close()

    def stop() -> None:
        ready.stopping = True
        live.stop()

    return Application(endpoint, sockets(streams, settings.origins), ready, routes=pages, lifespan=lifespan)


def _metrics(engine: Engine, reader: Reader, endpoint: Endpoint, live: Live) -> Metrics:
    def totals() -> dict[tuple[str, str], int]:
        documents = endpoint.documents
        return {
            ("document", "hit"): documents.hits,
            ("document", "miss"): documents.misses,
            ("plan", "hit"): lane.looked_up["hit"],
            ("plan", "miss"): lane.looked_up["miss"],
            ("statement", "hit"): world.hits,
            ("statement", "miss"): world.misses,
        }

    def gauges() -> dict[tuple[str, str], float]:
        pool: Any = engine.pool
        questions = {("questions", state): float(number) for state, number in reader.in_use().items()}
        work = {("transactions", "busy"): float(pool.checkedout()), ("transactions", "idle"): float(pool.checkedin())}
        return {**questions, **work, ("subscriptions", "open"): float(live.subscribers)}

    def groups() -> Counter[int]:
        writer = writer_of(engine)
        taken, writer.groups = writer.groups, Counter()
        return taken

    def lag() -> float:
        taken, live.lag = live.lag, 0.0
        return taken

    return Metrics(totals, gauges, groups, lag)


def _now() -> datetime:
    return datetime.now(UTC)


async def _go_round(name: str, rounds: Rounds) -> None:
    """Judge anew whose standing is open, post the points that fell due: a few at a time. Every answer is right without
    it."""
    while True:
        step = asyncio.create_task(run_sync(rounds.step))
        try:
            done = await asyncio.shield(step)
        except asyncio.CancelledError:
            # A thread is not cancelled: the database is let go once nobody works on it any more.
            await asyncio.wait([step])
            if (last := step.exception()) is not None:
                log.error(_FAILED, name, type(last).__name__)
            raise
        except Exception as failure:  # noqa: BLE001 - it is tried again
            log.error(_FAILED, name, type(failure).__name__)
            done = 0
        await asyncio.sleep(PAUSE if done else rounds.pause(IDLE_SECONDS))


class Application(Starlette):
    """The API stands in front of the other pages: it needs no routing."""

    def __init__(self, endpoint: Endpoint, sockets: Any, ready: Ready, **details: Any) -> None:
        super().__init__(**details)
        self.endpoint, self.sockets, self.ready = endpoint, sockets, ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.ready.stopping and scope["type"] == "http":
            send = leaving(send)
        if scope["type"] == "lifespan" or scope["path"] != "/graphql":
            await super().__call__(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.sockets(scope, receive, send)
        elif scope["method"] == "GET" and _wants_page(Request(scope)):
            await _graphiql()(scope, receive, send)
        else:
            await self.endpoint(scope, receive, send)


def _wants_page(request: Request) -> bool:
    return "query" not in request.query_params and "text/html" in request.headers.get("accept", "")


def _graphiql() -> Response:
    page = GRAPHIQL / "index.html"
    if not page.is_file():
        return PlainTextResponse("GraphiQL is not built here: make install builds it.", 404)
    return FileResponse(
        page, headers={"cache-control": "no-cache", "x-content-type-options": "nosniff", "x-frame-options": "DENY"}
    )


@dataclass
class _Known:
    """Whom a key names: `until` when that may be said, and from when it is looked up again meanwhile."""

    caller: Caller
    again: float
    until: float


class Callers:
    """Who asks: the holder of a key, or whoever reaches an open server on this host."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._open_to: Caller | None = None
        self._known: dict[bytes, _Known] = {}
        self._asked: dict[bytes, asyncio.Task[Caller]] = {}
        if settings.open_org is not None:
            with Session(engine) as session:
                org = organization(session, settings.open_org)
            if org is None:
                raise OperatorError("The organisation that is to be served does not exist.")
            self._open_to = operator(org)

    def known(self, headers: Headers) -> Caller | None:
        """Who asked with this key but now, as nearly all do."""
        known = self._known.get(headers.get(b"authorization", b""))
        return known.caller if known is not None and time.monotonic() <= known.again else None

    async def __call__(self, scope: Scope, headers: Headers) -> Caller:
        """Raises Unauthenticated."""
        given = headers.get(b"authorization", b"")
        now, known = time.monotonic(), self._known.get(given)
        if known is None or known.until < now:
            if _key(given) is None:
                if self._open_to is None or not _from_this_host(scope):
                    raise Unauthenticated("Give an API key: Authorization: Bearer gx_...")
                return self._open_to
            return await asyncio.shield(self._look_up(given))
        if known.again < now:
            # Nobody waits for it: what was found is good for a while yet.
            known.again = known.until
            self._look_up(given)
        return known.caller

    async def of_late(self, request: Request) -> Caller:
        """Who asks for a page that needs no database: while it is away, whom it knew before. Raises Unauthenticated."""
        headers = headers_of(request.scope)
        try:
            return await self(request.scope, headers)
        except Exception as failure:
            known = self._known.get(headers.get(b"authorization", b""))
            if known is None or not away(failure) or time.monotonic() > known.until + KNOWN_AWAY_SECONDS:
                raise
            return known.caller

    def _look_up(self, given: bytes) -> "asyncio.Task[Caller]":
        """One look-up for all who ask with this key at this time."""
        asked = self._asked.get(given)
        if asked is None or asked.get_loop() is not asyncio.get_running_loop():
            asked = self._asked[given] = asyncio.create_task(run_sync(self._found, _key(given) or ""))
            asked.add_done_callback(partial(self._keep, given))
        return asked

    def looking(self) -> list["asyncio.Task[Caller]"]:
        """What is looked up just now, in threads, for this loop."""
        return [asked for asked in self._asked.values() if asked.get_loop() is asyncio.get_running_loop()]

    def _found(self, key: str) -> Caller:
        with Session(self._engine) as session:
            return caller_of(session, key, _now())

    def _keep(self, given: bytes, asked: "asyncio.Task[Caller]") -> None:
        self._asked.pop(given, None)
        if asked.cancelled() or asked.exception() is not None:
            if not asked.cancelled() and isinstance(asked.exception(), Unauthenticated):
                self._known.pop(given, None)
            return
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        now = time.monotonic()
        self._known[given] = _Known(asked.result(), now + REMEMBERED_SECONDS / 2, now + REMEMBERED_SECONDS)


def _key(given: bytes) -> str | None:
    """The key of an Authorization header."""
    kind, _, key = given.decode("latin-1").partition(" ")
    return key.strip() or None if kind.lower() == "bearer" else None


def _from_this_host(scope: Scope) -> bool:
    # A page of some other name that resolves to this host must not reach an open server.
    # Read as it was sent: a name that the framework cannot read would otherwise count as this host's own.
    named = [value for name, value in scope["headers"] if name == b"host"]
    return len(named) == 1 and _THIS_HOST.fullmatch(named[0].decode("latin-1")) is not None
