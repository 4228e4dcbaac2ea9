"""Which rows: the page of a connection by id, cut narrow, and how many there are in all.

A cut sees only the id, the sort keys and what tests need; what is shown is joined to its rows afterwards.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    CTE,
    Alias,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    func,
    lateral,
    literal_column,
    select,
    true,
)

from app.query.fact import constant
from app.query.flow import ROW, Reading, Statement, column_of, fenced, read
from app.query.page import SEARCH_RANK, beyond, ordering
from app.query.question import Many, Page
from app.query.shape import Shape
from app.query.where import nodes_of, passes

Expression = ColumnElement[Any]
# A page has at most 100 rows, and is read with one more.
MOST_ROWS = 101


def brought(statement: Statement, shape: Shape, nodes: Iterable[str]) -> frozenset[str]:
    """The columns, of those that are shown, that a cut can bring with it because it stands on their rows anyway."""
    columns = frozenset(node for node in nodes if node in shape.table.c) | {"id"}
    return frozenset() if statement.clock.past and not columns.isdisjoint(shape.past) else columns


def brought_with(statement: Statement, many: Many, shape: Shape, nodes: Iterable[str], nested: bool) -> frozenset[str]:
    """The same of a page; none where many rows must be sorted first, which is quicker while they are narrow."""
    if many.relation is not None and statement.dialect == "postgresql":
        return brought(statement, shape, nodes)
    if nested:
        return frozenset()
    narrow = many.page.search is not None or not nodes_of(many.where) <= set(shape.table.c.keys())
    child = [many.relation.child] if many.relation is not None else []
    order = ["org_id", *child, *(key.node for key in many.page.order)]
    indexes = ([column.name for column in index.columns][: len(order)] for index in shape.table.indexes)
    return brought(statement, shape, nodes) if not narrow and order in indexes else frozenset()


def cut(
    statement: Statement,
    many: Many,
    shape: Shape,
    parents: FromClause | None,
    brings: frozenset[str] = frozenset(),
    *,
    numbered: bool = True,
    more: bool = True,
    key: Expression | None = None,
) -> CTE:
    """The page's rows: `n` from its near end, `id` or `row`, `parent`, and what it brings; with `more` one more than
    asked. `key`: of the one parent, instead of all parents.

    Not `numbered`: no more than asked, with their sort keys.
    """
    page = many.page
    name = statement.name("cut")
    limit = statement.bind(f"{page.path}_more" if numbered and more else f"{page.path}_size")
    also = sorted(brings - {"id"})
    keys_named = [f"key_{n}" for n in range(len(page.order))]

    def finished(rows: Any, partition: list[Any]) -> Select[Any]:
        keys = [rows.c[key] for key in keys_named]
        place = func.row_number().over(partition_by=partition or None, order_by=ordering(shape, page, keys, rows.c.id))
        told = [place.label("n")] if numbered else keys
        return select(*(each.label("parent") for each in partition), rows.c.id, *told, *(rows.c[key] for key in also))

    at_root = parents is None and key is None
    standing = shape.standing.page(statement, many) if shape.standing and at_root else None
    if standing is not None:
        also = []
        page_rows = standing.cte(f"{name}_page")
        if numbered:
            return fenced(finished(page_rows, []), name)
        held = [page_rows.c[key] for key in keys_named]
        return fenced(finished(page_rows, []).order_by(*ordering(shape, page, held, page_rows.c.id)).limit(limit), name)
    rows, near = _in_order(statement, many, shape, brings)
    if key is not None and many.relation is not None:
        near = near.where(rows[many.relation.child] == key)
    if parents is None or many.relation is None:
        limited = _page(statement, shape, page, near, limit, f"{name}_each")
        found = finished(limited.cte(f"{name}_page"), [])
        # Where it is read but once, PostgreSQL sees through it to the order of the index, and SQLite copies nothing.
        return fenced(found, name) if numbered else found.cte(name)
    mine = near.where(rows[many.relation.child] == column_of(parents, "id"))
    if statement.dialect == "postgresql":
        each = lateral(_of_parent(statement, many, shape, parents, mine, limit, name), f"{name}_page")
        found = finished(each, [column_of(parents, "id")])
        return fenced(found.select_from(parents.join(each, true())), name)
    mine = mine.limit(limit).correlate(parents)
    # SQLite has no LATERAL, but its table functions take correlated arguments: the page travels as a JSON list, of rows
    # where they are a table's, of ids where they are judged first.
    row: Any = rows["id"]
    of_table = isinstance(row.table, Alias)
    named, value = ("row", literal_column(f"{row.table.name}.{ROW}")) if of_table else ("id", row)
    keys_of = mine.add_columns(value.label("found")).subquery(f"{name}_page")
    listed = select(func.json_group_array(keys_of.c.found)).select_from(keys_of).correlate(parents).scalar_subquery()
    each_key: Any = func.json_each(listed).table_valued("key", "value", name=f"{name}_each")
    place = (each_key.c.key + constant(1)).label("n")
    listed_rows: Select[Any] = select(column_of(parents, "id").label("parent"), each_key.c.value.label(named), place)
    return fenced(listed_rows.select_from(parents.join(each_key, true())), name)


def of_parent(statement: Statement, many: Many, shape: Shape, parents: FromClause, brings: frozenset[str]) -> Subquery:
    """The rows of one parent's page, no more than asked, with their sort keys: for a LATERAL over the parents."""
    if many.relation is None:
        raise TypeError(f"{shape.name} is no child.")
    rows, near = _in_order(statement, many, shape, brings)
    mine = near.where(rows[many.relation.child] == column_of(parents, "id"))
    name, limit = statement.name("cut"), statement.bind(f"{many.page.path}_size")
    return _of_parent(statement, many, shape, parents, mine, limit, name).subquery(name)


