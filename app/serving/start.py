"""How a server is started, and what whoever starts it is told that it lacks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.platform.access import ApiKey, organizations
from app.platform.migrations import Standing, standing
from app.serving.lines import FOLDER, configuration, mode_of
from app.settings import Settings

GRAPHIQL = Path(__file__).parents[1] / "graphiql" / "dist"
# A worker that does not serve by then is given up.
START_SECONDS = 60


def missing(engine: Engine, *, keyless: bool) -> list[str]:
    """What is no reason not to serve, and will puzzle whoever asks."""
    told = []
    if standing(engine) is Standing.AHEAD:
        told.append("The database was migrated by a newer version of Guanxi; this one still serves it.")
    with Session(engine.execution_options(reading=True)) as session:
        if not organizations(session):
            told.append("There is no organisation yet: guanxi org create makes one, guanxi demo one with customers.")
        elif not keyless and session.execute(select(ApiKey.id).limit(1)).first() is None:
            told.append("There is no key yet, and nobody can ask: guanxi key create makes one.")
    if not (GRAPHIQL / "index.html").is_file():
        told.append("GraphiQL is not built, and /graphql is for programs alone: make install builds it.")
    return told


def run(app: str, host: str, port: int, workers: int, settings: Settings, largest_message: int) -> None:
    """Serve until told to stop. `app`: the module and function that make the application, in each worker."""
    import uvicorn

    from app.serving.connections import allow_many

    allow_many()
    with _counting_together(workers):
        uvicorn.run(
            app,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http="app.serving.connections:Connection",
            ws="app.serving.connections:WebSocketConnection",
            server_header=False,
            log_level="warning",
            log_config=configuration(mode_of(settings.log)),
            access_log=False,
            proxy_headers=False,  # whoever asks is known by the key, not by the address
            timeout_graceful_shutdown=settings.drain_seconds,
            timeout_worker_healthcheck=START_SECONDS,
            ws_max_size=largest_message,
            ws_per_message_deflate=False,  # a few bytes could unfold to any size
        )


@contextmanager
def _counting_together(workers: int) -> Iterator[None]:
    """Several processes keep their figures in one folder, for as long as they serve."""
    if workers == 1 or os.environ.get(FOLDER):
        yield
        return
    folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix="guanxi-metrics-")
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ[FOLDER]
