"""A page that is merged from several sources: each is cut by itself, so that each may follow an index of its own."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, select, tuple_

from app.query.fact import constant
from app.query.flow import Statement
from app.query.page import beyond, kind_of, ordering
from app.query.question import Page
from app.query.shape import Shape

Expression = ColumnElement[Any]
Test = ColumnElement[bool]


@dataclass
class Leg:
    """Rows of a page before they are cut. `known`: whether all have a key or none has; None when some may. `asked`:
    unless these hold, which rest on no row, the leg is not read at all."""

    source: FromClause
    tests: list[Test]
    key: Expression
    id: Expression
    known: bool | None
    asked: list[Test] = field(default_factory=list)

    def cut(self, statement: Statement, shape: Shape, page: Page) -> Select[Any] | None:
        """Its first rows after the cursor, one more than asked; None when the cursor is past all of them."""
        tests = self._beyond(statement, shape, page)
        if tests is None:
            return None
        more: Any = statement.bind(f"{page.path}_more")
        if self.asked:
            more = case((and_(*self.asked), more), else_=constant(0))
        first = (
            select(self.id.label("id"), self.key.label("key_0"))
            .select_from(self.source)
            .where(*self.tests, *tests)
            .order_by(*self._ordered(shape, page))
            .limit(more)
        )
        return select(first.subquery(statement.name("leg")))

    def _ordered(self, shape: Shape, page: Page) -> list[Any]:
        if self.known is None:
            return list(ordering(shape, page, [self.key], self.id))
        falls = page.order[0].falls is not page.backward
        # By the key even where none has one: no other index has that order, so none is tempting.
        return [each.desc() if falls else each.asc() for each in (self.key, self.id)]

    def _beyond(self, statement: Statement, shape: Shape, page: Page) -> list[Test] | None:
        if self.known is None:
            return beyond(statement, shape, page, [self.key], self.id)
        tests: list[Test] = []
        for side, unknown in (("after", page.after), ("before", page.before)):
            if unknown is None:
                continue
            forward, known = side == "after", not unknown[0]
            if known is not self.known:
                # Those without a key come last: after a cursor without one nobody has one, before one with all have.
                if forward is self.known:
                    return None
                continue
            kind = kind_of(shape, page.order[0].node)[0].type
            held: list[Any] = [statement.bind(f"{page.path}_{side}_0", kind)] if known else []
            held.append(statement.bind(f"{page.path}_{side}_id", shape.table.c.id.type))
            here = tuple_(*([self.key, self.id] if known else [self.id]))
            tests.append(here > tuple_(*held) if forward is not page.order[0].falls else here < tuple_(*held))
        return tests
