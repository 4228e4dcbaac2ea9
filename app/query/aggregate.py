"""The same measures, grouped: one row per combination of keys that occurs, and the row over everyone, in one statement.

Averages are whole numbers of decimals too, rounded half away from zero once, so that both databases print them alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, Text, case, func, select

from app.query import sql
from app.query.compile import Compiler
from app.query.fact import constant
from app.query.flow import Reading, Statement, read
from app.query.kind import Exact, Fixed, Kind, Minor
from app.query.page import kind_of
from app.query.question import Groups, Told
from app.query.shape import Shape
from app.query.where import nodes_of, passes

Expression = ColumnElement[Any]
AVERAGE_DECIMALS = 4


def groups(statement: Statement, question: Groups, shape: Shape) -> Expression:
    """The answer as one JSON text: rows (at most `groups_size`), all, and whether the rows are complete."""
    nodes = sorted(
        {_node(name) for name in [*_names(question.fields), *(order.node for order in question.order)] if "." in name}
    )
    standing = shape.standing.grouped(statement, question) if shape.standing else None
    each = _grouped(statement, question, shape, nodes) if standing is None else standing
    grouped = each.cte(statement.name("grouped"))
    g = grouped.c
    telling = _Telling(Compiler(statement), shape, question)
    place = func.row_number().over(order_by=telling.order(g) or None).label("place")
    placed = select(grouped, place).cte(statement.name("placed"))
    known = [
        total
        for node in nodes
        for total in _totals(node, _sum(g[f"known_{node}"]), g[f"sum_{node}"], g[f"min_{node}"], g[f"max_{node}"])
    ]
    everyone = select(func.coalesce(_sum(g.members), constant(0)).label("members"), *known).cte(
        statement.name("everyone")
    )
    size = statement.bind("groups_size")
    return sql.template(
        sql.json_object((field.key, telling.field(field, placed, everyone, size)) for field in question.fields)
    )


def _grouped(statement: Statement, question: Groups, shape: Shape, nodes: list[str]) -> Select[Any]:
    asked = {*question.keys, *nodes, *nodes_of(question.where)}
    rows = shape.standing.rows(statement, asked, question.where) if shape.standing else None
    rows = rows or read(statement, shape, asked)
    tests = list(rows.tests)
    if question.where is not None:
        tests.append(passes(statement, shape, rows, question.where))
    # Each value is made once, though several aggregates name it: the offset keeps it from being written out in each.
    values = dict.fromkeys([*question.keys, *nodes])
    # Who is only counted has no value, and SQLite no row without a column.
    labelled = [rows[node].label(f"value_{n}") for n, node in enumerate(values)] or [constant(1).label("one")]
    made = select(*labelled).select_from(rows.source).where(*tests).offset(constant(0)).subquery(statement.name("made"))
    value = dict(zip(values, made.c, strict=False))
    keys = [value[key] for key in question.keys]
    totals = [total for node in nodes for total in _totals(node, func.count(value[node]), *([value[node]] * 3))]
    each = select(*(key.label(f"key_{n}") for n, key in enumerate(keys)), func.count().label("members"), *totals)
    return each.select_from(made).group_by(*keys)


def _totals(node: str, known: Expression, added: Expression, least: Expression, most: Expression) -> list[Any]:
    return [
        func.coalesce(known, constant(0)).label(f"known_{node}"),
        _sum(added).label(f"sum_{node}"),
        func.min(least).label(f"min_{node}"),
        func.max(most).label(f"max_{node}"),
    ]


def _sum(value: Expression) -> Expression:
    return sql.whole(func.sum(value))


def _node(name: str) -> str:
    return name.partition(".")[2]


def _names(fields: Iterable[Told]) -> list[str]:
    return [name for field in fields for name in [field.name, *_names(field.fields)]]


@dataclass
class _Telling:
    """Writes the groups of one question."""

    compiler: Compiler
    shape: Shape
    question: Groups

    def order(self, g: Any) -> list[Any]:
        """As asked, then by the keys."""
        keys = [g[f"key_{n}"] for n in range(len(self.question.keys))]
        clauses = [
            (aim.desc() if order.falls else aim.asc()).nulls_last()
            for order in self.question.order
            for aim in (keys if order.node == "keys" else [self.total(g, order.node)])
        ]
        return clauses + [key.asc().nulls_last() for key in keys]

    def field(self, field: Told, placed: CTE, everyone: CTE, size: Expression) -> sql.Pattern:
        keyed = bool(self.question.keys)
        match field.name:
            case "rows" if keyed:
                text = sql.template(self.group(field, placed.c, keyed)).label("text")
                ordered = (
                    select(text, placed.c.place)
                    .where(placed.c.place <= size)
                    .order_by(placed.c.place)
                    .subquery(f"rows_{field.key}")
                )
                joined = select(sql.Joined(ordered.c.text, ordered.c.place)).scalar_subquery()
                return ["[", func.coalesce(joined, sql.text("")), "]"]
            case "rows":
                return ["[]"]
            case "all":
                return [
                    select(sql.template(self.group(field, everyone.c, False))).select_from(everyone).scalar_subquery()
                ]
            case "complete" if keyed:
                count = select(func.count()).select_from(placed).scalar_subquery()
                return [sql.either_or(count <= size, sql.text("true"), sql.text("false"))]
            case "complete":
                return ["true"]
            case _:
                return [f'"{field.name}"']

    def group(self, field: Told, columns: Any, keyed: bool) -> sql.Pattern:
        return sql.json_object((leaf.key, self.leaf(leaf, columns, keyed)) for leaf in field.fields)

    def leaf(self, leaf: Told, columns: Any, keyed: bool) -> sql.Pattern:
        """`count`, `currency`, `object` (with fields), `key:<node>`, `<aggregate>.<node>`, or a name that is its own
        text."""
        if leaf.name == "count":
            return [sql.whole_text(columns.members)]
        if leaf.name == "currency":
            return ['"', self.compiler.statement.bind("currency", Text()), '"']
        if leaf.name == "object":
            return self.group(leaf, columns, keyed)
        if leaf.name.startswith("key:"):
            node = leaf.name.removeprefix("key:")
            if not keyed or node not in self.question.keys:
                return ["null"]
            return kind_of(self.shape, node)[0].json(columns[f"key_{self.question.keys.index(node)}"], True)
        if "." in leaf.name:
            value = self.total(columns, leaf.name)
            if leaf.name.startswith("sum."):
                value = func.coalesce(value, constant(0))
            return self.compiler.printed(self.kind(leaf.name), Reading(columns, [], {}, {}), value, True)
        return [f'"{leaf.name}"']

    def kind(self, name: str) -> Kind:
        """Whole numbers are printed as floating ones, with decimals where they are averaged; the rest keeps its own."""
        kind = kind_of(self.shape, _node(name))[0]
        if isinstance(kind, Minor | Fixed | Exact):
            return kind
        return Fixed(decimals=AVERAGE_DECIMALS)

    def total(self, columns: Any, name: str) -> Expression:
        aggregate, _, node = name.partition(".")
        if name == "count":
            members: Expression = columns.members
            return members
        decimals = 1 if isinstance(kind_of(self.shape, node)[0], Minor | Fixed | Exact) else 10**AVERAGE_DECIMALS
        if aggregate in ("min", "max"):
            end: Expression = columns[f"{aggregate}_{node}"] * constant(decimals)
            return end
        total: Expression = columns[f"sum_{node}"]
        if aggregate == "sum":
            return total
        known = func.nullif(columns[f"known_{node}"], constant(0), type_=BigInteger())
        mean = (func.abs(total) * constant(2 * decimals) + known) // (known * constant(2))
        return case((total < constant(0), -mean), else_=mean)
