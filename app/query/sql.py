"""The few places where the two databases are told the same thing in different words, and how each kind of value is
written as JSON text.

Every element here compiles to equal text on SQLite (3.38 and later) and PostgreSQL.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    ColumnClause,
    ColumnElement,
    FromClause,
    ScalarSelect,
    SelectBase,
    Text,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import concat_op

from app.platform.database import Instant
from app.query.fact import constant

_ATOM = re.compile(r"[\w.:\"]+|'[^']*'|%\(\w+\)s(::\w+)?")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_FORMAT_ARGUMENTS = 60  # SQLite 3.40 takes 127
_JOINED = 20


def text(value: str) -> ColumnElement[str]:
    """A literal of ours, written into the statement."""
    return literal_column("'" + value.replace("'", "''") + "'", Text())


class _Text(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class Template(_Text):
    """Literals and values, joined."""

    name = "template"


class JsonString(_Text):
    """Free text as a JSON string; unknown is null."""

    name = "json_string"


class Quoted(_Text):
    """Text that needs no escape, in quotes; unknown is null."""

    name = "quoted"


class InstantText(_Text):
    """UTC, six fraction digits, Z."""

    name = "instant_text"


class DayText(_Text):
    """YYYY-MM-DD of a day number."""

    name = "day_text"


class FixedText(_Text):
    """(units, decimals, 10^decimals): a decimal with just so many digits."""

    name = "fixed_text"


class WholePart(_Text):
    """(units, 10^decimals): what stands before the point."""

    name = "whole_part"


class Remainder(FunctionElement[int]):
    """(units, 10^decimals): what stands behind it, with the sign of the units."""

    name = "remainder"
    type = BigInteger()
    inherit_cache = True


class DecimalText(_Text):
    """(units, decimals, 10^decimals), written into the statement: a decimal with just so many digits, at least one."""

    name = "decimal_text"


class Joined(_Text):
    """(text, sort keys): all texts with commas between, in that order. SQLite joins them as rows come: there its source
    must be ordered, and keys need not be given."""

    name = "joined"


class Hex(_Text):
    """UTF-8 bytes as lower-case hex digits."""

    name = "hexed"


class KeyHex(_Text):
    """A key as 32 hex digits."""

    name = "key_hex"


class Greatest(FunctionElement[int]):
    """The largest; unknown when any is (PostgreSQL's own would skip unknowns: do not give it any)."""

    name = "greatest_of"
    type = BigInteger()
    inherit_cache = True


# No JSON text holds them. MARK: something that is kept does not stand; BEHIND, with a key: of this row something is yet
# to be written.
MARK = "\x01"
BEHIND = "\x02"


class Least(FunctionElement[int]):
    """The smallest; unknown when any is."""

    name = "least_of"
    type = BigInteger()
    inherit_cache = True


class Given(FunctionElement[Any]):
    """(value): by which a row is found, and never the other way round: SQLite would rather begin with all rows of an
    organisation than with the one that leads to some of them."""

    name = "given"
    inherit_cache = True

    def __init__(self, value: ColumnElement[Any]) -> None:
        super().__init__(value)
        self.type = value.type


class Share(FunctionElement[int]):
    """(a, b, c, d, e): a * b * c / (d * e), rounded half away from zero, of numbers not below it. What passes 2^63 on
    the way is exact in PostgreSQL, and near in SQLite."""

    name = "share_of"
    type = BigInteger()
    inherit_cache = True


class DaysLater(FunctionElement[Any]):
    """(instant, days): so many times 24 hours after it."""

    name = "days_later"
    type = Instant()
    inherit_cache = True


class Found(FunctionElement[int]):
    """(text, part): where a part begins in a text, from 1; 0 when it does not."""

    name = "found"
    type = BigInteger()
    inherit_cache = True


# Elements that write an argument out more than once.
_REPEATING: set[type[Any]] = set()


def written_again(elements: Iterable[ClauseElement], source: FromClause) -> set[str] | None:
    """The columns of a source that are written out more than once; None where a query within names what it will."""
    found: Counter[str] = Counter()
    waiting = [(element, 1) for element in elements]
    while waiting:
        part, times = waiting.pop()
        if isinstance(part, ColumnClause):
            found[part.name] += times if part.table is source else 0
        elif isinstance(part, ScalarSelect | SelectBase):
            return None
        else:
            times += type(part) in _REPEATING
            waiting += [(each, times) for each in part.get_children()]
    return {name for name, times in found.items() if times > 1}


def _atom(spelled: str) -> str:
    return spelled if _ATOM.fullmatch(spelled) else f"({spelled})"


def _spell(element: type[Any], dialect: str, pattern: str) -> None:
    """`pattern` takes the compiled arguments by position."""
    if any(pattern.count(f"{{{place}}}") > 1 for place in range(5)):
        _REPEATING.add(element)

    @compiles(element, dialect)
    def spell(node: Any, compiler: Any, **options: Any) -> str:
        # The patterns multiply, subtract and compare: an argument that is itself made so goes in brackets.
        return pattern.format(*(_atom(compiler.process(argument, **options)) for argument in node.clauses))


_FIXED_SQLITE = (
    "(CASE WHEN {0} < 0 THEN '-' WHEN {0} >= 0 THEN '' END || CASE {1} WHEN 0 THEN CAST(abs({0}) AS text)"
    " ELSE format('%d.%0*d', abs({0}) / {2}, {1}, abs({0}) % {2}) END)"
)
_FIXED_POSTGRESQL = (
    "(CASE WHEN {0} < 0 THEN '-' ELSE '' END || CASE {1} WHEN 0 THEN CAST(abs({0}) AS text)"
    " ELSE (abs({0}) / {2}) || '.' || lpad(CAST(mod(abs({0}), {2}) AS text), CAST({1} AS integer), '0') END)"
)
# Of an unknown one, format() would make a 0.
_DECIMAL_SQLITE = (
    "(CASE WHEN {0} < 0 THEN '-' WHEN {0} >= 0 THEN '' END || format('%d.%0*d', abs({0}) / {2}, {1}, abs({0}) % {2}))"
)
_DECIMAL_POSTGRESQL = (
    "(CASE WHEN {0} < 0 THEN '-' ELSE '' END || (abs({0}) / {2}) || '.'"
    " || lpad(CAST(mod(abs({0}), {2}) AS text), {1}, '0'))"
)
# What stands before and after it is joined to it in the same step: each step copies what there is by then.
_QUOTED = "coalesce('{0}\"' || {1} || '\"{2}', '{0}null{2}')"
_SHARE_SQLITE = "CAST((2 * {0} * {1} * {2} + {3} * {4}) / (2 * {3} * {4}) AS INTEGER)"
_SHARE_POSTGRESQL = (
    "CAST(div(CAST(2 AS numeric) * {0} * {1} * {2} + CAST({3} AS numeric) * {4}, CAST(2 AS numeric) * {3} * {4})"
    " AS bigint)"
)
_DAYS_LATER_SQLITE = "(strftime('%Y-%m-%dT%H:%M:%S', substr({0}, 1, 19), '+' || {1} || ' days') || substr({0}, 20))"
for element, in_sqlite, in_postgresql in (
    (Quoted, _QUOTED.format("", "{0}", ""), _QUOTED.format("", "{0}", "")),
    (JsonString, "json_quote({0})", "coalesce(CAST(JSON_SCALAR({0}) AS text), 'null')"),
    # Every connection of ours is in UTC.
    (InstantText, "{0}", 'to_char({0}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'),
    (DayText, "date({0} * 86400, 'unixepoch')", "CAST(date '1970-01-01' + CAST({0} AS integer) AS text)"),
    (FixedText, _FIXED_SQLITE, _FIXED_POSTGRESQL),
    (DecimalText, _DECIMAL_SQLITE, _DECIMAL_POSTGRESQL),
    (WholePart, "CAST({0} / {1} AS text)", "CAST({0} / {1} AS text)"),
    (Remainder, "({0} % {1})", "({0} % {1})"),
    (Hex, "lower(hex({0}))", "encode(convert_to({0}, 'UTF8'), 'hex')"),
    (KeyHex, "{0}", "encode(uuid_send({0}), 'hex')"),
    (Greatest, "max({0}, {1})", "greatest({0}, {1})"),
    (Least, "min({0}, {1})", "least({0}, {1})"),
    (Given, "+{0}", "{0}"),
    (Share, _SHARE_SQLITE, _SHARE_POSTGRESQL),
    (DaysLater, _DAYS_LATER_SQLITE, "({0} + make_interval(days => CAST({1} AS integer)))"),
    (Found, "instr({0}, {1})", "strpos({0}, {1})"),
):
    # '%' of the patterns is escaped where the driver would read it as a parameter.
    _spell(element, "sqlite", in_sqlite)
    _spell(element, "postgresql", in_postgresql)


@compiles(Joined, "sqlite")
def _joined_sqlite(node: Any, compiler: Any, **options: Any) -> str:
    return f"group_concat({compiler.process(next(iter(node.clauses)), **options)}, ',')"


@compiles(Joined, "postgresql")
def _joined_postgresql(node: Any, compiler: Any, **options: Any) -> str:
    text, *keys = (compiler.process(each, **options) for each in node.clauses)
    return f"string_agg({text}, ',' ORDER BY {', '.join(keys)})"


Pattern = list[str | ColumnElement[Any]]


def json_object(fields: Iterable[tuple[str, Pattern]]) -> Pattern:
    """A JSON object of response keys (which need no escape) and patterns."""
    pattern: Pattern = ["{"]
    for place, (key, value) in enumerate(fields):
        pattern += [("," if place else "") + f'"{key}":', *value]
    return [*pattern, "}"]


def template(pattern: Pattern) -> ColumnElement[str]:
    """Our own texts and values, joined; no value may be unknown."""
    pieces: list[ColumnElement[Any]] = []
    for ours, parts in groupby(pattern, lambda part: isinstance(part, str)):
        if ours:
            pieces.append(text("".join(map(str, parts))))
        else:
            pieces += [part.self_group(against=concat_op) for part in parts if not isinstance(part, str)]
    return Template(*pieces) if len(pieces) > 1 else pieces[0] if pieces else text("")


@compiles(Template, "sqlite")
def _template_sqlite(node: Any, compiler: Any, **options: Any) -> str:
    """One format() for every so many values, which is quicker there than to join them."""
    made: list[str] = []
    form: list[str] = []
    values: list[str] = []
    for piece in (compiler.process(each, **options) for each in node.clauses):
        if _LITERAL.fullmatch(piece):
            form.append(piece[1:-1].replace("%", "%%"))
            continue
        if len(values) == _FORMAT_ARGUMENTS:
            made.append(f"format('{''.join(form)}', {', '.join(values)})")
            form, values = [], []
        form.append("%s")
        values.append(piece)
    made.append(f"format('{''.join(form)}', {', '.join(values)})")
    return " || ".join(made)


@compiles(Template, "postgresql")
def _template_postgresql(node: Any, compiler: Any, **options: Any) -> str:
    """In brackets by the dozen: what was joined so far is copied by each piece that is joined to it."""
    made: list[str] = []
    held: tuple[str, str] | None = None
    for each in node.clauses:
        piece = compiler.process(each, **options)
        ours = _LITERAL.fullmatch(piece) is not None
        if held is not None:
            made.append(_QUOTED.format(*held, piece[1:-1] if ours else ""))
            held = None
            if ours:
                continue
        if isinstance(each, Quoted):
            [value] = each.clauses
            before = made.pop()[1:-1] if made and _LITERAL.fullmatch(made[-1]) else ""
            held = before, _atom(compiler.process(value, **options))
        else:
            made.append(piece)
    if held is not None:
        made.append(_QUOTED.format(*held, ""))
    while len(made) > _JOINED:
        made = [f"({' || '.join(made[n : n + _JOINED])})" for n in range(0, len(made), _JOINED)]
    return " || ".join(made)


def whole_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(value, Text)


def flag_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """true, false, or unknown."""
    return case((value, text("true")), (~value, text("false")))


def trimmed(value: ColumnElement[Any], decimals: int, keep_one: bool) -> ColumnElement[str]:
    """A decimal without trailing zeros; with `keep_one` as a floating number is written: 72.0."""
    unit = constant(10**decimals)
    digits = func.rtrim(DecimalText(value, constant(decimals), unit), text("0"), type_=Text())
    # Where nothing stands behind the point, zeros before it must stay.
    bare = WholePart(value, unit)
    return case((Remainder(value, unit) == constant(0), bare.concat(text(".0")) if keep_one else bare), else_=digits)


def or_null(value: ColumnElement[str], nullable: bool) -> ColumnElement[str]:
    return func.coalesce(value, text("null"), type_=Text()) if nullable else value


def either(test: Any) -> ColumnElement[int]:
    """1 or 0."""
    return case((test, constant(1)), else_=constant(0))


def either_or(test: Any, then: ColumnElement[str], otherwise: ColumnElement[str]) -> ColumnElement[str]:
    return case((test, then), else_=otherwise)


def whole(value: ColumnElement[Any]) -> ColumnElement[int]:
    """A sum as a whole number again: PostgreSQL sums bigints into a numeric."""
    return cast(value, BigInteger)
