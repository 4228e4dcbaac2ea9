"""Runs prepared statements. A statement's JSON comes back as text; who asks decides what becomes of it.

Reads go through connections of their own, outside any transaction: one statement sees one state of the data.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from app.query.question import Question
from app.query.statement import World


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
            answer = connection.exec_driver_sql(prepared.text, prepared.parameters(values)).scalar()
        return "null" if answer is None else str(answer)
