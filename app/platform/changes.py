"""Changes on their way to be written: which of them may go together, and what each answers."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.platform.access import Caller
from app.platform.foreseen import Foreseen, Unforeseen
from app.platform.refusals import Refused
from app.platform.steps import Look, Turns, Writing
from app.platform.work import Work

Result = dict[str, Any]
Do = Callable[[Work], Result]
Looks = Sequence[tuple[Look, Any]]

MOST = 64
# So many are carried out in memory before whoever else waits for this thread has his turn.
_AT_A_TIME = 8


class Apart(Exception):
    """It is to be done by itself: nothing of it was written."""


@dataclass(eq=False)
class Change:
    """One change on its way. `result` is what it answers if all is as foreseen; `looks`: what must be read for that."""

    caller: Caller
    now: datetime
    do: Do
    foreseen: Foreseen | None
    result: Result
    answer: "asyncio.Future[Result]"
    looks: Looks = ()
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.claims = self.foreseen.claims() if self.foreseen else set(self.looks)

    def tell(self) -> None:
        if self.answer.done():
            return  # nobody waits any more
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class Gathered:
    """Those that wait to be written. Not for two threads at once."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()

    def add(self, change: Change) -> None:
        self._waiting.append(change)

    def take(self, fits: Callable[[Change, Change | None], bool] | None = None) -> list[Change]:
        """Changes that do not touch each other, in their order. `fits`: whether one may go with the first of them, or
        be the first."""
        group: list[Change] = []
        left: list[Change] = []
        claimed: set[Any] = set()
        while self._waiting and len(group) < MOST:
            change = self._waiting.popleft()
            if (not fits or fits(change, group[0] if group else None)) and claimed.isdisjoint(change.claims):
                group.append(change)
                claimed |= change.claims
            else:
                left.append(change)
        self.put_back(left)
        return group

    def put_back(self, changes: Sequence[Change]) -> None:
        """They come first."""
        self._waiting.extendleft(reversed(changes))


def see(group: Sequence[Change], writing: Writing) -> Turns[list[Foreseen]]:
    """Read what those need who look first, all of it together, and carry their changes out in memory."""
    changes = [each for each in group if each.looks]
    if not changes:
        return []
    wanted: dict[Look, list[Any]] = {}
    for each in changes:
        for look, value in each.looks:
            wanted.setdefault(look, []).append(value)
    sent = {look: look.send(writing, values) for look, values in wanted.items()}
    yield
    if any(look.asks_more for look in wanted):
        sent = {look: look.more(writing, values, sent[look]) for look, values in wanted.items()}
        yield
    found = {look: look.found(writing, values, sent[look]) for look, values in wanted.items()}
    changed: set[Any] = set()
    for place, each in enumerate(changes, 1):
        seen = {(look, value): found[look].get(value) for look, value in each.looks}
        each.foreseen, each.result = foresee(each.caller, each.now, each.do, seen)
        mine = each.foreseen.changed() if each.foreseen else set()
        if changed.isdisjoint(mine):
            changed |= mine
        else:
            # A row may be named by its id, and by whose it is: this one has not seen what the other makes of it.
            each.foreseen, each.result = None, {}
        if place % _AT_A_TIME == 0:
            yield
    return [each.foreseen for each in changes if each.foreseen]


def foresee(
    caller: Caller, now: datetime, do: Do, seen: Mapping[Any, Any] | None = None
) -> tuple[Foreseen | None, Result]:
    foreseen = Foreseen(caller, now, seen)
    try:
        return foreseen, do(foreseen)
    except (Unforeseen, Refused):
        # All that is to be said of a refusal is found by looking.
        return None, {}


def tell(changes: Sequence[Change]) -> None:
    for each in changes:
        each.tell()


def fail(changes: Sequence[Change], error: BaseException) -> None:
    for each in changes:
        each.error = error
