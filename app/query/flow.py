"""Rows of a shape with whatever is asked of them: columns, facts from their source, and measures in layers above.

A layer is a common table expression that adds to the one below it the measures that need nothing higher. Each
expression is so written once, however often it is used. A what-if is a few more columns of the same rows:
`stage~an_order` is the stage measured over the facts as an order would leave them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    Case,
    ColumnClause,
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Table,
    TextClause,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import BigInteger, TypeEngine

from app.platform.database import Instant, Key
from app.query.fact import Horizon, constant
from app.query.graph import Graph, Joined, Thresholds, WhatIf
from app.query.measure import Expression, Measure, Noted
from app.query.question import Clock
from app.query.shape import Shape

# SQLite's own number of a row, by which it is found quicker than by any key.
ROW = "rowid"


@dataclass
class Statement:
    """One statement in the making: its parameters, the policy and the clock. `shared`: what several parts read.
    `own_clock`: before the names of the clock's parameters, in a part that is read at another clock. `trusting`: what
    is kept of rows is shown, and those of which it does not stand are marked. `keys`: of a source that is no more than
    the row of a key, that key."""

    dialect: str
    clock: Clock
    policy: FromClause = field(init=False)
    parameters: dict[str, TypeEngine[Any]] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    trusting: bool = False
    own_clock: str = ""
    keys: dict[FromClause, Expression] = field(default_factory=dict)

    def at(self, own_clock: str) -> "Statement":
        """A part of the same statement, read at an earlier clock of its own."""
        part = replace(self, clock=Clock(True, self.clock.named), own_clock=f"{own_clock}_")
        part.policy = self.policy
        return part

    def bind(self, name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
        type_ = type_ or BigInteger()
        self.parameters[name] = type_
        return bindparam(name, type_=type_)

    @property
    def org(self) -> BindParameter[Any]:
        return self.bind("org", Key())

    @property
    def now(self) -> BindParameter[Any]:
        return self.bind(f"{self.own_clock}now", Instant())

    @property
    def today(self) -> BindParameter[Any]:
        return self.bind(f"{self.own_clock}today")

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.policy, self.today, self.now)

    def name(self, stem: str) -> str:
        """A name for a common table expression or an alias that no other has."""
        self.names[stem] = self.names.get(stem, 0) + 1
        return stem if self.names[stem] == 1 else f"{stem}_{self.names[stem]}"


def in_force(statement: Statement, policies: Table) -> CTE:
    """One row: the version of the policy in force at the clock, or the first one before that."""
    p: Any = policies.alias("published")
    in_force = p.c.published_at <= statement.now
    return (
        select(p)
        .where(p.c.org_id == statement.org)
        .order_by(case((in_force, p.c.version), else_=-p.c.version).desc())
        .limit(constant(1))
        .cte("policy")
    )


class Fence(TextClause):
    """Before the rows of a common table expression: makes them once, while it is `up`."""

    inherit_cache = False

    def __init__(self) -> None:
        super().__init__("")
        self.up = True


@compiles(Fence)
def _fence(fence: Fence, *_: Any, **__: Any) -> str:
    return "MATERIALIZED" if fence.up else ""


@dataclass
class Reading:
    """Where rows come from and what each node is there. `fence`: stands before them for as long as one of `dear` may be
    named more than once, the columns that are not to be made twice."""

    source: FromClause
    tests: list[ColumnElement[bool]]
    nodes: Mapping[str, Expression]
    passed: Mapping[str, Expression]
    fence: Fence | None = None
    dear: Collection[str] = ()

    def __getitem__(self, node: str) -> Expression:
        return self.nodes[node]


def column_name(node: str) -> str:
    """A node as the name of a column: stage~an_order -> stage__an_order."""
    return node.replace("~", "__").replace(":", "_").replace(".", "_")


def column_of(source: FromClause, name: str) -> Expression:
    """A column of a source that passes on all it was given, and so does not list it."""
    return ColumnClause(name, _selectable=source)


def read(
    statement: Statement,
    shape: Shape,
    nodes: Iterable[str],
    *,
    cut: FromClause | None = None,
    joined_on: tuple[str, str] = ("id", "id"),
    passing: Mapping[str, str] | None = None,
    only: Callable[[Any, Statement], list[ColumnElement[bool]]] | None = None,
    extra: Callable[[Any], tuple[FromClause, ColumnElement[bool], dict[str, Expression]]] | None = None,
    what_ifs: Iterable[WhatIf] = (),
    even_hidden: bool = False,
    carried: bool = False,
    brings: Collection[str] = (),
) -> Reading:
    """Rows of a shape with these nodes. With a cut only those it lists: `joined_on` names its column and the row's,
    `passing` what of it to keep under which name.

    `extra` joins one more source to the rows, and names what it gives. `carried`: the cut brings the facts with it, and
    may be of many rows. `brings`: the columns that the cut brings; where they are all that is asked of the row, it is
    not read a second time.
    """
    graph = Graph(shape, what_ifs)
    wanted = set(nodes) | {"id"} if "id" in shape.table.c else set(nodes)
    closure = graph.closure(wanted)
    stored = {node for node in closure if graph.height(node) == 0}
    facts = {node for node in stored if shape.is_fact(node)}
    if cut is not None and extra is None and brings and stored - facts <= set(brings):
        passed = {name: column_of(cut, column) for name, column in (passing or {}).items()}
        found = {node: column_of(cut, column_name(node)) for node in stored - facts}
        source = cut
        if facts:
            source, of_facts = _with_facts(statement, shape, found["id"], source, facts, cut, joined_on[0])
            found |= of_facts
        base = Reading(source, [], found, passed)
        return in_layers(statement, graph, closure - stored, base, wanted, True) if closure - stored else base
    given: set[str] = set()
    t = _rows_of(statement, shape, cut, joined_on[0])
    org = statement.org
    source = t
    passed = {}
    if cut is not None:
        there = literal_column(f"{t.name}.rowid") if joined_on[1] == ROW else t.c[joined_on[1]]
        mine = and_(t.c.org_id == org, there == column_of(cut, joined_on[0]))
        if carried and statement.dialect == "postgresql":
            # One by one: it would rather read everybody's row than look up those of some thousand.
            row = select(*(t.c[node] for node in sorted(closure) if node in t.c)).where(mine).limit(constant(1))
            t, mine = row.correlate(cut).lateral(statement.name(f"its_{shape.name}")), true()
        source = cut.join(t, mine)
        passed = {name: column_of(cut, column) for name, column in (passing or {}).items()}
    tests: list[ColumnElement[bool]] = [
        *([] if even_hidden else shape.hidden(t.c)),
        *(only(t.c, statement) if only else []),
    ]
    if cut is None:
        tests.insert(0, t.c.org_id == org)
    if statement.clock.past and shape.at:
        tests.append(t.c[shape.at] <= statement.now)
    found = {}
    if extra:
        joined, on, found = extra(t.c)
        source = source.join(joined, on)
        given = set(found)
        closure = graph.closure(wanted - given)
        stored = {node for node in closure if graph.height(node) == 0}
        facts = {node for node in stored if shape.is_fact(node)}
    for node in stored - facts:
        past = shape.past.get(node) if statement.clock.past else None
        borrowed = shape.borrowed.get(node)
        found[node] = past(t.c, statement.now) if past else borrowed(t.c) if borrowed else t.c[node]
    if carried and cut is not None:
        found |= {key: column_of(cut, key) for key in facts}
    elif facts:
        source, of_facts = _with_facts(statement, shape, t.c.id, source, facts, cut, joined_on[0])
        found |= of_facts
    measures = closure - stored
    if not measures:
        return Reading(source, tests, found, passed)
    base = Reading(source, tests, found, passed)
    return in_layers(statement, graph, measures, base, wanted, cut is not None and not carried)


def _rows_of(statement: Statement, shape: Shape, cut: FromClause | None, cut_key: str) -> Any:
    """The table of a shape, or the rows that stand for one."""
    if shape.derived is None:
        return shape.table.alias(statement.name(shape.name))
    keys = select(column_of(cut, cut_key)) if cut is not None else None
    return shape.derived(statement, keys).alias(statement.name(shape.name))


def _with_facts(
    statement: Statement,
    shape: Shape,
    subject: Expression,
    source: FromClause,
    facts: set[str],
    cut: FromClause | None,
    cut_key: str,
) -> tuple[FromClause, dict[str, Expression]]:
    table = shape.facts
    if table is None:
        raise TypeError(f"{shape.name} has no facts.")
    if not statement.clock.past:
        f = table.table.alias(statement.name(f"{shape.name}_facts"))
        joined = source.join(f, and_(f.c.org_id == statement.org, f.c[table.subject] == subject))
        return joined, {key: f.c[key] for key in facts}
    found: dict[str, Expression] = {}
    for stream in table.streams.values():
        keys = {key for key in facts if table.stream_of(key) is stream}
        if keys:
            # Inside the events, before any window: a page of fifty must not aggregate everybody's history.
            among = (lambda subject: subject.in_(select(column_of(cut, cut_key)))) if cut is not None else None
            name = statement.name(stream.name)
            made = select(
                stream.aggregate(Horizon(statement.org, until=statement.now, among=among), keys, f"{name}_made")
            ).cte(name)
            source = source.outerjoin(made, made.c.subject == subject)
            found |= {key: table.facts[key].or_empty(made.c[key]) for key in keys}
    return source, found


def in_layers(
    statement: Statement,
    graph: Graph,
    measures: set[str],
    base: Reading,
    wanted: Collection[str],
    few: bool,
    kept: Mapping[str, str] = MappingProxyType({}),
) -> Reading:
    """Lay the measures over the base, each layer passing on what is below it; of `few` rows what is `wanted` arrives.
    `kept`: for a measure the node that holds it where it was judged before, and is unknown elsewhere."""
    # Below a cut a threshold must stay a constant to the planner, so that it can be the end of an index range.
    p = Joined(statement.policy, statement.today, statement.now) if few else statement.thresholds
    heights = {node: graph.height(node) for node in measures}
    fences, dear = _fences(graph, heights, wanted, p) if few else (set[int](), set[str]())
    last, fence = max(heights.values()), Fence() if few else None
    columns = [expression.label(name) for name, expression in base.passed.items()]
    columns += [expression.label(column_name(node)) for node, expression in sorted(base.nodes.items())]
    rows: Any = select(*columns).select_from(base.source).where(*base.tests)
    read_only = all(isinstance(expression, ColumnClause) for expression in base.nodes.values())
    layer: FromClause = fenced(rows, statement.name("k")) if few and not read_only else rows.cte(statement.name("k"))
    known = set(base.nodes)
    for height in range(1, last + 1):
        below = layer
        made = sorted(node for node, at in heights.items() if at == height)

        def resolve(node: str, below: FromClause = below) -> Expression:
            return _typed_column(graph, below, node)

        p.touched = False
        expressions = [
            (func.coalesce(resolve(kept[node]), value) if node in kept else value).label(column_name(node))
            for node, value in ((node, graph.expression(node, resolve, p)) for node in made)
        ]
        source = below.join(statement.policy, true()) if few and p.touched else below
        above = set(wanted).union(*(graph.needs(node) for node, at in heights.items() if at > height))
        passed: list[Any] = [literal_column(f"{below.name}.*")]  # type: ignore[attr-defined]
        if height in fences and 2 * len(known & above) < len(known):
            # A copy of little of it. Where most goes on, a list of names is but a longer statement.
            known &= above
            passed = [column_of(below, name) for name in [*base.passed, *map(column_name, sorted(known))]]
        rows = select(*passed, *expressions).select_from(source)
        name = statement.name("j")
        layer = fenced(rows, name, fence if height == last else None) if height in fences else rows.cte(name)
        known |= set(made)
    nodes = {node: _typed_column(graph, layer, node) for node in known}
    passed_on = {name: column_of(layer, name) for name in base.passed}
    return Reading(layer, [], nodes, passed_on, fence, set(map(column_name, dear)))


def _fences(
    graph: Graph, heights: Mapping[str, int], wanted: Collection[str], p: Thresholds
) -> tuple[set[int], set[str]]:
    """The layers that are to be made once: the last one, and each with a decision that is named more than once above;
    and what is decided since the last but one. Every fence costs a copy of its rows."""
    named, deciding, names = Counter(wanted), set[str](), dict[str, set[str]]()
    for node in heights:
        parts = list(iterate(graph.expression(node, ColumnClause, p)))
        mentions = [part.name for part in parts if isinstance(part, ColumnClause) and part.table is None]
        named.update(mentions)
        names[node] = set(mentions)
        if any(isinstance(part, Case | ScalarSelect) for part in parts):
            deciding.add(node)
    last = max(heights.values())
    found, open_ = {last}, set[str]()
    for height in range(1, last + 1):
        open_ |= {node for node, at in heights.items() if at == height and (node in deciding or open_ & names[node])}
        if height < last and any(named[node] > 1 for node in open_):
            found.add(height)
            open_ = set()
    return found, open_


def fenced(rows: Select[Any], name: str, fence: Fence | None = None) -> CTE:
    """Rows that are made once: behind this fence, or one that stays. Unfenced, a database may write each expression out
    wherever it is named, and so down through all layers."""
    return rows.cte(name).prefix_with(Fence() if fence is None else fence)


def _typed_column(graph: Graph, source: FromClause, node: str) -> Expression:
    """A node of a layer; its type decides how SQLite is told whether a flag is up."""
    key = node.partition("~")[0]
    made = graph.shape.measures.get(key)
    stored = None if made else graph.shape.table.c.get(key)
    type_: TypeEngine[Any] | None = made.kind.type if made else stored.type if stored is not None else None
    return ColumnClause(column_name(node), type_ if type_ is not None else BigInteger(), _selectable=source)


def typed(
    statement: Statement,
    shape: Shape,
    nodes: Iterable[str],
    values: Mapping[str, Expression],
    what_ifs: Iterable[WhatIf],
) -> Reading:
    """One row of typed-in facts and columns, with the measures over them."""
    graph = Graph(shape, what_ifs)
    wanted = set(nodes)
    closure = graph.closure(wanted)
    measures = {node for node in closure if graph.height(node) > 0}
    base = select(*(values[node].label(column_name(node)) for node in sorted(closure - measures))).cte(
        statement.name("typed")
    )
    found = {node: base.c[column_name(node)] for node in closure - measures}
    if not measures:
        return Reading(base, [], found, {})
    return in_layers(statement, graph, measures, Reading(base, [], found, {}), wanted, True)


def rests_on_clock(shape: Shape, node: str) -> bool:
    """Whether a node moves with the day or the policy, so that pages over it must share one clock."""
    made: Measure | None = shape.measures.get(node)
    if made is None:
        return False
    p = Noted()
    made.value(Noted(), p)
    return bool(p.asked - {"unit"}) or any(rests_on_clock(shape, need) for need in made.needs)
