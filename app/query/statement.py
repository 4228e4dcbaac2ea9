"""Questions to statements: the text that a database is sent, and the parameters it takes.

A statement is made once per question and dialect and kept, up to a bound; asking again costs no compiling.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, case, column, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import BigInteger, TypeEngine

from app.platform.database import Binder, Key, binder
from app.platform.sending import JsonList, spelling
from app.platform.tenancy import check, tables_of
from app.query import sql
from app.query.aggregate import groups
from app.query.compile import Compiler, Needs
from app.query.cut import brought
from app.query.fact import constant
from app.query.flow import Statement, in_force, read, typed
from app.query.question import Compare, Connection, Groups, Listing, Lookup, Nodes, Question, Scenario
from app.query.shape import Shape
from app.query.where import nodes_of, passes

Expression = ColumnElement[Any]

# "a.name AS name" says nothing that "a.name" does not; a large statement is a third shorter without.
_SAME_NAME = re.compile(r"(\b\w+\.(\w+)) AS \2\b")
# All of a policy's thresholds stand in it, few of which are asked for: their names are two thousand characters.
_WHOLE_POLICY = re.compile(r"SELECT published\.\w+(, published\.\w+)+ \nFROM")
_DOUBTING = "doubting "
_PLACE = re.compile(r"\$(\d+)")


@dataclass(eq=False)
class Prepared:
    """A statement as it is sent, and how each parameter's value is handed to the driver, in the order of $1, $2, ...

    `took`: milliseconds of late, from which its runner judges where to run it; None before the first run. `trusting`:
    its answer may bear a MARK, and then the question is to be asked without trust. `awaiting`: it may name rows that
    are BEHIND, and is then to be asked again once what is due of them is written. `tables`: those it reads, by name.
    """

    text: str
    binders: Mapping[str, Binder]
    took: float | None = None
    trusting: bool = False
    awaiting: bool = False
    tables: Set[str] = frozenset()

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Raises KeyError when a parameter is not given: a bug of the one who asked."""
        named = {}
        for name, bind in self.binders.items():
            named[name] = bind(values[name])
        return named

    def placed(self, values: Mapping[str, Any]) -> list[Any]:
        """The same by place. Raises KeyError likewise."""
        return [bind(values[name]) for name, bind in self.binders.items()]

    def readable(self) -> str:
        """The statement with its parameters by name, whatever the database calls them."""
        names = list(self.binders)
        return _PLACE.sub(lambda found: f":{names[int(found[1]) - 1]}", self.text)

    def ran(self, milliseconds: float) -> None:
        self.took = milliseconds if self.took is None else self.took * 0.8 + milliseconds * 0.2


