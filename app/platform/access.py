"""Whose data, and who is asking: organisations, API keys, scopes, the caller."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iso4217 import Currency
from sqlalchemy import CheckConstraint, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.platform.database import STRICT, Base
from app.platform.ids import new_id
from app.platform.refusals import Forbidden, OperatorError, Unauthenticated
from app.platform.scopes import ANY, SCOPES, expanded, unknown

_KEY_PREFIX = "gx"


class Organization(Base):
    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        {"info": {"global": True}, **STRICT},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    time_zone: Mapped[str]
    currency: Mapped[str]
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A credential. Looked up before the organisation is known, hence not owned by one in its key. `revoked_at` may lie
    ahead, while another takes its place."""

    __tablename__ = "api_keys"
    __table_args__ = ({"info": {"global": True}, **STRICT},)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_id: Mapped[UUID] = mapped_column(index=True)
    secret_hash: Mapped[str]
    scopes: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    name: Mapped[str | None]
    expires_at: Mapped[datetime | None]

    def ended(self, now: datetime) -> bool:
        return any(end is not None and end <= now for end in (self.revoked_at, self.expires_at))


@dataclass(frozen=True)
class Org:
    """What every request needs to know of its organisation."""

    id: UUID
    name: str
    time_zone: str
    currency: str

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def exponent(self) -> int:
        return exponent_of(self.currency)


@dataclass(frozen=True)
class Caller:
    """Who asks. `scopes` as they were given; `key_id` is None for the command line and for an open loopback server."""

    org: Org
    scopes: frozenset[str]
    key_id: UUID | None = None

    @cached_property
    def may(self) -> frozenset[str]:
        """What the scopes mean."""
        return expanded(self.scopes)

    @cached_property
    def ids(self) -> str:
        """Of the organisation and the key, as one word: looked up with at each request."""
        return f"{self.org.id.hex} {self.key_id.hex if self.key_id else ''}"

    def require(self, scope: str) -> None:
        if scope not in self.may:
            raise Forbidden(f"This needs a key with {'any read scope' if scope == ANY else f'the scope {scope!r}'}.")


def exponent_of(currency: str) -> int:
    """Decimals of an ISO 4217 currency: EUR 2, JPY 0, KWD 3. Raises ValueError for what is none."""
    exponent = Currency(currency).exponent
    if exponent is None:
        raise ValueError(currency)  # gold, a unit of account, no currency: nothing is sold for it
    return exponent


def create_organization(session: Session, name: str, time_zone: str, currency: str, now: datetime) -> Org:
    """A new organisation without policy or keys; raises OperatorError for a name, zone or currency that is none."""
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise OperatorError("An organisation's name has 1 to 200 characters.")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise OperatorError(f"{time_zone!r} is not a time zone of the IANA database, like Europe/Paris.") from None
    try:
        exponent_of(currency)
    except ValueError:
        raise OperatorError(f"{currency!r} is not a currency code of ISO 4217, like EUR.") from None
    row = Organization(id=new_id(), name=name, time_zone=time_zone, currency=currency, created_at=now)
    session.add(row)
    session.flush()
    return _org(row)


def organization(session: Session, org_id: UUID) -> Org | None:
    row = session.get(Organization, org_id)
    return _org(row) if row else None


def organizations(session: Session) -> list[Org]:
    """All of them, oldest first."""
    return [_org(row) for row in session.scalars(select(Organization).order_by(Organization.id))]


def check_scopes(scopes: list[str]) -> None:
    """Raises OperatorError for none at all, and for what is none."""
    strange = unknown(scopes)
    if strange or not scopes:
        raise OperatorError(f"Scopes are {', '.join(SCOPES)}" + (f"; not {', '.join(strange)}." if strange else "."))


def create_key(
    session: Session,
    org_id: UUID,
    scopes: list[str],
    now: datetime,
    *,
    name: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """The whole key, which is shown this once: only a hash of its secret is kept (random 256 bits need no slow
    hash)."""
    check_scopes(scopes)
    secret = secrets.token_urlsafe(32)
    key_id = new_id()
    row = {"id": key_id, "org_id": org_id, "secret_hash": _hash(secret), "scopes": ",".join(scopes)}
    # These columns alone: who serves may not say more of a key that it makes.
    session.execute(insert(ApiKey), {**row, "created_at": now, "name": name, "expires_at": expires_at})
    return f"{_KEY_PREFIX}_{key_id.hex}_{secret}"


def caller_of(session: Session, key: str, now: datetime) -> Caller:
    """Who holds this key. Raises Unauthenticated alike for a malformed, unknown, ended or wrong one."""
    # On SQLite it would otherwise begin as a writer does, and wait for its turn among them.
    session.connection(execution_options={"reading": True})
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    try:
        row = session.get(ApiKey, UUID(hex=key_id)) if prefix == _KEY_PREFIX and len(key_id) == 32 else None
    except ValueError:
        row = None
    known = hmac.compare_digest(row.secret_hash if row else "", _hash(secret))
    if row is None or not known or row.ended(now):
        raise Unauthenticated("This API key is not known.")
    org = organization(session, row.org_id)
    if org is None:
        raise Unauthenticated("This API key is not known.")
    return Caller(org, frozenset(row.scopes.split(",")), row.id)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _org(row: Organization) -> Org:
    return Org(row.id, row.name, row.time_zone, row.currency)
