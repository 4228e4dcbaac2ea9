"""API keys: made, listed, replaced, revoked. What opens the door is shown once and kept nowhere."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import func, or_, select, update

from app.platform.access import ApiKey, create_key
from app.platform.ids import PublicId, key_of, public_id
from app.platform.refusals import Code, OperatorError, Problems
from app.platform.scopes import ANY, SCOPES, expanded, unknown
from app.platform.text import clean
from app.platform.work import Work

PREFIX = "key"
# All of them are listed at once.
MOST_KEYS = 200


class KeyCreate(TypedDict, total=False):
    name: str
    scopes: list[str]
    expires_at: datetime | None


class KeyRevoke(TypedDict):
    id: str


def create_api_key(work: Work, given: KeyCreate) -> dict[str, str]:
    """Refuses REQUIRED, TOO_LONG, INVALID, OUT_OF_RANGE, TOO_MANY. The caller gives no scope that it has not."""
    problems = Problems()
    name = clean(problems, given["name"], "name", longest=200, required=True)
    scopes, expires_at = list(dict.fromkeys(given["scopes"])), given.get("expires_at")
    if not scopes or unknown(scopes):
        problems.add(Code.INVALID, f"Scopes are {', '.join(SCOPES)}; at least one.", "scopes")
    elif expanded(scopes) - work.caller.may - {ANY}:
        problems.add(Code.INVALID, "A key gives no scope that it has not itself.", "scopes")
    if expires_at is not None and expires_at <= work.now:
        problems.add(Code.OUT_OF_RANGE, "It would have expired already.", "expires_at")
    if (work.session.scalar(select(func.count()).where(*_live(work.org.id, work.now))) or 0) >= MOST_KEYS:
        problems.add(Code.TOO_MANY, f"There are {MOST_KEYS} keys already.")
    problems.stop()
    made = create_key(work.session, work.org.id, scopes, work.now, name=name, expires_at=expires_at)
    named = _public(made)
    work.announce("api_key.created", named)
    return {"key": named, "secret": made}


def revoke_api_key(work: Work, given: KeyRevoke) -> dict[str, str]:
    """At once, and for good; one that is revoked already stays as it is. Refuses NOT_FOUND."""
    key = key_of(given["id"], PREFIX)
    problems = Problems()
    mine = ApiKey.id == key, ApiKey.org_id == work.org.id
    if key is None or work.session.scalar(select(ApiKey.id).where(*mine)) is None:
        problems.add(Code.NOT_FOUND, "There is no such key.", "id")
    problems.stop()
    _end(work, mine, work.now)
    return {"key": given["id"]}


def rotate(work: Work, key_id: str, days: int) -> tuple[str, datetime]:
    """A second key like this one, which lives on for so many days: the new key, and the instant at which the old one
    ends.

    Raises OperatorError for a key that is none, or that ends already.
    """
    mine = ApiKey.id == key_of(key_id, PREFIX), ApiKey.org_id == work.org.id
    row = work.session.scalar(select(ApiKey).where(*mine))
    if row is None or row.ended(work.now):
        raise OperatorError("There is no such key, or it has ended: make another with guanxi key create.")
    if row.revoked_at is not None:
        raise OperatorError(f"This key is being replaced already: it ends at {row.revoked_at:%Y-%m-%d %H:%M} UTC.")
    made = create_key(
        work.session, work.org.id, row.scopes.split(","), work.now, name=row.name, expires_at=row.expires_at
    )
    work.announce("api_key.created", _public(made))
    until = work.now + timedelta(days=days)
    _end(work, mine, until)
    return made, until


def keys_of(work: Work) -> Sequence[ApiKey]:
    """All that the organisation ever had, oldest first."""
    return work.session.scalars(select(ApiKey).where(ApiKey.org_id == work.org.id).order_by(ApiKey.id)).all()


def line_of(key: ApiKey) -> str:
    """One key on one line."""
    ends = [(said, at) for said, at in (("revoked", key.revoked_at), ("expires", key.expires_at)) if at is not None]
    days = [f"{said} {at:%Y-%m-%d}" for said, at in (("made", key.created_at), *ends)]
    return f"{PublicId(PREFIX, key.id)}  {key.scopes}  {', '.join(days)}  {key.name or ''}".rstrip()


def _live(org_id: UUID, now: datetime) -> tuple[Any, ...]:
    ahead = or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > now)
    return ApiKey.org_id == org_id, ahead, or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)


def _end(work: Work, which: tuple[Any, ...], at: datetime) -> None:
    sooner = or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > at)
    ended = work.session.scalars(
        update(ApiKey).where(*which, sooner).values(revoked_at=at).returning(ApiKey.id),
        execution_options={"synchronize_session": False},
    ).all()
    work.announce("api_key.revoked", *(public_id(PREFIX, each) for each in ended))


def _public(key: str) -> str:
    """The id of a key that was just made."""
    return f"{PREFIX}_{key.split('_')[1]}"
