"""Rows that are asked for at the same moment with the same question are read in one statement."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson

from app.query.fetch import NOTHING, Reader
from app.query.question import Nodes
from schema.roots import MOST_NODES

Values = Mapping[str, Any]


class _Reading:
    """One statement to come, and who waits for a row of it."""

    def __init__(self, reader: Reader, question: Nodes, shape: str, values: Values) -> None:
        self._reader, self._question, self._shape, self._values = reader, question, shape, values
        self.waiting: list[tuple[UUID, asyncio.Future[bytes]]] = []

    async def read(self) -> None:
        keys = [key for key, _ in self.waiting]
        asked = {**self._values, f"nodes_{self._shape}": keys, "places": list(range(1, len(keys) + 1))}
        try:
            text = await self._reader.read(self._question, asked)
            rows = [text[1:-1]] if len(keys) == 1 else [orjson.dumps(row) for row in orjson.loads(text)]
        except Exception as error:  # noqa: BLE001 - told to each who waits
            for _, answer in self.waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), row in zip(self.waiting, rows, strict=True):
            if not answer.done():
                answer.set_result(row or NOTHING)


_readings: WeakKeyDictionary[Reader, dict[Any, _Reading]] = WeakKeyDictionary()
_running: set[asyncio.Task[None]] = set()


async def together(reader: Reader, question: Nodes, shape: str, key: UUID, values: Values) -> bytes:
    """The JSON of one row; null when there is none."""
    loop = asyncio.get_running_loop()
    readings = _readings.setdefault(reader, {})
    same = (loop, question, _values_of(reader, question, shape, values))
    reading = readings.get(same)
    if reading is None:
        reading = readings[same] = _Reading(reader, question, shape, values)
        # Whoever was answered by the same commit asks before this is run.
        loop.call_soon(_start, loop, readings, same, reading)
    answer: asyncio.Future[bytes] = loop.create_future()
    reading.waiting.append((key, answer))
    if len(reading.waiting) == MOST_NODES:
        del readings[same]
    return await answer


def _start(loop: asyncio.AbstractEventLoop, readings: dict[Any, _Reading], same: Any, reading: _Reading) -> None:
    if readings.get(same) is reading:
        del readings[same]
    task = loop.create_task(reading.read())
    _running.add(task)
    task.add_done_callback(_running.discard)


def _values_of(reader: Reader, question: Nodes, shape: str, values: Values) -> Any:
    """The values of the statement's other parameters: what is asked with the same is one question. A question that was
    never asked is asked alone."""
    prepared = reader.known(question)
    if prepared is None:
        return object()
    own = (f"nodes_{shape}", "places")
    # As text: a list is a value too.
    return tuple([repr(values[name]) for name in prepared.binders if name not in own])
