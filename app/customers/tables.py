"""Rows of a customer: the profile, external references, search tokens, words on consent, and the stored facts."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, Table, text
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.database import STRICT, Base, Key, Owned
from app.query.fact import OPEN


class CustomerKind(Enum):
    PERSON = "PERSON"
    COMPANY = "COMPANY"


class Channel(Enum):
    WEBSITE = "WEBSITE"
    APP = "APP"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SMS = "SMS"
    CHAT = "CHAT"
    WECHAT = "WECHAT"
    PUSH = "PUSH"
    SOCIAL = "SOCIAL"
    STORE = "STORE"
    EVENT = "EVENT"
    MAIL = "MAIL"
    VISIT = "VISIT"
    PARTNER = "PARTNER"
    OTHER = "OTHER"


class ConsentPurpose(Enum):
    MARKETING = "MARKETING"
    SERVICE = "SERVICE"
    ANALYTICS = "ANALYTICS"
    PROFILING = "PROFILING"


class ConsentState(Enum):
    GRANTED = "GRANTED"
    WITHDRAWN = "WITHDRAWN"


class Customer(Owned):
    """`*_folded`: the same text, casefolded, which filters compare. `birthday` and `terminated_day`: days since
    1970."""

    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint("kind IN ('PERSON', 'COMPANY')", name="kind"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("version >= 1", name="version"),
        Index(None, "org_id", "created_at", "id"),
        Index(None, "org_id", "updated_at", "id"),
        Index(None, "org_id", "name_folded", "id"),
        Index(None, "org_id", "email"),
        Index(None, "org_id", "phone"),
        Index(None, "org_id", "birthday_month_day"),
        STRICT,
    )

    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    kind: Mapped[str]
    name: Mapped[str]
    name_folded: Mapped[str]
    email: Mapped[str | None]
    email_folded: Mapped[str | None]
    phone: Mapped[str | None]
    birthday: Mapped[int | None]
    birthday_month_day: Mapped[int | None]
    city: Mapped[str | None]
    city_folded: Mapped[str | None]
    region: Mapped[str | None]
    region_folded: Mapped[str | None]
    country: Mapped[str | None]
    language: Mapped[str | None]
    attributes: Mapped[str]
    suppressed: Mapped[bool]
    terminated_day: Mapped[int | None]
    termination_reason: Mapped[str | None]


def of_a_customer() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"])


class CustomerRef(Base):
    """Another system's name for the customer, one a system. `live` falls with the archive and frees the name."""

    __tablename__ = "customer_refs"
    __table_args__ = (
        of_a_customer(),
        Index(
            "uq_customer_refs_live",
            "org_id",
            "system",
            "value",
            unique=True,
            postgresql_where=text("live"),
            sqlite_where=text("live"),
        ),
        STRICT,
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    system_folded: Mapped[str]
    value: Mapped[str]
    value_folded: Mapped[str]
    live: Mapped[bool]


class CustomerToken(Base):
    """A word (or a pair of Chinese, Japanese or Korean characters) by which a customer is found."""

    __tablename__ = "customer_tokens"
    __table_args__ = (of_a_customer(), Index(None, "org_id", "customer_id"), STRICT)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    weight: Mapped[int]


class Consent(Owned):
    """One word on one purpose and channel; never changed, only followed."""

    __tablename__ = "consents"
    __table_args__ = (
        of_a_customer(),
        CheckConstraint("state IN ('GRANTED', 'WITHDRAWN')", name="state"),
        Index(None, "org_id", "customer_id", "purpose", "channel", "at", "id"),
        STRICT,
    )

    customer_id: Mapped[UUID]
    purpose: Mapped[str]
    channel: Mapped[str]
    state: Mapped[str]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    source: Mapped[str | None]
    policy_text: Mapped[str | None]


# What is known of each customer before any judgement. Its columns are added by the capabilities that fold events
# into it (their facts.py). `judged_*`: what was last judged of these facts, an index and never an answer
# (app/query/standing.py).
customer_facts = Table(
    "customer_facts",
    Base.metadata,
    Column("org_id", Key, primary_key=True),
    Column("customer_id", Key, primary_key=True),
    Column("judged_policy", BigInteger, nullable=False, server_default="0"),
    Column("judged_stage", BigInteger),
    Column("judged_score", BigInteger),
    Column("judged_net_minor", BigInteger, nullable=False, server_default="0"),
    Column("judged_day", BigInteger, nullable=False, server_default="0"),
    Column("judged_until", BigInteger, nullable=False, server_default=str(OPEN)),
    of_a_customer(),
    Index("ix_customer_facts_judged", "org_id", "judged_policy", "judged_stage", "judged_score", "customer_id"),
    Index("ix_customer_facts_open", "org_id", "judged_policy", "judged_until", "judged_day"),
    sqlite_strict=True,
)
