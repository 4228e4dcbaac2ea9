"""The pages beside the API: what this server is and where things are, its contract, and how it does."""

import hashlib
from collections.abc import Awaitable, Callable
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anyio.to_thread import run_sync
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.platform.access import Caller
from app.platform.away import away
from app.platform.refusals import Forbidden, Unauthenticated
from app.platform.scopes import ADMIN
from app.serving.journal import Journal
from app.serving.ready import AWAY, Ready

NAME = "Guanxi"
_PLACES = {
    "graphql": ("/graphql", "the API, by POST; in a browser GraphiQL"),
    "schema": ("/schema.graphql", "its contract"),
    "health": ("/healthz", "whether the process lives"),
    "readiness": ("/readyz", "whether it can answer: 200, or 503 with the reason"),
    "metrics": ("/metrics", "figures for Prometheus, with a key that has the scope admin"),
}
_SAFE = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "x-frame-options": "DENY"}
# No script, nothing from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }}
body {{ max-width: 40rem; margin: 10vh auto; padding: 0 1rem; }}
dt {{ float: left; clear: left; width: 11rem; font-family: ui-monospace, monospace; }}
dd {{ margin: 0 0 .4rem 11rem; }}
</style></head>
<body><h1>{name} <small>{version}</small></h1>
<p>关系: customers, what they bought, how close they are, and why. A CRM server with a GraphQL API.</p>
<dl>{places}</dl>
<p>Every type, field and argument is described in <a href="/graphql">GraphiQL</a>, under Docs.</p>
</body></html>
"""

Who = Callable[[Request], Awaitable[Caller]]


def routes(ready: Ready, journal: Journal, who: Who, schema: Callable[[], str]) -> list[Route]:
    """`who` asks, from a request: raises Unauthenticated. `schema`: its text."""
    told: dict[str, tuple[bytes, str]] = {}

    async def about(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            headers = {**_SAFE, "content-security-policy": _POLICY, "vary": "accept"}
            return HTMLResponse(_page(), headers=headers)
        places = {name: place for name, (place, _) in _PLACES.items()}
        said = {"name": NAME, "version": _version(), **places, "docs": "/graphql"}
        return JSONResponse(said, headers={**_SAFE, "vary": "accept"})

    async def contract(request: Request) -> Response:
        if not told:
            text = (await run_sync(schema)).encode()
            told["it"] = text, f'"{hashlib.sha256(text).hexdigest()[:32]}"'
        text, tag = told["it"]
        headers = {"etag": tag, **_SAFE}
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if known & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(text, headers=headers, media_type="text/plain; charset=utf-8")

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readiness(_: Request) -> Response:
        why_not = await ready.why_not()
        headers = {"cache-control": "no-store"}
        if why_not is None:
            return PlainTextResponse("ok", headers=headers)
        return PlainTextResponse(why_not, 503, {**headers, "retry-after": "1"})

    async def metrics(request: Request) -> Response:
        # Not by address: behind a proxy on the same host everybody comes from this one.
        try:
            (await who(request)).require(ADMIN)
        except Exception as failure:
            refused = _refused(failure)
            if refused is None:
                raise
            return refused
        journal.look()
        text = await run_sync(journal.metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST, "cache-control": "no-store"})

    made: dict[str, Any] = {
        "/": about,
        "/schema.graphql": contract,
        "/healthz": alive,
        "/readyz": readiness,
        "/metrics": metrics,
    }
    return [Route(path, page) for path, page in made.items()]


def _refused(failure: Exception) -> Response | None:
    match failure:
        case Unauthenticated():
            return PlainTextResponse(str(failure), 401, {"www-authenticate": "Bearer"})
        case Forbidden():
            return PlainTextResponse(str(failure), 403)
    return PlainTextResponse(AWAY, 503, {"retry-after": "1"}) if away(failure) else None


def _page() -> str:
    places = "".join(
        f'<dt><a href="{place}">{place}</a></dt><dd>{escape(said)}</dd>' for place, said in _PLACES.values()
    )
    return _PAGE.format(name=NAME, version=escape(_version()), places=places)


def _version() -> str:
    try:
        return version("guanxi")
    except PackageNotFoundError:
        return "from a checkout"
