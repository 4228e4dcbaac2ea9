"""Which page a list's arguments ask for, and of which order."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from app.platform.ids import EPOCH
from app.platform.refusals import BadInput
from app.query import question as q
from app.query.page import read_cursor
from app.query.shape import Shape
from schema.filters import paths
from schema.given import Parameters

DEFAULT_PAGE, LARGEST_PAGE, MOST_KEYS = 20, 100, 5


def size_of(given: Mapping[str, Any]) -> tuple[Any, bool]:
    """How many rows are asked for, and whether from the end."""
    first, last = given.get("first"), given.get("last")
    if first is not None and last is not None:
        raise BadInput("Give first or last, not both.")
    return first if first is not None else last if last is not None else DEFAULT_PAGE, last is not None


def put_size(path: str, given: Parameters, said: int) -> None:
    """How many rows, and one more."""
    if not 1 <= said <= LARGEST_PAGE:
        raise BadInput(f"A page has 1 to {LARGEST_PAGE} rows.")
    given[f"{path}_size"], given[f"{path}_more"] = said, said + 1


def put_cursor(
    shape: Shape, order: Sequence[q.Order], path: str, moves: bool, given: Parameters, text: str
) -> tuple[bool, ...]:
    """Where a page begins or ends, and which of those values are unknown. `moves`: the clock goes back to that of the
    first page, because judgements move with the day."""
    place = read_cursor(shape, order, text)
    if moves and place.pin is not None:
        given.now = min(EPOCH + timedelta(microseconds=place.pin), given.now)
    given |= place.parameters(path)
    return tuple([value is None for value in place.values])


def order_of(rows_of: type, usual: Sequence[tuple[str, bool]], given: Mapping[str, Any]) -> tuple[q.Order, ...]:
    """The sort keys that are asked for, or else the usual ones: nodes, and whether they fall."""
    asked = given.get("orderBy") or []
    if len(asked) > MOST_KEYS:
        raise BadInput(f"At most {MOST_KEYS} sort keys.")
    sortable = _sortable(rows_of) if asked else {}
    order: dict[str, q.Order] = {}
    for each in asked:
        node = sortable[each["field"].name].node
        order.setdefault(node, q.Order(node, each["direction"].name == "DESC"))
    return tuple(order.values()) or tuple(q.Order(node, falls) for node, falls in usual)


@cache
def _sortable(rows_of: type) -> Mapping[str, Any]:
    """The sort keys of a type, by name. Asked first once the schema is whole."""
    return paths(rows_of, "sort")
