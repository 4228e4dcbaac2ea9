"""Which rows: the page of a connection by id, cut narrow, and how many there are in all.

A cut sees only the id, the sort keys and what tests need; what is shown is joined to its rows afterwards.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, func, lateral, select, true

from app.query.fact import constant
from app.query.flow import Statement, column_of, fenced, read
from app.query.page import SEARCH_RANK, beyond, ordering
from app.query.question import Many, Page
from app.query.shape import Shape
from app.query.where import nodes_of, passes

Expression = ColumnElement[Any]


def cut(statement: Statement, many: Many, shape: Shape, parents: FromClause | None) -> CTE:
    page = many.page
    name = statement.name("cut")
    standing = shape.standing.page(statement, many) if shape.standing and parents is None else None
    if standing is not None:
        page_rows = standing.cte(f"{name}_page")
        place = func.row_number().over(order_by=_again(shape, page, page_rows))
        return fenced(select(page_rows.c.id, place.label("n")), name)
    order = [key.node for key in page.order]
    rows = read(
        statement,
        shape,
        nodes_of(many.where) | set(order) | ({many.relation.child} if many.relation else set()),
        only=many.relation.only if many.relation else None,
        extra=search(statement, shape, page),
    )
    keys = [rows[node] for node in order]
    tests = [*rows.tests, *beyond(statement, shape, page, keys, rows["id"])]
    if many.where is not None:
        tests.append(passes(statement, shape, rows, many.where))
    ordered = ordering(shape, page, keys, rows["id"])
    near = select(rows["id"].label("id"), *(key.label(f"key_{n}") for n, key in enumerate(keys))).select_from(
        rows.source
    )
    more = statement.bind(f"{page.path}_more")
    if parents is None or many.relation is None:
        page_rows = near.where(*tests).order_by(*ordered).limit(more).cte(f"{name}_page")
        place = func.row_number().over(order_by=_again(shape, page, page_rows))
        return fenced(select(page_rows.c.id, place.label("n")), name)
    mine = (
        near.where(*tests, rows[many.relation.child] == column_of(parents, "id"))
        .order_by(*ordered)
        .limit(more)
        .correlate(parents)
    )
    if statement.dialect == "postgresql":
        each = lateral(mine, f"{name}_page")
        place = func.row_number().over(partition_by=column_of(parents, "id"), order_by=_again(shape, page, each))
        lateral_rows: Select[Any] = select(column_of(parents, "id").label("parent"), each.c.id, place.label("n"))
        return fenced(lateral_rows.join_from(parents, each, true()), name)
    # SQLite has no LATERAL, but its table functions take correlated arguments: the page travels as a JSON list
    # of ids.
    ids = mine.subquery(f"{name}_page")
    listed = select(func.json_group_array(ids.c.id)).select_from(ids).correlate(parents).scalar_subquery()
    each_id: Any = func.json_each(listed).table_valued("key", "value", name=f"{name}_each")
    place = (each_id.c.key + constant(1)).label("n")
    listed_rows: Select[Any] = select(column_of(parents, "id").label("parent"), each_id.c.value.label("id"), place)
    return fenced(listed_rows.select_from(parents.join(each_id, true())), name)


def _again(shape: Shape, page: Page, rows: Any) -> list[Any]:
    return ordering(shape, page, [rows.c[f"key_{n}"] for n in range(len(page.order))], rows.c.id)


def search(statement: Statement, shape: Shape, page: Page) -> Any:
    terms, find = page.search, shape.search
    if terms is None or find is None:
        return None

    def hits(row: Any) -> tuple[FromClause, Expression, dict[str, Expression]]:
        found = find(statement, terms).cte(statement.name("hits"))
        return found, found.c.subject == row.id, {SEARCH_RANK: found.c.rank}

    return hits


def counted(statement: Statement, many: Many, shape: Shape, parents: FromClause | None) -> CTE:
    """totalCount: the same tests, no page."""
    relation = many.relation
    standing = shape.standing.counted(statement, many) if shape.standing and parents is None else None
    if standing is not None:
        return standing.cte(statement.name("counted"))
    rows = read(
        statement,
        shape,
        nodes_of(many.where) | ({relation.child} if relation else set()),
        only=relation.only if relation else None,
        extra=search(statement, shape, many.page),
    )
    tests = list(rows.tests)
    if many.where is not None:
        tests.append(passes(statement, shape, rows, many.where))
    total: Select[Any] = select(func.count().label("total")).select_from(rows.source).where(*tests)
    if parents is not None and relation is not None:
        parent = rows[relation.child]
        total = (
            total.add_columns(parent.label("parent"))
            .where(parent.in_(select(column_of(parents, "id"))))
            .group_by(parent)
        )
    return total.cte(statement.name("counted"))