@dataclass
class World:
    """All that can be asked about: the shapes by name, and how the policy in force is found."""

    shapes: Mapping[str, Shape]
    policies: Any
    kept: int = 512

    def __post_init__(self) -> None:
        self._prepared: OrderedDict[tuple[str, Question], Prepared] = OrderedDict()
        self._lock = Lock()
        in_postgresql: Any = postgresql.asyncpg.dialect
        self._dialects = {
            "sqlite": spelling(sqlite.dialect(paramstyle="named")),
            "postgresql": spelling(in_postgresql(paramstyle="numeric_dollar")),
        }
        self.hits = self.misses = 0

    def known(self, question: Question, dialect: str) -> Prepared | None:
        """The statement of a question that was asked before."""
        # The very question that was asked before carries its statement with it.
        found: Prepared | None = question.__dict__.get(dialect)
        if found is not None:
            self.hits += 1
            return found
        key = (dialect, question)
        found = self._prepared.get(key)
        if found is not None:
            self.hits += 1
            question.__dict__[dialect] = found
            # Another thread may just have let it go.
            with self._lock, suppress(KeyError):
                self._prepared.move_to_end(key)
        return found

    def prepared(self, question: Question, dialect: str, *, trusting: bool = True) -> Prepared:
        """The statement of a question, from the cache or made now, which takes some tens of milliseconds."""
        found = self.known(question, dialect) if trusting else self._prepared.get((_DOUBTING + dialect, question))
        if found:
            return found
        key = (dialect if trusting else _DOUBTING + dialect, question)
        made = self.compile(question, dialect, trusting=trusting)
        with self._lock:
            self.misses += 1
            self._prepared[key] = made
            if len(self._prepared) > self.kept:
                self._prepared.popitem(last=False)
        return made

    def compile(self, question: Question, dialect: str, *, trusting: bool = True) -> Prepared:
        """Make the statement; it is refused here if a table's organisation is not named."""
        statement = Statement(dialect, question.clock, trusting=trusting)
        statement.policy = self._policy(statement, isinstance(question, Scenario) and question.proposed)
        answer = select(self._answer(statement, question))
        check(answer)
        spelled: Dialect = self._dialects[dialect]
        compiled = answer.compile(dialect=spelled, compile_kwargs={"render_postcompile": True})
        used = compiled.positiontup or [name for name in statement.parameters if name in compiled.params]
        text = _WHOLE_POLICY.sub("SELECT published.* \nFROM", _SAME_NAME.sub(r"\1", str(compiled)))
        binders = {name: binder(statement.parameters[name], spelled) for name in used}
        shared = statement.shared
        tables = tables_of(answer)
        return Prepared(text, binders, trusting="trusted" in shared, awaiting="behind" in shared, tables=tables)

    def _policy(self, statement: Statement, proposed: bool) -> CTE:
        """One row: the version in force at the clock, the first one before that, or a proposed one."""
        columns = self.policies.c
        if proposed:
            whole = [threshold for threshold in columns if isinstance(threshold.type, BigInteger)]
            return select(*(statement.bind(f"policy_{each.name}").label(each.name) for each in whole)).cte("policy")
        return in_force(statement, self.policies)

    def _answer(self, statement: Statement, question: Question) -> Expression:
        compiler = Compiler(statement)
        match question:
            case Connection(many=many):
                child = compiler.page(many, self.shapes[many.shape], None)
                source: Any = None
                for each in child.sources:
                    source = each if source is None else source.join(each, true())
                return _from(select(sql.template(child.pattern)), source)
            case Lookup():
                return self._lookup(compiler, question)
            case Listing():
                return self._listing(compiler, question)
            case Nodes():
                return self._nodes(compiler, question)
            case Groups():
                return groups(statement, question, self.shapes[question.shape])
            case Scenario():
                return self._scenario(compiler, question)
            case _:
                own: Expression = question.answer(compiler)
                return own

    def _lookup(self, compiler: Compiler, question: Lookup) -> Expression:
        statement, shape = compiler.statement, self.shapes[question.shape]
        brings = brought(statement, shape, compiler.stored(shape, [question.fields], None))
        rows = read(statement, shape, nodes_of(question.where) | brings)
        tests = [*rows.tests, passes(statement, shape, rows, question.where)]
        columns = [rows[node].label(node) for node in sorted(brings | {"id"})]
        found = select(*columns).select_from(rows.source).where(*tests)
        if isinstance(question.where, Compare) and (question.where.node, question.where.op) == ("id", "eq"):
            only = found.cte(statement.name("cut"))
            statement.keys[only] = statement.bind(question.where.parameter, Key())
        else:
            # Several are as good as none: nobody is to be taken for somebody else.
            two = found.limit(constant(2)).cte(statement.name("found"))
            count = select(func.count()).select_from(two).scalar_subquery()
            only = select(two).where(count == constant(1)).cte(statement.name("cut"))
        row = compiler.level(shape, only, [question.fields], {}, None, brings=brings)
        return select(row.c.json_0).scalar_subquery()

    def _listing(self, compiler: Compiler, question: Listing) -> Expression:
        statement, shape = compiler.statement, self.shapes[question.shape]
        order = [key.node for key in question.order]
        rows = read(statement, shape, nodes_of(question.where))
        tests = list(rows.tests) + ([passes(statement, shape, rows, question.where)] if question.where else [])
        cut = select(rows["id"].label("id")).select_from(rows.source).where(*tests).cte(statement.name("cut"))
        made = compiler.level(shape, cut, [question.fields], {}, None, keep=order)
        clauses = [
            made.c[f"kept_{key.node}"].desc() if key.falls else made.c[f"kept_{key.node}"].asc()
            for key in question.order
        ]
        place = func.row_number().over(order_by=clauses).label("place")
        ordered = select(made.c.json_0, place).order_by("place").subquery(statement.name("ordered"))
        joined = select(sql.Joined(ordered.c.json_0, ordered.c.place)).scalar_subquery()
        return sql.template(["[", func.coalesce(joined, sql.text("")), "]"])

    def _nodes(self, compiler: Compiler, question: Nodes) -> Expression:
        """One JSON list: every asked place in order, with the row of whichever shape has that key there."""
        statement = compiler.statement
        places = _each(statement, "places", BigInteger()).cte("places")
        source: Any = places
        whens: list[tuple[Any, Any]] = []
        for name, items in question.shapes:
            shape = self.shapes[name]
            keys = _each(statement, f"nodes_{name}", Key()).cte(statement.name("asked"))
            ids = (
                select(keys.c.value.label("id")).where(keys.c.value.is_not(None)).distinct().cte(statement.name("cut"))
            )
            rows = compiler.level(shape, ids, [items], {}, None, keep=["id"], even_hidden=question.even_hidden)
            source = source.outerjoin(keys, keys.c.place == places.c.place).outerjoin(
                rows, rows.c.kept_id == keys.c.value
            )
            whens.append((rows.c.json_0.is_not(None), rows.c.json_0))
        text: Any = case(*whens, else_=sql.text("null")) if whens else sql.text("null")
        ordered = (
            select(text.label("text"), places.c.place).select_from(source).order_by(places.c.place).subquery("ordered")
        )
        joined = select(sql.Joined(ordered.c.text, ordered.c.place)).scalar_subquery()
        return sql.template(["[", func.coalesce(joined, sql.text("")), "]"])

    def _scenario(self, compiler: Compiler, question: Scenario) -> Expression:
        statement, shape = compiler.statement, self.shapes[question.shape]
        needs = Needs(shape)
        needs.of(question.fields)
        values = {
            key: _typed_in(statement, shape, key) for key in [*shape.typed, *(shape.facts.facts if shape.facts else ())]
        }
        row = typed(statement, shape, needs.nodes, values, needs.explainer.what_ifs)
        text = sql.template(compiler.object(shape, question.fields, row, needs.explainer, {}))
        return select(text).select_from(row.source.join(statement.policy, true())).scalar_subquery()


def _from(made: Select[Any], source: Any) -> Expression:
    return (made.select_from(source) if source is not None else made).scalar_subquery()


def _typed_in(statement: Statement, shape: Shape, key: str) -> Expression:
    column = shape.facts.table.c[key] if shape.is_fact(key) and shape.facts else shape.table.c[key]
    return statement.bind(f"fact_{key}", column.type)


def _each(statement: Statement, name: str, type_: TypeEngine[Any]) -> Select[Any]:
    """The items of a list parameter, with their places from 1."""
    if statement.dialect == "postgresql":
        listed = func.unnest(statement.bind(name, postgresql.ARRAY(type_)))
        items: Any = listed.table_valued(
            column("value", type_), with_ordinality="place", name=f"each_{name}"
        ).render_derived()
        return select(items.c.value, items.c.place)
    each: Any = func.json_each(statement.bind(name, JsonList(type_))).table_valued("key", "value", name=f"each_{name}")
    return select(each.c.value.label("value"), (each.c.key + constant(1)).label("place"))
