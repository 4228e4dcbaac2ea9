"""The questions that a document asks, without a database to ask them of."""

import asyncio
from collections.abc import Mapping
from typing import Any

from graphql import ExecutionResult, execute, parse, validate

from app.platform.work import operator
from app.query.question import Question
from schema.context import Asked
from schema.schema import graphql_schema
from tests.conftest import NOW
from tests.query.shop import ORG


class Listening:
    """Stands for a reader and answers nothing."""

    def __init__(self) -> None:
        self.heard: list[tuple[Question, Mapping[str, Any]]] = []

    async def read(self, question: Question, values: Mapping[str, Any]) -> bytes:
        self.heard.append((question, values))
        return b"null"


def questions_of(text: str, **variables: Any) -> list[Question]:
    return [question for question, _ in asked_by(text, **variables)]


def asked_by(text: str, **variables: Any) -> list[tuple[Question, Mapping[str, Any]]]:
    """The questions with the values of their parameters."""
    reader: Any = Listening()
    document = parse(text)
    assert not validate(graphql_schema, document)

    async def ask() -> None:
        asked = Asked(None, reader, operator(ORG), NOW, False, None, {})  # type: ignore[arg-type]
        result = execute(graphql_schema, document, context_value=asked, variable_values=variables)
        if not isinstance(result, ExecutionResult):
            result = await result
        wrong = [error.message for error in result.errors or () if not error.message.startswith("Cannot return null")]
        assert not wrong

    asyncio.run(ask())
    found: list[tuple[Question, Mapping[str, Any]]] = reader.heard
    return found
