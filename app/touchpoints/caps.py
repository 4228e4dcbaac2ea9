"""The policy's caps on marketing, judged again for each contact: an audience is frozen once, and contacts add up.

Counted is what was sent in the name of campaigns for marketing, through a channel and in all. No `marketing_cap_days`
local days, whichever these are, hold more than a cap allows: a contact that is told of late counts among those after it
too. Customers are locked by whoever records (actions.py), so two contacts at once are judged one after the other.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, case, select

from app.customers.lookup import chunks
from app.customers.tables import ConsentPurpose
from app.outreach.tables import Campaign
from app.platform.refusals import Code, Problem
from app.platform.work import Work
from app.policy.tables import Policy
from app.touchpoints.rules import Draft
from app.touchpoints.tables import Direction, Touchpoint

Send = tuple[str, int]


class Caps:
    """Of a batch: `sends` by customer, as channel and day; more are noted as they are recorded."""

    def __init__(self, work: Work, drafts: Iterable[Draft]) -> None:
        sent = [each for each in drafts if each.columns["direction"] == Direction.OUTBOUND.value]
        self._marketing = _for_marketing(work, {each.columns.get("campaign_id") for each in sent})
        counted = [each for each in sent if self._counts(each)]
        self._policy = _in_force(work) if counted else _UNCAPPED
        self._sends = self._sent(work, counted) if self._policy.capped else {}

    def objections(self, draft: Draft) -> list[Problem]:
        """What stands against one more."""
        if not self._policy.capped or not self._counts(draft):
            return []
        channel, day = draft.columns["channel"], draft.columns["local_day"]
        sends = self._sends.get(draft.columns["customer_id"], [])
        said = zip(self._policy.most, (f" through {channel}", ""), ([channel], None), strict=True)
        for most, where, among in said:
            days = [other for through, other in sends if among is None or through in among]
            if most is not None and _most_beside(day, days, self._policy.days) >= most:
                message = f"At most {most} contacts for marketing{where} in {self._policy.days} days."
                return [Problem(Code.WRONG_STATE, message, (*draft.problems.prefix, "campaign_id"))]
        return []

    def note(self, draft: Draft) -> None:
        """It is recorded."""
        if self._policy.capped and self._counts(draft):
            made = draft.columns["channel"], draft.columns["local_day"]
            self._sends.setdefault(draft.columns["customer_id"], []).append(made)

    def _counts(self, draft: Draft) -> bool:
        outbound = draft.columns["direction"] == Direction.OUTBOUND.value
        return outbound and draft.columns.get("campaign_id") in self._marketing

    def _sent(self, work: Work, drafts: Sequence[Draft]) -> dict[UUID, list[Send]]:
        """To these customers, so near that one window may hold both."""
        t, c, found = Touchpoint, Campaign, dict[UUID, list[Send]]()
        days = [each.columns["local_day"] for each in drafts]
        for some in chunks(sorted({each.columns["customer_id"] for each in drafts})):
            rows = work.session.execute(
                select(t.customer_id, t.channel, t.local_day)
                .join(c, and_(c.org_id == t.org_id, c.id == t.campaign_id))
                .where(
                    t.org_id == work.org.id,
                    t.customer_id.in_(some),
                    t.local_day > min(days) - self._policy.days,
                    t.local_day < max(days) + self._policy.days,
                    t.direction == Direction.OUTBOUND.value,
                    t.retracted_at.is_(None),
                    c.purpose == ConsentPurpose.MARKETING.value,
                )
            )
            for customer, channel, day in rows:
                found.setdefault(customer, []).append((channel, day))
        return found


class _Policy(NamedTuple):
    """`most`: through a channel, and in all."""

    most: tuple[int | None, int | None]
    days: int

    @property
    def capped(self) -> bool:
        return self.most != (None, None)


_UNCAPPED = _Policy((None, None), 1)


def _in_force(work: Work) -> _Policy:
    p = Policy
    columns = p.marketing_cap_per_channel, p.marketing_cap_total, p.marketing_cap_days
    # The first one holds before it was published, too.
    version = case((p.published_at <= work.now, p.version), else_=-p.version)
    row = work.session.execute(select(*columns).where(p.org_id == work.org.id).order_by(version.desc()).limit(1)).one()
    return _Policy((row.marketing_cap_per_channel, row.marketing_cap_total), row.marketing_cap_days)


def _for_marketing(work: Work, campaigns: Iterable[UUID | None]) -> set[UUID]:
    keys = sorted(each for each in campaigns if each is not None)
    if not keys:
        return set()
    c = Campaign
    mine = c.org_id == work.org.id, c.id.in_(keys), c.purpose == ConsentPurpose.MARKETING.value
    return set(work.session.scalars(select(c.id).where(*mine)))


def _most_beside(day: int, others: Sequence[int], window: int) -> int:
    """The most of the others that share any so many days with this one."""
    near = sorted(other for other in others if abs(other - day) < window)
    starts = {day, *(other for other in near if other <= day)}
    return max(sum(start <= other < start + window for other in near) for start in starts)
