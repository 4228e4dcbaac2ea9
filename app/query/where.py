"""Tests as SQL: two-valued, so that a filter and its NOT are together everything.

A comparison with an unknown value is unknown in SQL. Where only what is true passes, that is as good as false; under
a NOT it is made false first. Nothing is written where a value cannot be unknown, since that would cost it the index.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, false, func, not_, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from app.platform.sending import JsonList
from app.query import sql
from app.query.fact import constant
from app.query.flow import Reading, Statement, read
from app.query.page import kind_of
from app.query.question import All, AnyOf, Compare, Not, Related, Where
from app.query.shape import Shape

Test = ColumnElement[bool]


def nodes_of(where: Where | None) -> set[str]:
    """The nodes of the row itself that a test names."""
    match where:
        case Compare(node=node):
            return {node}
        case All(tests=tests) | AnyOf(tests=tests):
            return set().union(*(nodes_of(test) for test in tests))
        case Not(test=test):
            return nodes_of(test)
        case Related(relation=relation):
            return {relation.parent}
        case None:
            return set()


def passes(statement: Statement, shape: Shape, row: Reading, where: Where, under_not: bool = False) -> Test:
    """The condition on one row."""
    match where:
        case Compare():
            return _compare(statement, shape, row, where, under_not)
        case All(tests=tests):
            return and_(true(), *(passes(statement, shape, row, each, under_not) for each in tests))
        case AnyOf(tests=tests):
            return or_(false(), *(passes(statement, shape, row, each, under_not) for each in tests))
        case Not(test=inner):
            return not_(passes(statement, shape, row, inner, True).self_group())
        case Related():
            return _related(statement, row, where)


def _compare(statement: Statement, shape: Shape, row: Reading, where: Compare, under_not: bool) -> Test:
    value = row[where.node]
    kind, nullable = kind_of(shape, where.node)
    if where.op == "is_null":
        return value.is_(None)
    if where.op == "not_null":
        return value.is_not(None)
    if where.op == "in":
        found = member(statement, value, where.parameter, kind.type)
    else:
        held = statement.bind(where.parameter, kind.type)
        match where.op:
            case "eq":
                found = value == held
            case "gte":
                found = value >= held
            case "gt":
                found = value > held
            case "lte":
                found = value <= held
            case "lt":
                found = value < held
            case "contains":
                found = sql.Found(_folded(where.node, value), held) > constant(0)
            case "starts":
                found = sql.Found(_folded(where.node, value), held) == constant(1)
            case _:
                raise ValueError(where.op)
    return found.is_(true()) if under_not and nullable else found


def _folded(node: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    # Codes, languages and numbers are ASCII and have no folded column beside them.
    return value if node.endswith("_folded") else func.lower(value)


def member(statement: Statement, value: ColumnElement[Any], parameter: str, kind: Any) -> Test:
    """Whether a value is in a list that is one parameter: its length does not change the statement."""
    if statement.dialect == "postgresql":
        return value == func.any(statement.bind(parameter, ARRAY(kind)))
    each = func.json_each(statement.bind(parameter, JsonList(kind))).table_valued("value", name=statement.name("each"))
    return value.in_(select(each.c.value))


def _related(statement: Statement, row: Reading, where: Related) -> Test:
    relation = where.relation
    target: Shape = relation.target
    rows = read(statement, target, nodes_of(where.test) | {relation.child}, only=relation.only)
    inner = passes(statement, target, rows, where.test)
    passing = select(rows[relation.child]).select_from(rows.source).where(*rows.tests, inner)
    if relation.selective:
        return row[relation.parent].in_(passing.correlate_except(*_sources(rows.source)))
    found = passing.with_only_columns(constant(1)).where(rows[relation.child] == row[relation.parent])
    return found.correlate_except(*_sources(rows.source)).exists()


def _sources(source: FromClause) -> list[FromClause]:
    left, right = getattr(source, "left", None), getattr(source, "right", None)
    if left is None or right is None:
        return [source]
    return [*_sources(left), *_sources(right)]
