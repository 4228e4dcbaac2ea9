"""A measure: a judgement written once, as an expression over facts, a policy and the clock.

`c.anything` is a fact, a column or another measure of the same row; `p.anything` a threshold of the policy in force,
`p.today` and `p.now` the clock. From that one definition come the field, the filter, the sort key, the group key,
the explanation, the as-of reading and the what-if:

    @measure(customers, Whole(), name="Recency", definition="Days since the last kept order.")
    def recency_days(c, p): ...

    @ladder(customers, Stage, ...)
    def stage(c, p):
        yield Rung("PROSPECT", "stage.prospect", none_of(...))
        yield Rung("ACTIVE", "stage.active")

A rule is called once with a `c` that only notes what it is asked for: that tells the catalogue its facts and the
compiler its place.
Explanations name it in words: a Test knows what was observed and which threshold it was held against, a Step is a
change of facts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, column, null, or_, true

from app.query import sql
from app.query.fact import constant
from app.query.kind import Day, Kind, Position, Whole
from app.query.shape import Shape

Expression = ColumnElement[Any]
Rule = Callable[[Any, Any], Expression]


@dataclass(frozen=True)
class Said:
    """A value that an explanation tells, and the kind it is told as."""

    kind: Kind
    value: Expression


@dataclass(frozen=True)
class Test:
    """A comparison that can be read aloud. In the sentence {observed} and {threshold} stand for the values."""

    fact: str
    holds: Expression
    sentence: str
    observed: Said | None = None
    threshold: Said | None = None
    rule: str = ""


@dataclass(frozen=True)
class Rung:
    """An outcome, the id of the rule, and the tests that must all hold."""

    outcome: str
    rule: str
    tests: tuple[Test, ...]

    def __init__(self, outcome: str, rule: str, *tests: Test) -> None:
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "rule", rule)
        object.__setattr__(self, "tests", tests)

    def holds(self) -> Expression:
        return and_(*(test.holds for test in self.tests)) if self.tests else true()


@dataclass(frozen=True)
class Step:
    """Something that could happen next: `needed` how many times, `change` what would then be otherwise (facts or
    measures by key).

    A change by 0 changes nothing. `by`: the last day on which it still works; `since`: the first. The sentence may
    name {needed} and {since}.
    """

    key: str
    fact: str
    sentence: str
    needed: Rule
    change: Callable[[Any, Any, Expression], dict[str, Expression]]
    by: Rule | None = None
    since: Rule | None = None


class Noted:
    """Stands for a row or a policy and notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, key: str) -> Expression:
        if key.startswith("__"):
            raise AttributeError(key)
        self.asked.add(key)
        return column(key, BigInteger())

    def latest(self, key: str, size: int) -> list[Expression]:
        return [getattr(self, f"{key}_{n}") for n in range(1, size + 1)]


@dataclass
class Measure:
    """`better`: the greater, or with "less" the smaller, is better; steps are told when they make it better,
    those of `together` also when only all of them do. `told`: the parts of a number."""

    key: str
    shape: Shape
    kind: Kind
    rule: Rule
    nullable: bool = False
    name: str = ""
    term: str | None = None
    definition: str = ""
    unit: str | None = None
    better: str = "greater"
    steps: Sequence[Step] = ()
    together: Sequence[Step] = ()
    told: Callable[[Any, Any], Iterable[Test]] | None = None
    rule_name: str | None = None
    catalogued: bool = True

    def value(self, c: Any, p: Any) -> Expression:
        return self.rule(c, p)

    @cached_property
    def needs(self) -> frozenset[str]:
        """What its rule asks of the row."""
        row = Noted()
        self.value(row, Noted())
        return frozenset(row.asked)

    def deciding(self, c: Any, p: Any) -> Expression:
        """Which of several rules decided, as its place."""
        return constant(0)

    def rule_said(self, deciding: Expression) -> Expression:
        """The id of the rule that made it so."""
        return sql.text(self.rule_name or self.key)

    def rule_ids(self) -> list[str]:
        """The ids of the rules that may decide it."""
        return [self.rule_name or self.key]

    def reasons(self, c: Any, p: Any, deciding: Expression) -> list[tuple[Expression | None, Test]]:
        """What is told, each with the condition on which it is (None: always)."""
        return [(None, test) for test in self.told(c, p)] if self.told else []

    def goodness(self, value: Expression) -> Expression:
        """A number that grows as the judgement gets better."""
        return value if self.better == "greater" else -value


