"""How the two questions that everyone asks stay as quick with a million rows as with a thousand: the best of one
stage, and how many stand in each.

A stage is judged on demand and moves with the day, so no column can hold it. What is kept beside the facts is a
*standing*: which stage (`group`) and score (`key`) were judged, under which version of the policy, on which day, and
until which day neither changes by itself (until.py reads that off their rules). With the policy P in force and today T
a row is

    settled   judged_policy = P AND judged_day <= T AND judged_until >= T: what was judged is what would be judged now
    open      otherwise: it was never judged, its facts have changed since (until is then OPEN), or a day has come

and an organisation that is settled now and then has few open rows. `stage = LOYAL ORDER BY score DESC` becomes

    settled   a range of the index (org, policy, stage, score, id), read from its end: the first 51
    open      ranges of the index (org, policy, until, day); those rows are judged, as anywhere else, and cut to 51
    page      the first 51 of both

and a count by stage the sums over all judged rows, less what the open ones add to these sums, plus what they are
judged to be today. One statement sees one state of the data, so both are exact, at any T. A standing is an index, and
never an answer: the rows of a page are judged again to be shown. Where everyone must be judged for something else (the
next action, say), the stage and score of settled rows are taken from what is kept, and their profiles left alone.

Ranges have both ends: PostgreSQL, which does not know the values yet when it plans, takes one without an end for a
third of the table, and reads it all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Subquery,
    Table,
    func,
    null,
    select,
    union_all,
)

from app.query import sql
from app.query.fact import FAR, OPEN, constant
from app.query.flow import Reading, Statement, column_of, fenced, in_layers, read
from app.query.graph import Graph
from app.query.kind import Whole
from app.query.leg import Leg
from app.query.measure import Measure
from app.query.page import ordering
from app.query.question import All, Compare, Groups, Many, Told, Where
from app.query.shape import Shape
from app.query.until import stands_until
from app.query.where import nodes_of, passes

Expression = ColumnElement[Any]
Test = ColumnElement[bool]
MOST_VERSIONS = 2**31 - 1


@dataclass
class Standing:
    """What is kept of each row of a shape: `group`, one of a few outcomes; `key`, by which pages are ordered; and
    `total`, which is summed by group into `sums`.

    `live`: the test that rows pass which count at all. The columns are `judged_<measure>`, and those of `sums` the
    measures' own names. Raises TypeError when a rule does not say until when it stands.
    """

    shape: Shape
    group: Measure
    key: Measure
    total: Measure
    outcomes: int
    live: Compare
    sums: Table
    until: Measure = field(init=False)

    def __post_init__(self) -> None:
        shape, facts = self.shape, self.shape.facts
        if facts is None:
            raise TypeError(f"{shape.name} has no facts beside which standings could be kept.")
        self.facts = facts
        rests = frozenset().union(*(shape.facts_of(measure.key) for measure in self.measures))
        if missed := {node for node in rests if not shape.is_fact(node)} - set(shape.typed):
            raise TypeError(f"Nothing opens a standing when {', '.join(sorted(missed))} changes.")
        facts.judged_from = frozenset(node for node in rests if shape.is_fact(node))
        self.until = Measure(
            "judged_until", shape, Whole(), lambda c, p: stands_until(self.measures, c, p), catalogued=False
        )
        shape.add(self.until)
        assert self.until.needs  # asked now, so that a rule that cannot be kept is refused where it is declared
        shape.standing = self

    @property
    def measures(self) -> tuple[Measure, Measure, Measure]:
        return self.group, self.key, self.total

    # -------------------------------------------------------------- what can be answered

    def tests(self, statement: Statement, where: Where | None, nodes: set[str]) -> list[Where] | None:
        """The tests besides the one of being live; None when they name more than these nodes."""
        tests = list(_all_of(where))
        if statement.clock.past or self.live not in tests:
            return None
        others = [test for test in tests if test != self.live]
        return others if all(nodes_of(test) <= nodes for test in others) else None

    def page(self, statement: Statement, many: Many) -> Select[Any] | None:
        """The page's rows in order, as id and key_0; None when it asks for something else than what is kept."""
        page = many.page
        tests = self.tests(statement, many.where, {self.group.key, self.key.key})
        if tests is None or many.relation or page.search is not None:
            return None
        if [order.node for order in page.order] != [self.key.key]:
            return None
        legs = [*self._settled(statement, tests), self._rejudged(statement, tests)]
        cuts = [leg.cut(statement, self.shape, page) for leg in legs]
        rows = union_all(*(cut for cut in cuts if cut is not None)).subquery(statement.name("standing"))
        ordered = ordering(self.shape, page, [rows.c.key_0], rows.c.id)
        return select(rows).order_by(*ordered).limit(statement.bind(f"{page.path}_more"))

    def counted(self, statement: Statement, many: Many) -> Select[Any] | None:
        """How many rows pass, as total; None when more is asked of them than what is summed."""
        tests = self.tests(statement, many.where, {self.group.key})
        if tests is None or many.relation or many.page.search is not None:
            return None
        by_key = [order.node for order in many.page.order] == [self.key.key]
        parts = self._parts(statement, tests, with_key=by_key and any(each.name == "nodes" for each in many.fields))
        return select(func.coalesce(sql.whole(func.sum(parts.c.members)), constant(0)).label("total"))

    def grouped(self, statement: Statement, question: Groups) -> Select[Any] | None:
        """The rows of each group, as aggregate.py wants them: key_0, members and the sums."""
        tests = self.tests(statement, question.where, {self.group.key})
        keyed = question.keys == (self.group.key,)
        names = {*_names(question.fields), *(order.node for order in question.order)}
        asked = {name for name in names if "." in name}
        if tests is None or not (keyed or not question.keys):
            return None
        if not asked <= {f"sum.{self.total.key}", f"avg.{self.total.key}"}:
            return None
        parts, node = self._parts(statement, tests, with_key=False), self.total.key
        members = func.coalesce(sql.whole(func.sum(parts.c.members)), constant(0))
        total = sql.whole(func.sum(parts.c.total))
        columns: list[Any] = [members.label("members"), members.label(f"known_{node}"), total.label(f"sum_{node}")]
        columns += [constant(0).label(f"{end}_{node}") for end in ("min", "max")]
        key = parts.c.outcome
        found: Select[Any] = select(*columns)
        if not keyed:
            return found
        return select(key.label("key_0"), *columns).group_by(key).having(func.sum(parts.c.members) != constant(0))

    def rows(self, statement: Statement, nodes: set[str], where: Where | None) -> Reading | None:
        """All live rows with these nodes, of which those that are settled are neither judged nor looked up again; None
        when more is asked than facts tell, and what rests on them."""
        tests = self.tests(statement, where, nodes)
        if tests is None or any(self.live.node in nodes_of(test) for test in tests):
            return None
        graph = Graph(self.shape)
        stored = {node for node in graph.closure(nodes) if graph.height(node) == 0} - {"id"}
        facts = sorted(node for node in stored if self.shape.is_fact(node))
        columns = sorted(stored - set(facts))
        # Where a row is settled its group is known, so what that alone rests on need not be.
        if not facts or (self._closure(graph, nodes) & stored) - set(facts) - {self.live.node}:
            return None
        measures = {node for node in graph.closure(nodes) if graph.height(node) > 0}
        if not measures:
            return None
        kept = {measure.key: f"kept_{measure.key}" for measure in (self.group, self.key) if measure.key in measures}
        f: Any = self.facts.table.alias(statement.name("settled"))
        at_once = select(
            f.c[self.facts.subject].label("id"),
            *(f.c[key] for key in facts),
            *(f.c[f"judged_{key}"].label(name) for key, name in kept.items()),
            *(null().label(column) for column in columns),
        ).where(*self._is_settled(statement, f), f.c[f"judged_{self.group.key}"].is_not(None))
        names = dict.fromkeys([*facts, *kept.values()])
        others = read(
            statement,
            self.shape,
            {*facts, *columns},
            cut=self._open_facts(statement, facts),
            joined_on=(self.facts.subject, "id"),
            carried=True,
        )
        anew = (
            select(
                others["id"],
                *(others[key] for key in facts),
                *(null() for _ in kept),
                *(others[column] for column in columns),
            )
            .select_from(others.source)
            .where(passes(statement, self.shape, others, self.live))
        )
        both = union_all(at_once, anew).subquery(statement.name("everyone"))
        found = {node: column_of(both, node) for node in ["id", *names, *columns]}
        return in_layers(statement, graph, measures, Reading(both, [], found, {}), measures, False, kept)

    def _closure(self, graph: Graph, nodes: set[str]) -> set[str]:
        """The nodes and all they rest on otherwise than through the group."""
        found: set[str] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(() if node == self.group.key else graph.needs(node))
        return found

    # -------------------------------------------------------------- settled rows

    def _settled(self, statement: Statement, tests: list[Where]) -> Iterator[Leg]:
        """The settled rows of each group that is asked for, those with a key and those without: each leg is one range
        of the index, and in its order."""
        one = any(test.node == self.group.key and test.op == "eq" for test in tests if isinstance(test, Compare))
        for outcome in [None] if one else range(self.outcomes):
            for known in (True, False) if self.key.nullable else (True,):
                f: Any = self.facts.table.alias(statement.name("settled"))
                group, key = f.c[f"judged_{self.group.key}"], f.c[f"judged_{self.key.key}"]
                conditions = self._is_settled(statement, f)
                conditions.append(key.is_not(None) if known else key.is_(None))
                asked: list[Test] = []
                if outcome is not None:
                    conditions.append(group == constant(outcome))
                    group = constant(outcome)
                for test in tests:
                    # What is asked of the group alone is then asked of a constant.
                    of_group = outcome is not None and nodes_of(test) <= {self.group.key}
                    passed = self._pass(statement, f, {self.group.key: group, self.key.key: key}, [test])
                    (asked if of_group else conditions).extend(passed)
                yield Leg(f, conditions, key, f.c[self.facts.subject], known, asked)

    def _is_settled(self, statement: Statement, f: Any) -> list[Test]:
        return [
            f.c.org_id == statement.org,
            f.c.judged_policy == _version(statement),
            # Ages, not days: SQLite would rather read all rows of such a range than walk the order of a page.
            statement.today - f.c.judged_day >= constant(0),
            f.c.judged_until - statement.today >= constant(0),
        ]

    def _pass(
        self, statement: Statement, source: FromClause, nodes: dict[str, Expression], tests: list[Where]
    ) -> list[Test]:
        return [passes(statement, self.shape, Reading(source, [], nodes, {}), test) for test in tests]

    # -------------------------------------------------------------- open rows

    def _rejudged(self, statement: Statement, tests: list[Where]) -> Leg:
        o = self._open(statement, with_key=True).alias(statement.name("open"))
        nodes: dict[str, Expression] = {self.group.key: o.c.outcome, self.key.key: o.c.key}
        return Leg(o, [o.c.live, *self._pass(statement, o, nodes, tests)], o.c.key, o.c.id, None)

    def _parts(self, statement: Statement, tests: list[Where], *, with_key: bool) -> Subquery:
        """What the members and the total of a group are summed from; `with_key`: a page reads the open rows too."""
        s: Any = self.sums.alias(statement.name("sums"))
        rows = self._open(statement, with_key)
        was, now = rows.alias(statement.name("was")), rows.alias(statement.name("now"))

        def among(source: FromClause, group: Expression) -> list[Test]:
            return self._pass(statement, source, {self.group.key: group}, tests)

        group, total = s.c[self.group.key], s.c[self.total.key]
        in_all = select(group.label("outcome"), s.c.members.label("members"), total.label("total"))
        less = select(was.c.kept_outcome, constant(-1), -was.c.kept_total)
        plus = select(now.c.outcome, constant(1), now.c.total)
        return union_all(
            in_all.where(s.c.org_id == statement.org, *among(s, group)),
            less.where(was.c.kept_outcome.is_not(None), *among(was, was.c.kept_outcome)),
            plus.where(now.c.live, *among(now, now.c.outcome)),
        ).subquery(statement.name("parts"))

    def _open(self, statement: Statement, with_key: bool) -> CTE:
        """The open rows as they are judged now, live or not, beside what is kept of them; made once a statement."""
        shared = statement.shared
        name = "open_with_key" if with_key or "open_with_key" in shared else "open"
        if name not in shared:
            shared[name] = self._judged_anew(statement, with_key)
        made: CTE = shared[name]
        return made

    def _judged_anew(self, statement: Statement, with_key: bool) -> CTE:
        measures = [self.group, self.total, *([self.key] if with_key else [])]
        facts = sorted(key for m in measures for key in self.shape.facts_of(m.key) if self.shape.is_fact(key))
        names = {"kept_outcome": f"judged_{self.group.key}", "kept_total": f"judged_{self.total.key}"}
        rows = read(
            statement,
            self.shape,
            {self.live.node, *(measure.key for measure in measures)},
            cut=self._open_facts(statement, [*dict.fromkeys(facts), *names.values()]),
            joined_on=(self.facts.subject, "id"),
            passing=names,
            carried=True,
        )
        columns = [rows["id"].label("id"), passes(statement, self.shape, rows, self.live).label("live")]
        columns += [rows[self.group.key].label("outcome"), rows[self.total.key].label("total")]
        columns += [rows[self.key.key].label("key")] if with_key else []
        columns += [rows.passed[name].label(name) for name in names]
        return fenced(select(*columns).select_from(rows.source), statement.name("open_rows"))

    def _open_facts(self, statement: Statement, columns: Iterable[str]) -> CTE:
        legs = [
            select(f.c[self.facts.subject], *(f.c[column] for column in columns))
            .select_from(source)
            .where(f.c.org_id == statement.org, *tests)
            for source, f, tests in self.open_ranges(statement)
        ]
        return union_all(*legs).cte(statement.name("open_facts"))

    def open_ranges(self, statement: Statement) -> Iterator[tuple[FromClause, Any, list[Test]]]:
        """Whatever is not settled, as sources, rows and ranges of the index that share no row: judged under this policy
        until before today, under an older or a newer one, or on a day that this clock has not reached."""
        version, today = _version(statement), statement.today

        def row() -> Any:
            return self.facts.table.alias(statement.name("unsettled"))

        f = row()
        yield f, f, [f.c.judged_policy == version, f.c.judged_until.between(constant(OPEN), today - constant(1))]
        f = row()
        yield f, f, [f.c.judged_policy.between(constant(0), version - constant(1))]
        f = row()
        yield f, f, [f.c.judged_policy.between(version + constant(1), constant(MOST_VERSIONS))]
        f = row()
        # Looked for only where somebody was judged later than this clock: it is a walk of the index.
        s: Any = self.sums.alias(statement.name("sums"))
        later = select(func.max(s.c.latest_day).label("day")).where(s.c.org_id == statement.org).subquery("later")
        ahead = f.c.judged_day.between(today + constant(1), constant(FAR))
        until = f.c.judged_until.between(today, constant(FAR))
        yield later.join(f, later.c.day > today), f, [f.c.judged_policy == version, until, ahead]


def _version(statement: Statement) -> ScalarSelect[Any]:
    return select(statement.policy.c.version).scalar_subquery()


def _all_of(where: Where | None) -> Iterator[Where]:
    if isinstance(where, All):
        for test in where.tests:
            yield from _all_of(test)
    elif where is not None:
        yield where


def _names(fields: Iterable[Told]) -> Iterator[str]:
    for each in fields:
        yield each.name
        yield from _names(each.fields)
