"""What a server does in the background: for one organisation after the other, a little at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.platform.access import Org, organizations
from app.platform.work import Work, operator, work

_PATIENT = 100  # organisations looked at in one step


@dataclass
class Rounds:
    """`is_open`: whether there is something to do, looked up without writing; `some`: does a part of it, and says how
    much. Call `step` again at once while it did something, and later when not."""

    engine: Engine
    clock: Callable[[], datetime]
    is_open: Callable[[Work], bool]
    some: Callable[[Work], int]
    _next: int = 0

    def step(self) -> int:
        """Do a part of what there is for one organisation; how much, 0 when nothing was found."""
        with Session(self.engine.execution_options(reading=True)) as session:
            orgs = sorted(organizations(session), key=lambda org: org.id)
        for _ in range(min(len(orgs), _PATIENT)):
            # The next one comes next whatever becomes of this one: none stands in the way of the others.
            org = orgs[self._next % len(orgs)]
            self._next += 1
            if self._looked(org) and (done := self._did(org)):
                self._next -= 1
                return done
        return 0

    def _looked(self, org: Org) -> bool:
        with Session(self.engine.execution_options(reading=True)) as session:
            return self.is_open(Work(session, operator(org), self.clock()))

    def _did(self, org: Org) -> int:
        with work(self.engine, operator(org), self.clock()) as unit:
            return self.some(unit)
