"""What contacts tell of a customer."""

from typing import Any

from sqlalchemy import BigInteger, Select, and_, case, or_, select
from sqlalchemy.orm import aliased

from app.customers.facts import facts
from app.platform.database import Instant
from app.query.fact import Horizon
from app.touchpoints.tables import Direction, Touchpoint, TouchpointKind


def _contacts(horizon: Horizon) -> Select[Any]:
    t, replied = aliased(Touchpoint, name="contact"), aliased(Touchpoint, name="replied_to")
    by_now = [] if horizon.until is None else [replied.occurred_at <= horizon.until]
    resolved = (
        t.resolved_at.is_not(None)
        if horizon.until is None
        else and_(t.resolved_at.is_not(None), t.resolved_at <= horizon.until)
    )
    contacts: Any = (
        select(
            t.customer_id.label("subject"),
            t.id.label("event"),
            t.occurred_at.label("at"),
            t.local_day.label("day"),
            t.kind,
            t.direction,
            t.nps,
            t.csat,
            t.quality_e6,
            t.price_e6,
            case((resolved, 1), else_=0).label("resolved"),
            case((and_(replied.id.is_not(None), replied.direction != t.direction), 1), else_=0).label("answers"),
        )
        .outerjoin_from(
            t,
            replied,
            and_(replied.org_id == t.org_id, replied.id == t.in_reply_to, replied.retracted_at.is_(None), *by_now),
        )
        .where(horizon.of(t, at=t.occurred_at, subject=t.customer_id), t.retracted_at.is_(None))
    )
    selected: Select[Any] = contacts
    return selected


def _is(*kinds: TouchpointKind) -> Any:
    if len(kinds) == 1:
        return lambda e: e.kind == kinds[0].value
    return lambda e: or_(*(e.kind == kind.value for kind in kinds))


def _inbound(e: Any) -> Any:
    return e.direction == Direction.INBOUND.value


def _open_complaint(e: Any) -> Any:
    return and_(e.kind == TouchpointKind.COMPLAINT.value, e.resolved == 0)


def _day(e: Any) -> Any:
    return e.day


K = TouchpointKind
contacted = facts.fed_by("contacted", _contacts, newest="last_touchpoint_at")
contacted.count("touchpoints")
contacted.last("last_touchpoint_at", Instant(), lambda e: e.at)
contacted.latest("inbound", 6, _day, where=_inbound)
contacted.latest("dialogue", 6, _day, where=lambda e: or_(e.answers == 1, _is(K.MEETING, K.CALL)(e)))
contacted.latest("need", 6, _day, where=_is(K.NEED))
contacted.latest("cocreation", 6, _day, where=_is(K.CO_CREATION, K.REFERRAL))
contacted.latest(
    "brand_activity", 6, _day, where=lambda e: or_(_is(K.EVENT)(e), and_(_inbound(e), _is(K.SOCIAL, K.REVIEW)(e)))
)
contacted.count("referrals", _is(K.REFERRAL))
contacted.count("commitments", _is(K.QUOTE_ACCEPTED, K.CONTRACT_SIGNED))
contacted.answer(
    "nps_answer",
    {"nps": lambda e: e.nps, "nps_day": _day},
    where=lambda e: and_(_is(K.SURVEY)(e), e.nps.is_not(None)),
    order=lambda e: [e.at, e.event],
)
contacted.answer(
    "perceived_answer",
    {"quality_e6": lambda e: e.quality_e6, "price_e6": lambda e: e.price_e6, "perceived_day": _day},
    where=lambda e: and_(_is(K.SURVEY)(e), e.quality_e6.is_not(None), e.price_e6.is_not(None)),
    order=lambda e: [e.at, e.event],
)
contacted.total("csat_sum", lambda e: case((_is(K.SURVEY)(e), e.csat)))
contacted.count("csat_count", lambda e: and_(_is(K.SURVEY)(e), e.csat.is_not(None)))
contacted.count("open_complaints", _open_complaint)
contacted.first("oldest_open_complaint_day", BigInteger(), _day, where=_open_complaint)
