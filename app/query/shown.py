"""Reading back what was just written, in the transaction and the journey that write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.platform import sending
from app.platform.steps import AFTER_ROWS, Step, Writing
from app.query.question import Field, Items, Said
from app.query.statement import Prepared

# What a parameter may be to travel with the writing.
_SIMPLE = (str, int, UUID, datetime)


@dataclass(eq=False)
class Sight:
    """One row that is to be shown, and its JSON once it was read."""

    key: UUID
    json: bytes | None = None


class Shown(Step):
    """Rows of one shape by their keys. Those with the same statement and the same values are read together."""

    place = AFTER_ROWS + 1

    def __init__(self, prepared: Prepared, shape: str, values: Mapping[str, Any]) -> None:
        self._keys = f"nodes_{shape}"
        self._prepared = sending.Prepared(prepared.text, prepared.binders)
        self._values = {name: values[name] for name in prepared.binders if name not in (self._keys, "places")}
        self._same = (prepared.text, *self._values.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shown) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)

    @property
    def is_simple(self) -> bool:
        return all(isinstance(value, _SIMPLE) for value in self._values.values())

    def send(self, writing: Writing, values: Sequence[Sight]) -> Any:
        places = list(range(1, len(values) + 1))
        given = {**self._values, self._keys: [sight.key for sight in values], "places": places}
        return writing.send(self._prepared, given)

    def finish(self, writing: Writing, values: Sequence[Sight], sent: Any) -> frozenset[Any]:
        [[text]] = writing.read(sent)
        for sight, row in zip(values, orjson.loads(text), strict=True):
            sight.json = orjson.dumps(row)
        return frozenset()


def is_light(items: Items) -> bool:
    """Whether it is no more than columns of the row: whoever is written together waits for it."""
    return all(isinstance(item, Field | Said) for item in items)
