"""How large a page a list's arguments ask for, and of which order."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from app.platform.refusals import BadInput
from app.query import question as q
from schema.filters import paths

DEFAULT_PAGE, LARGEST_PAGE, MOST_KEYS = 20, 100, 5


def size_of(given: Mapping[str, Any]) -> tuple[int, bool]:
    """How many rows, and whether from the end."""
    first, last = given.get("first"), given.get("last")
    if first is not None and last is not None:
        raise BadInput("Give first or last, not both.")
    size = first if first is not None else last if last is not None else DEFAULT_PAGE
    if not 1 <= size <= LARGEST_PAGE:
        raise BadInput(f"A page has 1 to {LARGEST_PAGE} rows.")
    return size, last is not None


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
