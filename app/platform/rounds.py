"""What a server does in the background: for one organisation after the other, a little at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.platform.access import Org, organizations
from app.platform.work import Work, operator, work

_PATIENT = 100  # organisations looked at in one step


@dataclass
class Rounds:
    """`is_open`: whether there is something to do, looked up without writing; `some`: does a part of it, and says how
    much: `at_once` at the most. Call `step` again at once while it did something, and later when not.

    An organisation of which all was done rests for so many seconds: what is written steadily is gathered meanwhile, and
    costs a statement for all of it instead of some for each change.
    """

    engine: Engine
    clock: Callable[[], datetime]
    is_open: Callable[[Work], bool]
    some: Callable[[Work], int]
    at_once: int
    rest_seconds: float = 0.0
    _next: int = 0
    _resting: dict[UUID, float] = field(default_factory=dict)

    def step(self) -> int:
        """Do a part of what there is for one organisation; how much, 0 when nothing was found."""
        with Session(self.engine.execution_options(reading=True)) as session:
            orgs = sorted(organizations(session), key=lambda org: org.id)
        for _ in range(min(len(orgs), _PATIENT)):
            # The next one comes next whatever becomes of this one: none stands in the way of the others.
            org = orgs[self._next % len(orgs)]
            self._next += 1
            if self._resting.get(org.id, 0.0) > time.monotonic():
                continue
            if self._looked(org) and (done := self._did(org)):
                if done >= self.at_once or not self.rest_seconds:
                    self._next -= 1
                else:
                    self._resting[org.id] = time.monotonic() + self.rest_seconds
                return done
        return 0

    def pause(self, most: float) -> float:
        """Seconds until one that rests is to be looked at again, or the most."""
        now = time.monotonic()
        return min([most, *(until - now for until in self._resting.values() if until > now)])

    def _looked(self, org: Org) -> bool:
        with Session(self.engine.execution_options(reading=True)) as session:
            return self.is_open(Work(session, operator(org), self.clock()))

    def _did(self, org: Org) -> int:
        with work(self.engine, operator(org), self.clock()) as unit:
            return self.some(unit)
