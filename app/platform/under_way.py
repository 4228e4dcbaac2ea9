"""Which changes one event loop has to write to PostgreSQL, and which group of them may begin.

A group is written in two steps: what it needs is read; it is written and committed. Of an organisation one group at a
time reads, and one writes; so a group may read while the one before it is written. It begins early only where it is as
large as the one before: two small groups take longer than a large one. No two that are under way claim the same.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.platform.changes import MOST, Change


@dataclass(eq=False)
class Group:
    """Changes of one organisation that are written together. `claims`: what they have for themselves."""

    org_id: UUID
    changes: list[Change]
    claims: set[Any] = field(default_factory=set)


class _Of:
    """One organisation: what waits, how much of it has something to read first, and the groups under way."""

    def __init__(self) -> None:
        self.waiting: deque[Change] = deque()
        self.to_read = 0
        # Nothing that waits may go as long as those are under way that are.
        self.stuck = False
        self.groups: list[Group] = []
        self.reads: Group | None = None
        self.writes: Group | None = None
        self.turn = asyncio.Lock()

    def may_begin(self) -> bool:
        if not self.waiting or self.stuck or self.reads is not None:
            return False
        ready = self.to_read if self.writes else len(self.waiting)
        return not self.groups or ready >= len(self.groups[-1].changes)

    def take(self, group: Group, *, reading: bool) -> None:
        """What may go with a group, in its order: while another one is written only what has to read first; once this
        one has read, only what has not."""
        claimed = set[Any]().union(*(each.claims for each in self.groups), group.claims)
        left: list[Change] = []
        # A group that reads early leaves room for those who need not, and are taken along once it has read.
        others = len(self.waiting) - self.to_read if reading and self.writes else 0
        most = max(MOST - others, MOST // 2)
        while self.waiting and len(group.changes) < most:
            change = self.waiting.popleft()
            fits = bool(change.looks) if self.writes else reading or not change.looks
            if fits and claimed.isdisjoint(change.claims):
                group.changes.append(change)
                group.claims |= change.claims
                self.to_read -= bool(change.looks)
            else:
                left.append(change)
            # Whoever stays is not overtaken by one that claims the same.
            claimed |= change.claims
        self.waiting.extendleft(reversed(left))


class UnderWay:
    """By organisation, in the order of their turns. For one event loop."""

    def __init__(self) -> None:
        self._by_org: dict[UUID, _Of] = {}

    def add(self, change: Change) -> None:
        org_id = change.caller.org.id
        of = self._by_org.get(org_id)
        if of is None:
            of = self._by_org[org_id] = _Of()
        of.waiting.append(change)
        of.to_read += bool(change.looks)

    def may_begin(self, org_id: UUID) -> bool:
        """Whether a group of this organisation may begin now."""
        of = self._by_org.get(org_id)
        return of is not None and of.may_begin()

    def take(self) -> Group | None:
        """A group that begins to read."""
        for org_id, of in self._by_org.items():
            if of.may_begin():
                group = Group(org_id, [])
                of.take(group, reading=True)
                if group.changes:
                    of.reads = group
                    of.groups.append(group)
                    # The others come first the next time.
                    self._by_org[org_id] = self._by_org.pop(org_id)
                    return group
                of.stuck = True
        return None

    async def turn_of(self, group: Group) -> None:
        """Wait until it is this group's turn to be written. It takes along what waits and need not read."""
        of = self._by_org[group.org_id]
        await of.turn.acquire()
        of.reads, of.writes = None, None
        for each in group.changes:
            if each.foreseen:
                group.claims |= each.foreseen.claims()
        of.take(group, reading=False)
        of.writes = group

    def end(self, group: Group) -> None:
        """It is committed, or came to nothing: it is the next one's turn."""
        of = self._by_org[group.org_id]
        if of.reads is group:
            of.reads = None
        if of.writes is group:
            of.writes = None
            of.turn.release()
        of.groups.remove(group)
        of.stuck = False
        if not of.groups and not of.waiting:
            del self._by_org[group.org_id]
