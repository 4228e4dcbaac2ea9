"""Builds the ASGI application: the API at /graphql, GraphiQL for browsers, and nothing that leaves the host."""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from app.platform.access import Caller, caller_of, organization
from app.platform.database import connect
from app.platform.refusals import OperatorError, Unauthenticated
from app.platform.work import operator
from app.query.fetch import Reader
from app.settings import Settings
from schema.http import Endpoint
from schema.schema import world

GRAPHIQL = Path(__file__).parent / "graphiql" / "dist"
# A revoked key is refused within this many seconds.
_THIS_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
REMEMBERED_SECONDS, MOST_REMEMBERED = 1.0, 10_000


def create_app(settings: Settings | None = None) -> Starlette:
    """The application of these settings; raises OperatorError when it cannot be served."""
    settings = settings or Settings.from_environment()
    engine, reader = connect(settings.database_url, serving=True), Reader(settings.database_url, world)
    endpoint = Endpoint(engine, reader, _callers(engine, settings), test_clock=settings.test_clock)

    async def graphql(request: Request) -> Response:
        if (
            request.method == "GET"
            and "query" not in request.query_params
            and "text/html" in request.headers.get("accept", "")
        ):
            return _graphiql()
        return await endpoint(request)

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ok")

    routes: list[Any] = [Route("/graphql", graphql, methods=["GET", "POST"]), Route("/healthz", ready)]
    if (GRAPHIQL / "assets").is_dir():
        routes.append(Mount("/graphiql/assets", StaticFiles(directory=GRAPHIQL / "assets")))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        engine.dispose()
        await reader.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _graphiql() -> Response:
    page = GRAPHIQL / "index.html"
    if not page.is_file():
        return PlainTextResponse("GraphiQL is not built here: make install builds it.", 404)
    return FileResponse(
        page, headers={"cache-control": "no-cache", "x-content-type-options": "nosniff", "x-frame-options": "DENY"}
    )


def _callers(engine: Engine, settings: Settings) -> Callable[[Request], Caller]:
    """Who asks: the holder of a key, or whoever reaches an open server on this host."""
    open_to = None
    if settings.open_org is not None:
        with Session(engine) as session:
            org = organization(session, settings.open_org)
        if org is None:
            raise OperatorError("The organisation that is to be served does not exist.")
        open_to = operator(org)
    remembered: dict[str, tuple[float, Caller]] = {}

    def known(key: str) -> Caller:
        found = remembered.get(key)
        if found and found[0] > time.monotonic():
            return found[1]
        with Session(engine) as session:
            caller = caller_of(session, key)
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        remembered[key] = (time.monotonic() + REMEMBERED_SECONDS, caller)
        return caller

    def who(request: Request) -> Caller:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and key:
            return known(key.strip())
        if open_to is not None and _from_this_host(request):
            return open_to
        raise Unauthenticated("Give an API key: Authorization: Bearer gx_...")

    return who


def _from_this_host(request: Request) -> bool:
    # A page of some other name that resolves to this host must not reach an open server.
    # Read as it was sent: a name that the framework cannot read would otherwise count as this host's own.
    named = [value for name, value in request.scope["headers"] if name == b"host"]
    return len(named) == 1 and _THIS_HOST.fullmatch(named[0].decode("latin-1")) is not None
