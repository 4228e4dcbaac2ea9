"""A question becomes one statement that returns its answer as JSON text.

Every level of the selection is a common table expression at the root, never a nested subquery: SQLite before 3.46
gives up at the third level of nesting. (PostgreSQL's lists of no more than columns are nested: connection.py.) A level
is cut narrow first (ids, sort keys and what tests need), and what is shown is joined to those rows afterwards.

    cut      the rows of the page, one more than asked, by id          (page.py, where.py)
    wide     those rows with all that is shown of them                 (flow.py)
    rows     each row's JSON, its children's joined to it by parent    (here)
    joined   the texts of a parent's rows with commas between          (here)
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    Case,
    ColumnClause,
    ColumnElement,
    FromClause,
    Lateral,
    ScalarSelect,
    Text,
    func,
    select,
    true,
)
from sqlalchemy.sql.visitors import iterate

from app.query import sql
from app.query.connection import Child, connection
from app.query.cut import search
from app.query.explain import Explainer
from app.query.flow import Reading, Statement, column_of, fenced, read
from app.query.graph import Graph, Joined
from app.query.kind import Id, Kind, Minor
from app.query.page import cursor
from app.query.question import Either, Explained, Field, Items, Listed, Many, One, Page, Part, Rows, Said
from app.query.shape import Shape
from app.query.where import passes

Expression = ColumnElement[Any]
Pattern = sql.Pattern
# The JSON texts of the rows of a page: json_0, ...
Texts = Callable[[FromClause], dict[str, Expression]]


class Compiler:
    """Compiles the levels of one statement."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement

    # -------------------------------------------------------------- levels

    def page(self, many: Many, shape: Shape, parents: FromClause | None) -> Child:
        """A connection: the rows of the page, per parent if there are any."""
        return connection(self, many, shape, parents)

    def rows(self, shape: Shape, rows: Rows, parents: FromClause) -> Child:
        """All rows of a parent, as a plain list."""
        relation, statement = rows.relation, self.statement
        order = [(name.lstrip("-"), name.startswith("-")) for name in relation.order]
        read_rows = self.level(
            shape,
            parents,
            [rows.fields],
            {"parent": "id"},
            None,
            joined_on=("id", relation.child),
            only=_only(rows),
            keep=[name for name, _ in order],
        )
        falls = dict(order)
        o = (
            select(
                read_rows.c.parent,
                read_rows.c.json_0,
                func.row_number()
                .over(
                    partition_by=read_rows.c.parent,
                    order_by=[
                        read_rows.c[f"kept_{name}"].desc() if falls[name] else read_rows.c[f"kept_{name}"].asc()
                        for name, _ in order
                    ],
                )
                .label("place"),
            )
            .order_by(read_rows.c.parent, "place")
            .subquery(statement.name("ordered"))
        )
        lists = select(o.c.parent, sql.Joined(o.c.json_0, o.c.place).label("list")).group_by(o.c.parent)
        joined = fenced(lists, statement.name("joined"))
        return Child([joined], relation.parent, ["[", func.coalesce(joined.c.list, sql.text("")), "]"])

    def one(self, shape: Shape, one: One, parents: FromClause) -> Child:
        """The row that a parent points to."""
        pointing = column_of(parents, one.relation.parent)
        ids = select(pointing.label("id")).where(pointing.is_not(None)).distinct().cte(self.statement.name("cut"))
        rows = self.level(shape, ids, [one.fields], {}, None, only=one.relation.only, keep=["id"])
        joined = fenced(select(rows.c.kept_id.label("parent"), rows.c.json_0), self.statement.name("joined"))
        return Child([joined], one.relation.parent, [func.coalesce(joined.c.json_0, sql.text("null"))])

    def stored(self, shape: Shape, selections: Sequence[Items], page: Page | None) -> set[str]:
        """All columns and facts on which the selections rest."""
        needs = Needs(shape)
        for items in selections:
            needs.of(items)
        order = {key.node for key in page.order} if page else set()
        shape, nodes, _ = self._trusted(shape, needs.nodes | order, needs)
        graph = Graph(shape, needs.explainer.what_ifs)
        return {node for node in graph.closure(nodes) if graph.height(node) == 0}

    def _trusted(self, shape: Shape, nodes: set[str], needs: "Needs") -> tuple[Shape, set[str], list[str]]:
        """The shape to read them from, and the guards of what is kept there."""
        if not self.statement.trusting or shape.kept is None or needs.explainer.told or self.statement.clock.past:
            return shape, nodes, []
        found = Graph(shape).closure(nodes)
        guards = sorted({guard for node, guard in shape.kept.guards.items() if node in found})
        if guards:
            self.statement.shared["trusted"] = True
        return (shape.kept.shape, nodes | set(guards), guards) if guards else (shape, nodes, [])

    def flat(self, shape: Shape, selections: Sequence[Items], columns: frozenset[str]) -> Texts | None:
        """How the texts are made where the selections are of these columns of the rows alone: nothing explained, no
        other rows, and nothing judged but what is a column by another name, or a comparison of some."""
        needs = Needs(shape)
        for items in selections:
            needs.of(items)
        if needs.children or needs.explainer.told or needs.written:
            return None
        source, nodes, guards = self._trusted(shape, needs.nodes, needs)
        graph, p = Graph(source), Joined(self.statement.policy, self.statement.today, self.statement.now)
        judged = sorted(graph.closure(nodes) - columns)
        if any(graph.height(node) != 1 or not graph.needs(node) <= columns for node in judged):
            return None
        parts = [part for node in judged for part in iterate(graph.expression(node, ColumnClause, p))]
        if p.touched or any(isinstance(part, Case | ScalarSelect) for part in parts):
            return None

        def texts(page: FromClause) -> dict[str, Expression]:
            stored: dict[str, Expression] = {node: page.c[node] for node in columns}
            made = {node: graph.expression(node, stored.__getitem__, p) for node in judged}
            row = Reading(page, [], stored | made, {})
            marks = _marks(row, guards)
            return {
                f"json_{n}": sql.template([*self.object(shape, items, row, Explainer(shape), {}), *marks])
                for n, items in enumerate(selections)
            }

        return texts

    # -------------------------------------------------------------- rows

    def level(
        self,
        shape: Shape,
        cut: FromClause,
        selections: Sequence[Items],
        passing: Mapping[str, str],
        page: Page | None,
        *,
        joined_on: tuple[str, str] = ("id", "id"),
        only: Any = None,
        keep: Sequence[str] = (),
        even_hidden: bool = False,
        brings: Collection[str] = (),
        cursors: bool = True,
    ) -> CTE:
        """The rows of a cut with one JSON text per selection (json_0, ...), and nodes to keep (kept_...). If a page is
        given, each with its cursor, or only with the nodes that one is made of."""
        needs = Needs(shape)
        for items in selections:
            needs.of(items)
        order = [key.node for key in page.order] if page else []
        searching = page is not None and page.search is not None
        source_shape, nodes, guards = self._trusted(shape, needs.nodes | {*order, *keep}, needs)
        reading = read(
            self.statement,
            source_shape,
            nodes,
            cut=cut,
            joined_on=joined_on,
            passing=passing,
            only=only,
            what_ifs=needs.explainer.what_ifs,
            even_hidden=even_hidden,
            extra=search(self.statement, shape, page) if searching and page else None,
            brings=brings,
        )
        wide = self._wide(shape, reading)
        if cut in self.statement.keys:
            self.statement.keys[wide.source] = self.statement.keys[cut]
        children = {id(item): self._child(item, wide.source) for item in needs.children}
        source: FromClause = wide.source
        if needs.explainer.told:
            source = source.join(self.statement.policy, true())
        for child in children.values():
            for made in child.sources:
                on = made.c.parent == wide[child.on] if "parent" in made.c else true()
                # An aggregate of one parent is one row always; and Citus refuses outer joins that read tables.
                source = source.join(made, on, isouter=not isinstance(made, Lateral))
        marks = _marks(wide, guards)
        marks += [self._behind(wide, flag) for flag in sorted(needs.written)]
        texts = [
            sql.template([*self.object(shape, items, wide, needs.explainer, children), *marks]).label(f"json_{n}")
            for n, items in enumerate(selections)
        ]
        if page is not None and cursors:
            texts.append(
                cursor(self.statement, shape, page, [wide[node] for node in order], wide["id"]).label("cursor")
            )
        kept = dict.fromkeys([*keep, *order, "id"] if page is not None and not cursors else keep)
        texts += [wide[name].label(f"kept_{name}") for name in kept]
        passed = [wide.passed[name].label(name) for name in passing]
        if wide.fence is not None:
            again = sql.written_again([*passed, *texts], wide.source)
            wide.fence.up = again is None or not again.isdisjoint(wide.dear)
        return select(*passed, *texts).select_from(source).cte(self.statement.name(f"{shape.name}_rows"))

    def _wide(self, shape: Shape, reading: Reading) -> Reading:
        """What is shown, fenced off: the text of a row names a value more than once, and it is to be made once."""
        if isinstance(reading.source, CTE):
            return reading
        columns = [expression.label(name) for name, expression in reading.passed.items()]
        columns += [expression.label(node) for node, expression in sorted(reading.nodes.items())]
        rows = select(*columns).select_from(reading.source).where(*reading.tests)
        made = fenced(rows, self.statement.name(f"{shape.name}_wide"))
        return Reading(
            made, [], {node: made.c[node] for node in reading.nodes}, {name: made.c[name] for name in reading.passed}
        )

    def _behind(self, row: Reading, flag: str) -> Expression:
        """Names the row where what hangs on it is not all written yet. Raises TypeError at a clock below another."""
        if self.statement.own_clock:
            raise TypeError("What is due is written by the clock of a whole question.")
        self.statement.shared["behind"] = True
        return sql.either_or(row[flag], sql.text(""), sql.template([sql.BEHIND, sql.KeyHex(row["id"])]))

    def _child(self, item: Any, parents: FromClause) -> Child:
        shape: Shape = item.relation.target
        if isinstance(item, Many):
            return self.page(item, shape, parents)
        compiler = Compiler(self.statement.at(item.clock)) if item.clock is not None else self
        if isinstance(item, One):
            return compiler.one(shape, item, parents)
        return compiler.rows(shape, item, parents)

    def object(
        self, shape: Shape, items: Items, row: Reading, explainer: Explainer, children: dict[int, Child]
    ) -> Pattern:
        """The JSON object of a row, as the pattern of a template."""
        return sql.json_object((item.key, self._value(shape, item, row, explainer, children)) for item in items)

    def _value(
        self, shape: Shape, item: Any, row: Reading, explainer: Explainer, children: dict[int, Child]
    ) -> Pattern:
        match item:
            case Field():
                return self.printed(item.kind, row, row[item.node], item.nullable)
            case Said():
                return [self.statement.bind(item.json, Text()) if item.parameter else item.json]
            case Listed():
                each = [self.printed(field.kind, row, row[field.node], field.nullable) for field in item.fields]
                return ["[", *_separated(each), "]"]
            case Part():
                inner = self.object(shape, item.fields, row, explainer, children)
                if item.unless is None:
                    return inner
                return [sql.either_or(row[item.unless].is_(None), sql.text("null"), sql.template(inner))]
            case Explained():
                return explainer.json(self, item, row)
            case Either(ones=ones):
                text = sql.text("null")
                for one in reversed(ones):
                    found = sql.template(children[id(one)].pattern)
                    text = sql.either_or(row[one.relation.parent].is_not(None), found, text)
                return [text]
            case _:
                return children[id(item)].pattern

    def printed(self, kind: Kind, row: Reading, value: Expression, nullable: bool) -> Pattern:
        """A value as JSON; ids with their prefix and instant, money with its currency's decimals."""
        if isinstance(kind, Id):
            named = (
                [self.statement.bind("instant_suffix", Text())] if self.statement.clock.named and not kind.live else []
            )
            pattern: Pattern = [f'"{kind.prefix}_', sql.KeyHex(value), *named, '"']
            return [sql.either_or(value.is_(None), sql.text("null"), sql.template(pattern))] if nullable else pattern
        if isinstance(kind, Minor):
            text = self.said(kind, row, value)
            return [sql.Quoted(text)] if nullable else ['"', text, '"']
        return kind.json(value, nullable)

    def said(self, kind: Kind, row: Reading, value: Expression) -> Expression:
        """A value as it reads in a sentence."""
        if isinstance(kind, Minor):
            exponent = row[kind.exponent] if kind.exponent else self.statement.bind("exponent")
            unit = row[kind.unit] if kind.unit else self.statement.bind("unit")
            return sql.FixedText(value, exponent, unit)
        return kind.text(value)


