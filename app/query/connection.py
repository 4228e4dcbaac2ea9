"""A connection: its rows' texts joined, in order, with cursors and counts beside them.

Where neither a cursor nor what lies beyond the page is asked for, the rows are joined in the order in which the page
was cut: no row more than asked is read, and none is numbered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, func, select

from app.query import sql
from app.query.cut import brought_with, counted, cut, of_parent
from app.query.fact import constant
from app.query.flow import ROW, fenced
from app.query.page import cursor, ordering
from app.query.question import Items, Many, Page, Paged
from app.query.shape import Shape

if TYPE_CHECKING:
    from app.query.compile import Compiler, Texts

Expression = ColumnElement[Any]
Pattern = sql.Pattern
Lists = Sequence[tuple[Paged, list[Items]]]


@dataclass
class Child:
    """A child's JSON: sources with a `parent` column to join to the parent's node `on`, or LATERAL ones, and the
    pattern over their columns."""

    sources: list[FromClause]
    on: str
    pattern: Pattern


def connection(compiler: "Compiler", many: Many, shape: Shape, parents: FromClause | None) -> Child:
    """The rows of the page, per parent if there are any."""
    statement, names = compiler.statement, {field.name for field in many.fields}
    total = counted(statement, many, shape, parents) if "totalCount" in names else None
    joined: FromClause | None = None
    key = statement.keys.get(parents) if parents is not None else None
    if key is not None:
        # The rows of one parent are read as those of none: they are not to be told apart from those of others.
        parents = None
    if names & {"nodes", "edges", "pageInfo"}:
        beyond = "pageInfo" in names or _has_cursors(many.fields)
        # Below parents SQLite numbers its rows in any case.
        if beyond or (parents is not None and statement.dialect == "sqlite"):
            joined = _numbered(compiler, many, shape, parents, _lists(many), beyond, key)
        else:
            joined = _in_order(compiler, many, shape, parents, _lists(many), key)
    found: Any = joined.c if joined is not None else None
    if joined is not None and key is not None and len(found) == 1:
        # Of one parent and one text there is nothing to join: looked up, it is neither copied nor searched through.
        found = {column.name: select(column).scalar_subquery() for column in found}
        joined = None
    pattern = sql.json_object(_field(n, field, many.page, found, total) for n, field in enumerate(many.fields))
    made = [source for source in (joined, total) if source is not None]
    return Child(made, many.relation.parent if many.relation else "", pattern)


def _lists(many: Many) -> Lists:
    """The fields that list rows, and what is selected of each row there."""
    lists = [(field, [field.fields]) for field in many.fields if field.name == "nodes"]
    return lists + [
        (field, [part.fields for part in field.parts if part.name == "node"])
        for field in many.fields
        if field.name == "edges"
    ]


def _selections(lists: Lists) -> list[Items]:
    return [items for _, each in lists for items in each]


def _in_order(
    compiler: "Compiler",
    many: Many,
    shape: Shape,
    parents: FromClause | None,
    lists: Lists,
    key: Expression | None,
) -> FromClause:
    """Per parent: the texts of its rows, in the order of their sort keys."""
    statement, page, nested = compiler.statement, many.page, parents is not None
    selections = _selections(lists)
    needed = compiler.stored(shape, selections, None)
    brings = brought_with(statement, many, shape, needed, nested)
    if parents is not None and (flat := compiler.flat(shape, selections, brings)):
        return _of_parent(compiler, many, shape, parents, lists, brings, flat)
    page_rows = cut(statement, many, shape, parents, brings, numbered=False, key=key)
    # SQLite joins texts as rows come. Where all that is shown is in the page, they come in its order.
    comes = statement.dialect == "sqlite" and bool(selections) and needed <= brings and not page.backward
    keys = [] if comes else [f"key_{n}" for n in range(len(page.order))]
    passing = {key: key for key in keys} | ({"parent": "parent"} if nested else {})
    rows = compiler.level(shape, page_rows, selections, passing, None, keep=[] if comes else ["id"], brings=brings)
    # A page that was read from its far end is told from the near one.
    nearest = replace(page, backward=False)
    order = [] if comes else ordering(shape, nearest, [rows.c[key] for key in keys], rows.c.kept_id)
    o: Any = rows
    if statement.dialect == "sqlite" and not comes:
        o = select(rows).order_by(*order).subquery(statement.name("ordered"))
        order = []
    results = [
        func.coalesce(sql.Joined(text, *order), sql.text("")).label(f"list_{many.fields.index(field)}")
        for field, text in _texts(lists, o.c)
    ]
    # What is said of each row may be a word of ours: the rows are named all the same.
    made: Select[Any] = select(*([o.c.parent] if nested else []), *results).select_from(o)
    if not nested:
        return made.cte(statement.name("joined"))
    # Made once: a planner that expects one parent would make the texts anew for each, down through all levels.
    return fenced(made.group_by(o.c.parent), statement.name("joined"))


def _of_parent(
    compiler: "Compiler",
    many: Many,
    shape: Shape,
    parents: FromClause,
    lists: Lists,
    brings: frozenset[str],
    flat: "Texts",
) -> FromClause:
    """The texts of one parent's rows, which are as good as columns: looked up and joined parent by parent, none is
    copied or sorted together with those of others."""
    page = of_parent(compiler.statement, many, shape, parents, brings)
    keys = [page.c[f"key_{n}"] for n in range(len(many.page.order))]
    order = ordering(shape, replace(many.page, backward=False), keys, page.c.id)
    results = [
        sql.Joined(text, *order).label(f"list_{many.fields.index(field)}") for field, text in _texts(lists, flat(page))
    ]
    made = select(*results).select_from(page).correlate(parents)
    return made.lateral(compiler.statement.name("joined"))


def _numbered(
    compiler: "Compiler",
    many: Many,
    shape: Shape,
    parents: FromClause | None,
    lists: Lists,
    beyond: bool,
    key: Expression | None,
) -> CTE:
    """Per parent: the texts of its rows; where what lies `beyond` is asked for, whether there are more; and the cursors
    of both ends."""
    statement, page, nested = compiler.statement, many.page, parents is not None
    selections = _selections(lists)
    each, ends = _has_cursors(many.fields), _ends(many)
    shown_by = page if each or ends else None
    brings = brought_with(statement, many, shape, compiler.stored(shape, selections, shown_by), nested)
    page_rows = cut(statement, many, shape, parents, brings, more=beyond, key=key)
    rows = compiler.level(
        shape,
        page_rows,
        selections,
        {"parent": "parent", "n": "n"} if nested else {"n": "n"},
        shown_by,
        joined_on=("row", ROW) if "row" in page_rows.c else ("id", "id"),
        brings=brings,
        cursors=each,
    )
    parent = [rows.c.parent] if nested else []
    place = constant(0) - rows.c.n if page.backward else rows.c.n
    found = [func.count().over(partition_by=parent or None).label("found")] if beyond else []
    # SQLite joins texts as rows come, so they come in order.
    ordered = select(rows, place.label("place"), *found).order_by(*parent, "place").subquery(statement.name("ordered"))
    o, size = ordered.c, statement.bind(f"{page.path}_size")

    def listed(text: Expression) -> Expression:
        joined: Any = sql.Joined(text, o.place)
        return func.coalesce(joined.filter(o.n <= size) if beyond else joined, sql.text(""))

    results: list[Any] = [listed(text).label(f"list_{many.fields.index(field)}") for field, text in _texts(lists, o)]
    if beyond:
        results.append(sql.either(func.max(o.found) > size).label("more"))
    for end in ends:
        # Made for the rows that are told, if not for each.
        keys = [] if each else [o[f"kept_{key.node}"] for key in page.order]
        there = o.cursor if each else cursor(statement, shape, page, keys, o.kept_id)
        nth = constant(1) if end == "near" else sql.Least(o.found, size)
        results.append(func.max(there).filter(o.n == nth).label(end))
    made: Select[Any] = select(*([o.parent] if nested else []), *results).select_from(ordered)
    if not nested:
        return made.cte(statement.name("joined"))
    return fenced(made.group_by(o.parent), statement.name("joined"))


def _texts(lists: Lists, o: Any) -> Iterable[tuple[Paged, Expression]]:
    """The text of a row in each list."""
    taken = 0
    for field, each in lists:
        texts: list[Expression] = [o[f"json_{n}"] for n in range(taken, taken + len(each))]
        taken += len(each)
        yield field, texts[0] if field.name == "nodes" else sql.template(sql.json_object(_edge(field, texts, o)))


def _field(place: int, field: Paged, page: Page, joined: Any, counted: CTE | None) -> tuple[str, Pattern]:
    if field.name == "totalCount":
        return field.key, [
            sql.or_null(func.coalesce(sql.whole_text(counted.c.total), sql.text("0")), False)
        ] if counted is not None else []
    if field.name == "pageInfo":
        return field.key, sql.json_object(_page_info(part, page, joined) for part in field.parts)
    if field.name == "__typename":
        return field.key, [f'"{field.said}"']
    return field.key, ["[", func.coalesce(joined[f"list_{place}"], sql.text("")), "]"]


def _edge(field: Paged, texts: list[Expression], o: Any) -> Iterable[tuple[str, Pattern]]:
    nodes = iter(texts)
    for part in field.parts:
        if part.name == "node":
            yield part.key, [next(nodes)]
        elif part.name == "cursor":
            yield part.key, ['"', o["cursor"], '"']
        else:
            yield part.key, [f'"{part.said}"']


def _page_info(part: Paged, page: Page, joined: Any) -> tuple[str, Pattern]:
    def text(name: str) -> Pattern:
        return [func.coalesce(sql.text('"').concat(joined[name]).concat(sql.text('"')), sql.text("null"))]

    more: Pattern = (
        [sql.either_or(joined["more"] == constant(1), sql.text("true"), sql.text("false"))]
        if joined is not None
        else ["false"]
    )
    match part.name:
        case "hasNextPage":
            return part.key, more if not page.backward else ["true" if page.before is not None else "false"]
        case "hasPreviousPage":
            return part.key, more if page.backward else ["true" if page.after is not None else "false"]
        case "startCursor" | "endCursor":
            return part.key, text(_end(part, page))
        case _:
            return part.key, [f'"{part.said}"']


def _has_cursors(fields: Iterable[Paged]) -> bool:
    return any(part.name == "cursor" for field in fields if field.name == "edges" for part in field.parts)


def _ends(many: Many) -> list[str]:
    """The ends of the page whose cursors are told."""
    parts = [part for field in many.fields if field.name == "pageInfo" for part in field.parts]
    return sorted({_end(part, many.page) for part in parts if part.name in ("startCursor", "endCursor")})


def _end(part: Paged, page: Page) -> str:
    """A page that was read backwards has its first row at its far end."""
    return "near" if (part.name == "startCursor") is not page.backward else "far"
