"""Pages: a total order, where a cursor stands in it, and what a cursor is made of.

A cursor is the hex of a JSON list: a digest of the ordering, the clock of the first page where the order moves with
the day, the sort values, the id. Its values are compared, never trusted: the organisation comes from the caller.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, UnaryExpression, and_, false, or_, tuple_

from app.platform.refusals import BadInput
from app.query import sql
from app.query.flow import Statement, rests_on_clock
from app.query.kind import Flag, Id, Kind, Moment, Text
from app.query.question import Order, Page
from app.query.shape import Shape

Expression = ColumnElement[Any]
SEARCH_RANK = "search_rank"
# In the year 5138: far enough, and still an instant.
LATEST_PIN = 10**17


def kind_of(shape: Shape, node: str) -> tuple[Kind, bool]:
    """How a sort key is compared, and whether it can be unknown."""
    if node in shape.measures:
        return shape.measures[node].kind, shape.measures[node].nullable
    if node == SEARCH_RANK:
        return Kind("Int"), False
    column = shape.facts.table.c[node] if shape.is_fact(node) and shape.facts else shape.table.c[node]
    for kind in (Id(), Moment(), Text(), Flag()):
        if isinstance(column.type, type(kind.type)):
            return kind, bool(column.nullable)
    return Kind("Int"), bool(column.nullable)


def digest(shape: Shape, order: Sequence[Order]) -> str:
    return hashlib.sha256(f"{shape.name}{[(key.node, key.falls) for key in order]}".encode()).hexdigest()[:8]


def id_falls(order: Sequence[Order]) -> bool:
    """The id breaks ties in the direction of the last key."""
    return order[-1].falls if order else False


def ordering(shape: Shape, page: Page, keys: Sequence[Expression], row_id: Expression) -> list[UnaryExpression[Any]]:
    """ORDER BY, from the near end of the page: backward pages are read from their last row."""
    clauses: list[UnaryExpression[Any]] = []
    for order, key in zip(page.order, keys, strict=True):
        falls = order.falls is not page.backward
        clause = key.desc() if falls else key.asc()
        # Written only where a key can be unknown: it costs PostgreSQL the index.
        if kind_of(shape, order.node)[1]:
            clause = clause.nulls_first() if page.backward else clause.nulls_last()
        clauses.append(clause)
    falls = id_falls(page.order) is not page.backward
    return [*clauses, row_id.desc() if falls else row_id.asc()]


def beyond(
    statement: Statement, shape: Shape, page: Page, keys: Sequence[Expression], row_id: Expression
) -> list[ColumnElement[bool]]:
    """The conditions that a row comes after the cursor `after`, and before the cursor `before`."""
    tests = []
    for side, unknown in (("after", page.after), ("before", page.before)):
        if unknown is not None:
            tests.append(_past_cursor(statement, shape, page, keys, row_id, side, unknown))
    return tests


def _past_cursor(
    statement: Statement,
    shape: Shape,
    page: Page,
    keys: Sequence[Expression],
    row_id: Expression,
    side: str,
    unknown: tuple[bool, ...],
) -> ColumnElement[bool]:
    forward = side == "after"
    held = [
        statement.bind(f"{page.path}_{side}_{n}", kind_of(shape, order.node)[0].type)
        for n, order in enumerate(page.order)
    ]
    held_id = statement.bind(f"{page.path}_{side}_id", shape.table.c.id.type)
    falls = [order.falls for order in page.order] + [id_falls(page.order)]
    nullable = [kind_of(shape, order.node)[1] for order in page.order]
    if len(set(falls)) == 1 and not any(nullable):
        here, there = tuple_(*keys, row_id), tuple_(*held, held_id)
        return here > there if forward is not falls[0] else here < there
    options: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value, is_unknown, can_be, fall in zip(keys, held, unknown, nullable, falls, strict=False):
        if is_unknown:
            # Unknowns come last: after one there are only more of them, before one everything known.
            further: ColumnElement[bool] = false() if forward else key.is_not(None)
            same: ColumnElement[bool] = key.is_(None)
        else:
            further = key > value if forward is not fall else key < value
            if can_be and forward:
                further = or_(further, key.is_(None))
            same = key == value
        options.append(and_(*equal, further))
        equal.append(same)
    last = row_id > held_id if forward is not falls[-1] else row_id < held_id
    return or_(*options, and_(*equal, last))


def cursor(
    statement: Statement, shape: Shape, page: Page, values: Sequence[Expression], row_id: Expression
) -> Expression:
    """The cursor of a row, as text."""
    parts: list[str | Expression] = [f'["{digest(shape, page.order)}",']
    if pinned(shape, page.order):
        parts.append(sql.whole_text(statement.bind("pin")))
    else:
        parts.append("null")
    for order, value in zip(page.order, values, strict=True):
        kind, nullable = kind_of(shape, order.node)
        plain = kind if isinstance(kind, Text | Moment) else Kind("Int")
        parts += [",", *plain.json(value, nullable)]
    return sql.Hex(sql.template([*parts, ',"', sql.KeyHex(row_id), '"]']))


def pinned(shape: Shape, order: Sequence[Order]) -> bool:
    """Whether a page must be read at the clock of the first one."""
    return any(rests_on_clock(shape, key.node) for key in order)


@dataclass(frozen=True)
class Place:
    """A cursor read back: the clock it pins, and the sort values."""

    pin: int | None
    values: tuple[Any, ...]
    id: UUID

    def parameters(self, path: str) -> Mapping[str, Any]:
        return {**{f"{path}_{n}": value for n, value in enumerate(self.values)}, f"{path}_id": self.id}


def read_cursor(shape: Shape, order: Sequence[Order], text: str) -> Place:
    """Raises BadInput for anything that was not issued for this ordering."""
    wrong = BadInput("This cursor was not issued for this order of these rows.")
    if len(text) > 8192:
        raise wrong
    try:
        held = orjson.loads(bytes.fromhex(text))
        if not isinstance(held, list) or len(held) != len(order) + 3 or held[0] != digest(shape, order):
            raise wrong
        pin = held[1]
        if (
            (pin is not None) is not pinned(shape, order)
            or (pin is not None and type(pin) is not int)
            or not 0 <= (pin or 0) <= LATEST_PIN
        ):
            raise wrong
        values = tuple(_value(shape, key.node, value) for key, value in zip(order, held[2:-1], strict=True))
        return Place(pin, values, UUID(hex=held[-1]))
    except (ValueError, TypeError, AttributeError):
        raise wrong from None


def _value(shape: Shape, node: str, value: Any) -> Any:
    kind, nullable = kind_of(shape, node)
    if value is None:
        if not nullable:
            raise ValueError(node)
        return None
    if isinstance(kind, Moment):
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if isinstance(kind, Text):
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(node)
        return value
    if type(value) is bool and str(kind.type) == "BOOLEAN":
        return value
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError(node)
    return value