@dataclass
class Ladder(Measure):
    """A measure whose outcomes are the names of an enumeration; its value is the position of the first rung that holds.

    `worst_first`: the outcomes from the worst to the best, None for no outcome.
    """

    outcomes: type[Enum] = Enum
    rungs: Callable[[Any, Any], Iterable[Rung]] = lambda _c, _p: ()
    worst_first: tuple[str | None, ...] = ()
    tell_all: bool = False

    def value(self, c: Any, p: Any) -> Expression:
        return _first_that_holds(self.rungs(c, p), lambda rung: constant(self.position(rung.outcome)))

    def deciding(self, c: Any, p: Any) -> Expression:
        rungs = list(self.rungs(c, p))
        return _first_that_holds(rungs, lambda rung: constant(rungs.index(rung)), constant(len(rungs)))

    def rule_ids(self) -> list[str]:
        rules = list(dict.fromkeys(rung.rule for rung in self.rungs(Noted(), Noted())))
        return [*rules, f"{self.rule_name or self.key}.none"] if self.nullable else rules

    def rule_said(self, deciding: Expression) -> Expression:
        rules = {constant(n): sql.text(rung.rule) for n, rung in enumerate(self.rungs(Noted(), Noted()))}
        return case(rules, value=deciding, else_=sql.text(f"{self.rule_name or self.key}.none"))

    def reasons(self, c: Any, p: Any, deciding: Expression) -> list[tuple[Expression | None, Test]]:
        """The tests of the rungs up to the deciding one, each once; all of them when every rung holds those below
        it."""
        told: list[tuple[Expression | None, Test]] = []
        seen: set[str] = set()
        for n, rung in enumerate(self.rungs(c, p)):
            reached = deciding >= constant(n) if n and not self.tell_all else None
            for test in rung.tests:
                if test.rule not in seen:
                    seen.add(test.rule)
                    told.append((reached, test))
        return told

    def goodness(self, value: Expression) -> Expression:
        places = {
            constant(self.position(outcome)): constant(place)
            for place, outcome in enumerate(self.worst_first)
            if outcome is not None
        }
        return case(places, value=value, else_=constant(-1))

    def position(self, outcome: str) -> int:
        return list(self.outcomes.__members__).index(outcome)


def _first_that_holds(
    rungs: Iterable[Rung], outcome: Callable[[Rung], Expression], otherwise: Expression | None = None
) -> Expression:
    whens: list[tuple[Expression, Expression]] = []
    for rung in rungs:
        if not rung.tests:
            return case(*whens, else_=outcome(rung)) if whens else outcome(rung)
        whens.append((rung.holds(), outcome(rung)))
    return case(*whens, else_=otherwise)


def measure(shape: Shape, kind: Kind, **details: Any) -> Callable[[Rule], Measure]:
    """Make a measure of a rule; see Measure for the details."""

    def make(rule: Rule) -> Measure:
        made = Measure(rule.__name__, shape, kind, rule, **details)
        shape.add(made)
        return made

    return make


def ladder(
    shape: Shape, outcomes: type[Enum], **details: Any
) -> Callable[[Callable[[Any, Any], Iterable[Rung]]], Ladder]:
    """Make a ladder of a generator of rungs, the first that holds first; see Ladder for the details."""

    def make(rungs: Callable[[Any, Any], Iterable[Rung]]) -> Ladder:
        made = Ladder(
            rungs.__name__,
            shape,
            Position(enum=outcomes),
            lambda _c, _p: null(),
            outcomes=outcomes,
            rungs=rungs,
            **details,
        )
        shape.add(made)
        return made

    return make


# ------------------------------------------------------------------ tests that read aloud


def at_least(rule: str, fact: str, value: Expression, least: Expression, what: str) -> Test:
    return Test(
        fact,
        value >= least,
        f"{what}: {{observed}}; at least {{threshold}} needed.",
        Said(Whole(), value),
        Said(Whole(), least),
        rule,
    )


def none_of(rule: str, fact: str, value: Expression, what: str) -> Test:
    return Test(fact, value == constant(0), f"{what}: {{observed}}.", Said(Whole(), value), None, rule)


def within(rule: str, fact: str, day: Expression, days: Expression, p: Any, what: str) -> Test:
    """On one of the last so many days, today and the day that long ago included."""
    return Test(
        fact,
        day >= p.today - days,
        f"{what}: {{observed}}; counts from {{threshold}} on.",
        Said(Day(), day),
        Said(Day(), p.today - days),
        rule,
    )


def beyond(rule: str, fact: str, day: Expression, days: Expression, p: Any, what: str) -> Test:
    """Longer ago than so many days."""
    return Test(
        fact,
        day < p.today - days,
        f"{what}: {{observed}}; too long ago if before {{threshold}}.",
        Said(Day(), day),
        Said(Day(), p.today - days),
        rule,
    )


def counted(days: Iterable[Expression], since: Expression) -> Expression:
    """How many of the days are not before `since`."""
    total: Expression | None = None
    for day in days:
        one = sql.either(day >= since)
        total = one if total is None else total + one
    return total if total is not None else constant(0)


def how_many(tests: Iterable[Expression]) -> Expression:
    """How many of them hold."""
    total: Expression = constant(0)
    for test in tests:
        total = total + sql.either(test)
    return total


def one_of(value: Expression, *outcomes: Enum) -> Expression:
    """Whether a ladder came out as one of these."""
    return or_(*(value == constant(list(type(outcome)).index(outcome)) for outcome in outcomes))


def is_so(
    rule: str, fact: str, holds: Expression, sentence: str, observed: Said | None = None, threshold: Said | None = None
) -> Test:
    return Test(fact, holds, sentence, observed, threshold, rule)