def _of_parent(
    statement: Statement,
    many: Many,
    shape: Shape,
    parents: FromClause,
    mine: Select[Any],
    limit: Expression,
    name: str,
) -> Select[Any]:
    return _page(statement, shape, many.page, mine.correlate(parents), limit, f"{name}_each").correlate(parents)


def _in_order(statement: Statement, many: Many, shape: Shape, brings: frozenset[str]) -> tuple[Reading, Select[Any]]:
    """The rows that pass, and their ids, sort keys and what they bring, in the order of the page."""
    page = many.page
    order = [key.node for key in page.order]
    rows = _rows(statement, many, shape, set(order) | brings)
    keys = [rows[node] for node in order]
    tests = [*rows.tests, *beyond(statement, shape, page, keys, rows["id"])]
    if many.where is not None:
        tests.append(passes(statement, shape, rows, many.where))
    near = select(
        rows["id"].label("id"),
        *(key.label(f"key_{n}") for n, key in enumerate(keys)),
        *(rows[node].label(node) for node in sorted(brings - {"id"})),
    )
    return rows, near.select_from(rows.source).where(*tests).order_by(*ordering(shape, page, keys, rows["id"]))


def _rows(statement: Statement, many: Many, shape: Shape, nodes: set[str]) -> Reading:
    """The rows of which some pass the tests, with these nodes and those that tests name."""
    relation, nodes = many.relation, nodes | nodes_of(many.where)
    if shape.standing and relation is None and many.page.search is None:
        found = shape.standing.rows(statement, nodes, many.where)
        if found is not None:
            return found
    return read(
        statement,
        shape,
        nodes | ({relation.child} if relation else set()),
        only=relation.only if relation else None,
        extra=search(statement, shape, many.page),
    )


def _page(
    statement: Statement, shape: Shape, page: Page, ordered: Select[Any], limit: Expression, name: str
) -> Select[Any]:
    """The first so many rows."""
    if statement.dialect != "postgresql":
        return ordered.limit(limit)
    # PostgreSQL plans before it knows the limit, takes it for a tenth of the table, and would rather sort all of that
    # than follow an index. It does know that there are never more than these.
    most = ordered.limit(constant(MOST_ROWS)).subquery(name)
    keys = [most.c[f"key_{n}"] for n in range(len(page.order))]
    return select(most).order_by(*ordering(shape, page, keys, most.c.id)).limit(limit)


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
    rows = _rows(statement, many, shape, set())
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
