"""A measure, told part by part: the rule that decided, each reason with what was observed and held against it, and
the steps that would move it.

A step is a what-if, not a second rule: a change of facts, and the measure itself over the changed facts, told when
the answer is better.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Null,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from app.query import sql
from app.query.fact import constant
from app.query.flow import Reading
from app.query.graph import DECIDING, Graph, Joined, Row, WhatIf
from app.query.measure import Ladder, Measure, Noted, Step
from app.query.question import Explained, Told
from app.query.shape import Shape

if TYPE_CHECKING:
    from app.query.compile import Compiler

Expression = ColumnElement[Any]


class Explainer:
    """Tells measures of the rows of one level."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.what_ifs: list[WhatIf] = []
        self.told = False

    def needs(self, asked: Explained) -> set[str]:
        """The nodes that an explanation names; its what-ifs are noted for the rows to be read with them."""
        self.told = True
        measure = self.shape.measures[asked.measure]
        row = Noted()
        names = {field.name for field in asked.fields}
        if "reasons" in names:
            measure.reasons(row, Noted(), constant(0))
        nodes = set(row.asked)
        if isinstance(measure, Ladder) and names & {"rule", "reasons"}:
            nodes.add(DECIDING + measure.key)
        if "next" in names and measure.steps:
            nodes.add(measure.key)
            for what_if in _alone(measure) + _together(measure):
                if what_if not in self.what_ifs:
                    self.what_ifs.append(what_if)
            graph = Graph(self.shape, self.what_ifs)
            for step in measure.steps:
                alone = _what_if(measure, step)
                nodes |= {alone.needed(step), graph.under(measure.key, alone.name)}
                for day in filter(None, (step.by, step.since)):
                    row = Noted()
                    day(row, Noted())
                    nodes |= row.asked
            nodes |= {graph.under(measure.key, what_if.name) for what_if in _together(measure)}
        return nodes

    def json(self, compiler: "Compiler", asked: Explained, row: Reading) -> sql.Pattern:
        """The explanation as a JSON object."""
        measure, statement = self.shape.measures[asked.measure], compiler.statement
        p = Joined(statement.policy, statement.today, statement.now)
        c = Row(lambda node: row[node])
        return sql.json_object((field.key, self._field(compiler, measure, field, c, p, row)) for field in asked.fields)

    def _field(self, compiler: "Compiler", measure: Measure, field: Told, c: Row, p: Any, row: Reading) -> sql.Pattern:
        match field.name:
            case "rule":
                return ['"', measure.rule_said(_deciding(measure, row)), '"']
            case "policyVersion":
                return [p.version]
            case "reasons":
                return ["[", self._reasons(compiler, measure, field, c, p, row), "]"]
            case "next":
                return ["[", self._steps(compiler, measure, field, c, p, row), "]"]
            case _:
                return [f'"{field.name}"']

    def _reasons(self, compiler: "Compiler", measure: Measure, field: Told, c: Row, p: Any, row: Reading) -> Expression:
        outer = _outer(compiler, row)
        rows: list[Select[Any]] = []
        for place, (shown, test) in enumerate(measure.reasons(c, p, _deciding(measure, row))):
            observed = (
                compiler.said(test.observed.kind, row, test.observed.value) if test.observed else sql.text(NOTHING)
            )
            threshold = compiler.said(test.threshold.kind, row, test.threshold.value) if test.threshold else null()
            before, _, rest = test.sentence.partition("{observed}")
            between, _, after = rest.partition("{threshold}")
            told = {
                "rule": sql.text(test.rule),
                "fact": sql.text(test.fact),
                "observed": observed,
                "threshold": threshold,
            }
            told |= {"before": sql.text(before), "between": sql.text(between), "after": sql.text(after)}
            held = func.coalesce(threshold, sql.text("none")) if "{threshold}" in test.sentence else sql.text(NOTHING)
            told |= {"held": held, "met": sql.either(test.holds), "place": constant(place)}
            rows.append(_one_row(told, shown, not rows).correlate(*outer))
        if not rows:
            return sql.text("")
        name = compiler.statement.name("reasons")
        listed = _listed(rows, f"{name}_all")
        text = sql.template(sql.json_object((part.key, _of_reason(part, S)) for part in field.fields))
        return _joined(select(text.label("text"), S.place).select_from(listed), name)

    def _steps(self, compiler: "Compiler", measure: Measure, field: Told, c: Row, p: Any, row: Reading) -> Expression:
        if not measure.steps:
            return sql.text("")
        graph, name = Graph(self.shape, self.what_ifs), compiler.statement.name("steps")
        outer = _outer(compiler, row)
        rows: list[Select[Any]] = []
        for place, step in enumerate(measure.steps):
            together = next(
                (row[graph.under(measure.key, each.name)] for each in _together(measure) if step in measure.together),
                null(),
            )
            before, _, rest = step.sentence.partition("{needed}")
            between, since, after = rest.partition("{since}")
            what_if = _what_if(measure, step)
            told: dict[str, Expression] = {
                "needed": row[what_if.needed(step)],
                "alone": row[graph.under(measure.key, what_if.name)],
            }
            told |= {
                "together": together,
                "by": step.by(c, p) if step.by else null(),
                "since": step.since(c, p) if since and step.since else null(),
            }
            told |= {"before": sql.text(before), "between": sql.text(between), "after": sql.text(after)}
            told |= {"fact": sql.text(step.fact), "place": constant(place)}
            rows.append(
                _one_row({key: _typed(key, value) for key, value in told.items()}, None, not rows).correlate(*outer)
            )
        listed = _listed(rows, f"{name}_all")
        now = measure.goodness(func.coalesce(row[measure.key], constant(-1)) if measure.nullable else row[measure.key])

        def better(then: Expression) -> Expression:
            return sql.either(and_(S.needed > 0, then.is_not(None), measure.goodness(then) > now))

        weighed = _with(
            listed, f"{name}_weighed", outer=outer, sufficient=better(S.alone), with_the_rest=better(S.together)
        )
        known = _with(weighed, f"{name}_known", any_sufficient=func.max(S.sufficient).over())
        outcome = case((S.sufficient == 1, S.alone), else_=S.together)
        useful = or_(S.sufficient == 1, and_(S.any_sufficient == 0, S.with_the_rest == 1))
        to = _with(known, f"{name}_told", where=useful, to=compiler.said(measure.kind, row, outcome))
        text = sql.template(sql.json_object((part.key, _of_step(part)) for part in field.fields))
        # Smallest first.
        smallest = func.row_number().over(order_by=[S.needed, S.place]).label("place")
        return _joined(select(text.label("text"), smallest).select_from(to), name)


_RESERVED = frozenset({"to", "by", "before", "between", "after"})
_TEXTS = frozenset({"to", "before", "between", "after", "fact", "rule", "observed", "threshold", "held"})


class _Unqualified:
    """Columns of the one source that a small select has: they need no name before theirs."""

    def __getattr__(self, key: str) -> ColumnElement[Any]:
        return literal_column(f'"{key}"' if key in _RESERVED else key, Text() if key in _TEXTS else BigInteger())


S = _Unqualified()


def _outer(compiler: "Compiler", row: Reading) -> tuple[FromClause, FromClause]:
    """What an explanation's small selects take from outside: the row that is told, and the policy. A select below a
    FROM would not by itself."""
    return row.source, compiler.statement.policy


def _with(
    source: FromClause,
    name: str,
    *,
    where: Expression | None = None,
    outer: tuple[FromClause, ...] = (),
    **more: Expression,
) -> FromClause:
    """A source and some columns more."""
    made: Any = (
        select(literal_column("*"), *(value.label(key) for key, value in more.items()))
        .select_from(source)
        .correlate(*outer)
    )
    found: FromClause = (made if where is None else made.where(where)).subquery(name)
    return found


NOTHING = ""


def _deciding(measure: Measure, row: Reading) -> Expression:
    return row[DECIDING + measure.key] if isinstance(measure, Ladder) else constant(0)


def _alone(measure: Measure) -> list[WhatIf]:
    return [_what_if(measure, step) for step in measure.steps]


def _what_if(measure: Measure, step: Step) -> WhatIf:
    return WhatIf(f"{step.key}_{measure.key}", measure.key, (step,))


def _together(measure: Measure) -> list[WhatIf]:
    """All steps at once, for a judgement that may want several."""
    return [WhatIf(f"all_{measure.key}", measure.key, tuple(measure.together))] if measure.together else []


def _typed(key: str, value: Expression) -> Expression:
    # The first row of a union gives its columns their types, and an unknown has none.
    return cast(value, BigInteger) if isinstance(value, Null) and key in ("together", "by", "since") else value


def _one_row(columns: dict[str, Expression], shown: Expression | None, named: bool) -> Select[Any]:
    # The first row of a union names its columns for all.
    row: Select[Any] = select(*(value.label(key) if named else value for key, value in columns.items()))
    return row if shown is None else row.where(shown)


def _listed(rows: list[Select[Any]], name: str) -> Any:
    return (union_all(*rows) if len(rows) > 1 else rows[0]).subquery(name)


def _joined(rows: Select[Any], name: str) -> Expression:
    """The texts with commas between, in order of place."""
    # SQLite joins texts as rows come, so they come in order.
    ordered = rows.order_by("place").subquery(name)
    return func.coalesce(select(sql.Joined(ordered.c.text, ordered.c.place)).scalar_subquery(), sql.text(""))


def _of_reason(part: Told, r: Any) -> sql.Pattern:
    match part.name:
        case "sentence":
            return [
                '"',
                r.before,
                func.coalesce(r.observed, sql.text("none")),
                r.between,
                r.held,
                r.after,
                '"',
            ]
        case "observed" | "threshold":
            return [_string(func.nullif(getattr(r, part.name), sql.text(NOTHING), type_=Text()))]
        case "met":
            return [sql.either_or(r.met == 1, sql.text("true"), sql.text("false"))]
        case "rule" | "fact":
            return ['"', getattr(r, part.name), '"']
        case _:
            return [f'"{part.name}"']


def _of_step(part: Told) -> sql.Pattern:
    s = S
    match part.name:
        case "sufficient":
            return [sql.either_or(s.sufficient == 1, sql.text("true"), sql.text("false"))]
        case "sentence":
            by = func.coalesce(sql.text(" by ").concat(sql.DayText(s.by)), sql.text(NOTHING))
            return [
                '"',
                s.before,
                s.needed,
                s.between,
                func.coalesce(sql.DayText(s.since), sql.text(NOTHING)),
                s.after,
                by,
                " -> ",
                s.to,
                '"',
            ]
        case "to" | "fact" | "needed":
            return ['"', getattr(s, part.name), '"']
        case "by":
            return [_string(sql.DayText(s.by))]
        case _:
            return [f'"{part.name}"']


def _string(value: Expression) -> Expression:
    return func.coalesce(sql.text('"').concat(value).concat(sql.text('"')), sql.text("null"))
