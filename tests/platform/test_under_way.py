"""Which groups of changes may be under way at once, whoever asks for what in which order."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.platform.changes import MOST
from app.platform.under_way import Group, UnderWay

ORGS = [UUID(int=n) for n in range(2)]
# Of each change: whose it is, whether it has to read first, what it claims, and after how many turns it comes.
CHANGES = st.tuples(st.sampled_from(ORGS), st.booleans(), st.sets(st.integers(0, 4), max_size=2), st.integers(0, 3))


def change(org: UUID, claims: set[int], *, reads: bool = False) -> Any:
    """As much of a change as is looked at."""
    named = {("row", claim) for claim in claims}
    foreseen = None if reads else SimpleNamespace(claims=lambda: named)
    return SimpleNamespace(
        caller=SimpleNamespace(org=SimpleNamespace(id=org)),
        looks=[*named] if reads else (),
        claims=named,
        foreseen=foreseen,
    )


@dataclass
class Watched:
    """What is under way, and what was: by step, the groups that are in it."""

    under_way: UnderWay = field(default_factory=UnderWay)
    reading: set[Group] = field(default_factory=set)
    writing: set[Group] = field(default_factory=set)
    open: set[Group] = field(default_factory=set)
    done: list[Any] = field(default_factory=list)

    def check(self) -> None:
        for org in ORGS:
            assert sum(each.org_id == org for each in self.reading) <= 1
            assert sum(each.org_id == org for each in self.writing) <= 1
            claims = [claim for each in self.open if each.org_id == org for claim in each.claims]
            assert len(claims) == len(set(claims))

    async def work(self, turns: int) -> None:
        """As a writer does, with so many turns of the loop for each step."""
        while group := self.under_way.take():
            self.open.add(group)
            self.reading.add(group)
            await self.step(turns)
            await self.under_way.turn_of(group)
            self.reading.discard(group)
            self.writing.add(group)
            await self.step(turns)
            self.under_way.end(group)
            self.writing.discard(group)
            self.open.discard(group)
            self.done += group.changes

    async def step(self, turns: int) -> None:
        self.check()
        for _ in range(turns + 1):
            await asyncio.sleep(0)


@given(st.lists(CHANGES, max_size=40), st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_each_is_written_once_and_no_two_at_once_claim_the_same(
    wanted: list[tuple[UUID, bool, set[int], int]], speeds: list[int]
) -> None:
    changes = [(change(org, claims, reads=reads), pause) for org, reads, claims, pause in wanted]

    async def main() -> Watched:
        watched, tasks = Watched(), list[asyncio.Task[None]]()
        for place, (each, pause) in enumerate(changes):
            watched.under_way.add(each)
            if watched.under_way.may_begin(each.caller.org.id):
                tasks.append(asyncio.create_task(watched.work(speeds[place % len(speeds)])))
            for _ in range(pause):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return watched

    watched = asyncio.run(main())
    assert sorted(map(id, watched.done)) == sorted(id(each) for each, _ in changes)
    for claim in {claim for each, _ in changes for claim in each.claims}:
        for org in ORGS:
            mine = [each for each, _ in changes if claim in each.claims and each.caller.org.id == org]
            # Those that may not go together go in the order in which they came.
            assert [each for each in watched.done if each in mine] == mine


async def test_a_group_begins_early_when_it_is_as_large() -> None:
    under_way, org = UnderWay(), ORGS[0]
    for n in range(3):
        under_way.add(change(org, {n}, reads=True))
    first = under_way.take()
    assert first is not None
    assert len(first.changes) == 3
    for n in range(3, 6):
        under_way.add(change(org, {n}, reads=True))
        assert not under_way.may_begin(org)
    await under_way.turn_of(first)
    assert under_way.may_begin(org)
    second = under_way.take()
    assert second is not None
    assert len(second.changes) == 3
    under_way.add(change(org, {6}))
    under_way.end(first)
    # Whoever need not read goes along with whom it finds ready.
    await under_way.turn_of(second)
    assert len(second.changes) == 4
    under_way.end(second)
    assert under_way.take() is None


async def test_nobody_is_taken_along_who_claims_what_another_has_seen() -> None:
    under_way, org = UnderWay(), ORGS[0]
    reads = change(org, {2}, reads=True)
    under_way.add(reads)
    group = under_way.take()
    assert group is not None
    reads.foreseen = SimpleNamespace(claims=lambda: {("row", 1)})
    for n in (1, 3):
        under_way.add(change(org, {n}))
    await under_way.turn_of(group)
    assert [each.claims for each in group.changes] == [{("row", 2)}, {("row", 3)}]


async def test_who_need_not_read_is_not_kept_waiting_by_those_who_do() -> None:
    under_way, org = UnderWay(), ORGS[0]
    under_way.add(change(org, {0}, reads=True))
    first = under_way.take()
    assert first is not None
    await under_way.turn_of(first)
    patient = change(org, {1})
    under_way.add(patient)
    for n in range(2, 3 * MOST):
        under_way.add(change(org, {n}, reads=True))
    second = under_way.take()
    assert second is not None
    assert patient not in second.changes
    under_way.end(first)
    await under_way.turn_of(second)
    assert patient in second.changes
    assert len(second.changes) == MOST
