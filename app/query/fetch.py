"""Runs prepared statements. A statement's JSON comes back as text; who asks decides what becomes of it.

Reads go through connections of their own, outside any transaction: one statement sees one state of the data.
"""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from app.platform.database import QUESTION_SECONDS
from app.query.question import Question
from app.query.statement import World

_STEPS = 100_000  # of SQLite's virtual machine: some milliseconds


def _end_in_time(connection: Connection) -> None:
    """SQLite has no statement timeout of its own; PostgreSQL's is set where its engine is made."""
    deadline = time.monotonic() + QUESTION_SECONDS
    driver: Any = connection.connection.dbapi_connection
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)


class Reader:
    """Answers questions from one database."""

    def __init__(self, engine: Engine, world: World) -> None:
        self.world = world
        self._dialect = engine.dialect.name
        isolation: dict[str, Any] = (
            {"isolation_level": "AUTOCOMMIT"} if self._dialect == "postgresql" else {"reading": True}
        )
        self._engine = engine.execution_options(**isolation)

    def read(self, question: Question, values: Mapping[str, Any]) -> str:
        """The answer as JSON text: "null" where there is none."""
        prepared = self.world.prepared(question, self._dialect)
        with self._engine.connect() as connection:
            if self._dialect == "sqlite":
                _end_in_time(connection)
            answer = connection.exec_driver_sql(prepared.text, prepared.parameters(values)).scalar()
        return "null" if answer is None else str(answer)
