"""Guanxi without its walls, to measure what they cost: no key is looked up, nothing has a price, no policy is asked,
and the owner of the tables reads them, for whom no row level security holds. Its answers are the same; it is for
nothing else.

    GUANXI_DATABASE_URL=... python -m bench.bare PORT
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import uvicorn
from sqlalchemy.orm import Session
from starlette.types import ASGIApp

from app.platform.access import Caller, organization
from app.platform.database import connect
from app.platform.piped import address_of
from app.platform.work import operator
from app.query import line, on_postgresql
from bench.load import ORG
from schema import access
from schema.documents import Operation


def create_app() -> ASGIApp:
    """The application with each wall taken out where it stands."""
    url = os.environ["GUANXI_DATABASE_URL"]
    os.environ["GUANXI_COST_LIMIT"] = "0"
    engine = connect(url)
    with Session(engine) as session:
        org = organization(session, ORG)
    assert org is not None
    caller, granted = operator(org), access.Verdict()

    async def known(*_: Any) -> Caller:
        return caller

    def allowed(*_: Any) -> access.Verdict:
        return granted

    from app import main

    _replace(main.Callers, "__call__", known)
    _replace(Operation, "verdict", allowed)
    _replace(line.Line, "_enter", lambda self, org_id: setattr(self, "org", org_id))
    _replace(on_postgresql, "opened", _opened)
    return main.create_app()


async def _opened(url: str, settings: dict[str, str]) -> Any:
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return await psycopg.AsyncConnection.connect(**address_of(url) | {"options": options}, autocommit=True)


def _replace(owner: Any, name: str, by: Callable[..., Any]) -> None:
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more"
    setattr(owner, name, by)


if __name__ == "__main__":
    uvicorn.run(
        "bench.bare:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        server_header=False,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )
