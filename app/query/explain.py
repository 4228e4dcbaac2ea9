"""A measure, told part by part: the rule that decided, each reason with what was observed and held against it, and the steps that would move it.

A step is a what-if, not a second rule: a change of facts, and the measure itself over the changed facts, told when the answer is better.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, func, null, or_, select, true, union_all

from app.query import sql
from app.query.fact import constant
from app.query.flow import DECIDING, Graph, Joined, Reading, Row, WhatIf
from app.query.measure import Ladder, Measure, Noted, Step, Test
from app.query.question import Explained, Told
from app.query.shape import Shape

if TYPE_CHECKING:
    from app.query.compile import Compiler

Expression = ColumnElement[Any]
Pattern = sql.Pattern


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
                nodes |= {f"n:{step.key}~{step.key}", graph.under(measure.key, step.key)}
                for day in filter(None, (step.by, step.since)):
                    row = Noted()
                    day(row, Noted())
                    nodes |= row.asked
            nodes |= {graph.under(measure.key, what_if.name) for what_if in _together(measure)}
        return nodes

    def json(self, compiler: "Compiler", asked: Explained, row: Reading) -> Pattern:
        """The explanation as a JSON object."""
        measure, statement = self.shape.measures[asked.measure], compiler.statement
        p = Joined(statement.policy, statement.today, statement.now)
        c = Row(lambda node: row[node])
        return sql.json_object((field.key, self._field(compiler, measure, field, c, p, row)) for field in asked.fields)

    def _field(self, compiler: "Compiler", measure: Measure, field: Told, c: Row, p: Any, row: Reading) -> Pattern:
        match field.name:
            case "rule":
                return ['"', measure.rule_said(_deciding(measure, row)), '"']
            case "policyVersion":
                return [p.version]
            case "reasons":
                reasons = [
                    (shown, sql.json_object((part.key, self._of_reason(compiler, part, test, row)) for part in field.fields))
                    for shown, test in measure.reasons(c, p, _deciding(measure, row))
                ]
                return ["[", _those(reasons), "]"]
            case "next":
                return ["[", self._steps(compiler, measure, field, c, p, row), "]"]
            case _:
                return [f'"{field.name}"']

    def _of_reason(self, compiler: "Compiler", part: Told, test: Test, row: Reading) -> Pattern:
        observed = compiler.said(test.observed.kind, row, test.observed.value) if test.observed else None
        threshold = compiler.said(test.threshold.kind, row, test.threshold.value) if test.threshold else None
        match part.name:
            case "rule":
                return [f'"{test.rule}"']
            case "sentence":
                return ['"', _sentence(test.sentence, observed=observed, threshold=threshold), '"']
            case "fact":
                return [f'"{test.fact}"']
            case "observed":
                return [_string(observed)]
            case "threshold":
                return [_string(threshold)]
            case "met":
                return [sql.either_or(test.holds, sql.text("true"), sql.text("false"))]
            case _:
                return [f'"{part.name}"']

    def _steps(self, compiler: "Compiler", measure: Measure, field: Told, c: Row, p: Any, row: Reading) -> Expression:
        if not measure.steps:
            return sql.text("")
        graph = Graph(self.shape, self.what_ifs)
        now = measure.goodness(func.coalesce(row[measure.key], constant(-1)) if measure.nullable else row[measure.key])
        better: dict[str, Expression] = {}
        for what_if in _alone(measure) + _together(measure):
            then = row[graph.under(measure.key, what_if.name)]
            better[what_if.name] = and_(then.is_not(None), measure.goodness(then) > now)
        none_alone = and_(*(better[step.key].is_not(true()) for step in measure.steps))
        rows = []
        for place, step in enumerate(measure.steps):
            needed = row[f"n:{step.key}~{step.key}"]
            alone = and_(needed > constant(0), better[step.key])
            to = row[graph.under(measure.key, step.key)]
            told, sufficient = alone, true()
            text = compiler.said(measure.kind, row, to)
            for what_if in _together(measure) if step in measure.together else []:
                told = and_(needed > constant(0), or_(alone, and_(none_alone, better[what_if.name])))
                sufficient = better[step.key].is_(true())
                together = compiler.said(measure.kind, row, row[graph.under(measure.key, what_if.name)])
                text = case((sufficient, text), else_=together)
            pattern = sql.json_object((part.key, _of_step(part, step, c, p, needed, text, sufficient)) for part in field.fields)
            rows.append(
                select(
                    case((told, sql.template(pattern)), else_=null()).label("step"),
                    needed.label("needed"),
                    constant(place).label("place"),
                )
            )
        name = compiler.statement.name("steps")
        listed = union_all(*rows).subquery(f"{name}_all") if len(rows) > 1 else rows[0].subquery(f"{name}_all")
        # Smallest first. SQLite joins texts as rows come, so they come in order.
        place = func.row_number().over(order_by=[listed.c.needed, listed.c.place]).label("smallest_first")
        ordered = select(listed.c.step, place).where(listed.c.step.is_not(None)).order_by("smallest_first").subquery(name)
        joined = select(sql.Joined(ordered.c.step, ordered.c.smallest_first)).scalar_subquery()
        return func.coalesce(joined, sql.text(""))


def _deciding(measure: Measure, row: Reading) -> Expression:
    return row[DECIDING + measure.key] if isinstance(measure, Ladder) else constant(0)


def _alone(measure: Measure) -> list[WhatIf]:
    return [WhatIf(step.key, (step,)) for step in measure.steps]


def _together(measure: Measure) -> list[WhatIf]:
    """All steps at once, for a judgement that may want several."""
    return [WhatIf(f"all_{measure.key}", tuple(measure.together))] if measure.together else []


def _of_step(part: Told, step: Step, c: Row, p: Any, needed: Expression, to: Expression, sufficient: Expression) -> Pattern:
    number = sql.whole_text(needed)
    by = sql.DayText(step.by(c, p)) if step.by else None
    match part.name:
        case "to":
            return ['"', to, '"']
        case "sufficient":
            return [sql.either_or(sufficient, sql.text("true"), sql.text("false"))]
        case "sentence":
            since = sql.DayText(step.since(c, p)) if step.since else None
            until: Pattern = [func.coalesce(sql.text(" by ").concat(by), sql.text(""))] if by is not None else []
            return ['"', _sentence(step.sentence, needed=number, since=since), *until, " -> ", to, '"']
        case "fact":
            return [f'"{step.fact}"']
        case "needed":
            return ['"', number, '"']
        case "by":
            return [_string(by)]
        case _:
            return [f'"{part.name}"']


def _sentence(sentence: str, **values: Expression | None) -> Expression:
    """The sentence with its values in their places; an unknown one reads "unknown"."""
    pattern: Pattern = []
    rest = sentence
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, _, rest = rest.partition("}")
        value = values.get(name)
        pattern.append(before)
        pattern.append(func.coalesce(value, sql.text("unknown")) if value is not None else "unknown")
    return sql.template([*pattern, rest])


def _string(value: Expression | None) -> Expression:
    if value is None:
        return sql.text("null")
    return func.coalesce(sql.text('"').concat(value).concat(sql.text('"')), sql.text("null"))


def _those(objects: Iterable[tuple[Expression | None, Pattern]]) -> Expression:
    """The objects that are shown, with commas between."""
    texts: list[Expression] = []
    for shown, pattern in objects:
        text = sql.template([",", *pattern])
        texts.append(text if shown is None else case((shown, text), else_=sql.text("")))
    if not texts:
        return sql.text("")
    whole = texts[0]
    for text in texts[1:]:
        whole = whole.concat(text)
    return func.substr(whole, constant(2))