class Needs:
    """What the items of a level ask of its rows."""

    def __init__(self, shape: Shape) -> None:
        self.nodes: set[str] = set()
        self.children: list[Any] = []
        self.written: set[str] = set()
        self.explainer = Explainer(shape)

    def of(self, items: Iterable[Any]) -> None:
        for item in items:
            match item:
                case Field():
                    self.nodes.add(item.node)
                    if isinstance(item.kind, Minor) and item.kind.exponent:
                        self.nodes |= {item.kind.exponent, item.kind.unit or "unit"}
                case Listed():
                    self.of(item.fields)
                case Either():
                    self.of(item.ones)
                case Part():
                    self.nodes |= {item.unless} if item.unless else set()
                    self.of(item.fields)
                case Explained():
                    self.nodes |= self.explainer.needs(item)
                case One() | Rows() | Many():
                    relation = item.relation
                    # Only a connection of the root has none, and that is not below a row.
                    assert relation is not None
                    self.nodes.add(relation.parent)
                    self.children.append(item)
                    if relation.written:
                        self.written.add(relation.written)
                        self.nodes |= {relation.written, "id"}


def _marks(row: Reading, guards: Sequence[str]) -> list[Expression]:
    """Behind a row's text, where something that is kept of it does not stand."""
    return [sql.either_or(row[guard], sql.text(""), sql.text(sql.MARK)) for guard in guards]


def _only(rows: Rows) -> Callable[[Any, Statement], list[ColumnElement[bool]]]:
    """The conditions on a plain list's rows: the relation's, and those that were asked for."""
    relation, where = rows.relation, rows.where

    def only(row: Any, statement: Statement) -> list[ColumnElement[bool]]:
        tests = list(relation.only(row, statement)) if relation.only else []
        return tests + ([passes(statement, relation.target, row, where)] if where is not None else [])

    return only


def _separated(each: Iterable[Pattern]) -> Pattern:
    return [part for place, pattern in enumerate(each) for part in ([","] if place else []) + pattern]
