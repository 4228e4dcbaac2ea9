"""Reading back what was just written, in the transaction and the journey that write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from app.platform import sending
from app.platform.steps import AFTER_ROWS, Step, Writing
from app.query import sql
from app.query.question import Field, Fields, Item, Items, Listed, Part, Said
from app.query.shape import Shape
from app.query.statement import Prepared

# What a parameter may be to travel with the writing.
_SIMPLE = frozenset({str, int, bool, UUID, datetime})
# Who is written together is read at one clock.
_CLOCK = frozenset({"now", "today", "pin"})


@dataclass(eq=False)
class Sight:
    """One row that is to be shown, with the values its question is asked with, and its JSON once it was read."""

    key: UUID
    given: Mapping[str, Any]
    json: bytes | None = None


class Shown(Step):
    """Rows of one shape by their keys. Those with the same statement and the same values are read together, at the
    latest of their clocks."""

    place = AFTER_ROWS + 1

    def __init__(self, prepared: Prepared, shape: str, given: Mapping[str, Any]) -> None:
        self._prepared, self._keys = prepared, f"nodes_{shape}"
        values = [given[name] for name in _asked(prepared, self._keys)]
        self._same = (prepared, *values)
        self._hash = hash(self._same)
        self.is_simple = _SIMPLE.issuperset(map(type, values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shown) and self._same == other._same

    def __hash__(self) -> int:
        return self._hash

    def send(self, writing: Writing, values: Sequence[Sight]) -> Any:
        latest = max(values, key=lambda sight: sight.given["now"]).given
        given = {name: latest[name] for name in _given(self._prepared, self._keys)}
        keys, places = [sight.key for sight in values], list(range(1, len(values) + 1))
        return writing.send(_sent(self._prepared), {**given, self._keys: keys, "places": places})

    def finish(self, writing: Writing, values: Sequence[Sight], sent: Any) -> frozenset[Any]:
        [[text]] = writing.read(sent)
        # Where something kept does not stand any more, all are asked in full, after the writing.
        if sql.MARK not in text:
            for sight, row in zip(values, orjson.loads(text), strict=True):
                sight.json = orjson.dumps(row)
        return frozenset()


@lru_cache(512)
def _sent(prepared: Prepared) -> sending.Prepared:
    return sending.Prepared(prepared.text, prepared.binders)


@lru_cache(512)
def _given(prepared: Prepared, keys: str) -> list[str]:
    """The parameters that come with what is asked, besides the rows."""
    return [name for name in prepared.binders if name not in (keys, "places")]


@lru_cache(512)
def _asked(prepared: Prepared, keys: str) -> list[str]:
    """Those of which they have the same values who are read together."""
    return [name for name in _given(prepared, keys) if name not in _CLOCK]


def is_light(items: Fields, shape: Shape) -> bool:
    """Whether it is no more than what stands in the row: whoever is written together waits for it."""
    return bool(items.asked((is_light, shape.name), lambda fields: _are_light(fields, shape)))


def _are_light(items: Items, shape: Shape) -> bool:
    return all(_is_light(item, shape) for item in items)


def _is_light(item: Item, shape: Shape) -> bool:
    match item:
        case Said():
            return True
        case Field(node=node):
            # Where there are facts, or something is kept of a history, any other measure may rest on all of that.
            plain = shape.facts is None if shape.kept is None else node in shape.kept.guards
            return plain or shape.is_stored(node)
        case Part(fields=fields, unless=unless):
            return _are_light(fields, shape) and (unless is None or shape.is_stored(unless))
        case Listed(fields=fields):
            return _are_light(fields, shape)
        case _:
            return False
