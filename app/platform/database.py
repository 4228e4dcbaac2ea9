"""Where rows live: the table base, the column types that both databases hold alike, and the engine."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import SmallInteger, TypeDecorator, TypeEngine

from app.platform.draws import IN_SQLITE, drawn
from app.platform.refusals import OperatorError
from app.platform.tenancy import every_statement_names_the_organisation
from app.platform.walls import CANNOT_SERVE, TAKE_ROLE

# A worker that waits longer than this for another writer gives up: the caller retries, nothing is half done.
LOCK_SECONDS = 5
QUESTION_SECONDS = 10
CONNECT_SECONDS = 5
# PostgreSQL undoes what a server has begun that then stood still, and ends its connection.
STOOD_STILL_SECONDS = 120
# Whoever has waited for a lock is to see what its holder wrote, whatever a database was told to do. As in a list of
# settings.
ISOLATION = r"read\ committed"
# A host that went without a word is noticed by the kernel: what it did not take after 15 seconds, or 25 of silence.
STILL_THERE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Key(TypeDecorator[UUID]):
    """A UUID: PostgreSQL's own type; 32 lower-case hex digits in SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Uuid() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return _hex(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return UUID(hex=value) if isinstance(value, str) else value


class Instant(TypeDecorator[datetime]):
    """An instant in UTC: timestamptz in PostgreSQL; text of fixed width in SQLite, which sorts as time does."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return _instant(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.strptime(value, INSTANT_FORMAT).replace(tzinfo=UTC)
        return value.astimezone(UTC) if value is not None else None


class Words(TypeDecorator[str]):
    """Text that sorts by code point on both databases, whatever locale the server was made with."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())


def _hex(value: UUID | str | None) -> str | None:
    # As UUID.hex has it, without asking for it; or it is there already.
    return f"{value.int:032x}" if isinstance(value, UUID) else value


# One change writes its instant into many rows.
@lru_cache(maxsize=256)
def _instant(value: datetime | None) -> str | None:
    return instant_text(value) if value is not None else None


def instant_text(value: datetime) -> str:
    """As stored in SQLite and printed everywhere: UTC, six fraction digits, Z."""
    utc = value.astimezone(UTC)
    if not utc.microsecond:
        return f"{utc.replace(tzinfo=None).isoformat()}.000000Z"
    # In a third of the time that datetime takes; orjson writes no fraction where it is zero.
    return orjson.dumps(utc, option=orjson.OPT_UTC_Z)[1:-1].decode()


# STRICT tables know five type names; these are the ones SQLAlchemy would spell otherwise.
@compiles(Boolean, "sqlite")
@compiles(BigInteger, "sqlite")
@compiles(SmallInteger, "sqlite")
def _whole_number(*_: Any, **__: Any) -> str:
    return "INTEGER"


CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every row. Its organisation leads every key."""

    if TYPE_CHECKING:
        # SQLAlchemy leaves room for classes of other things than a table.
        __table__: ClassVar[Table]
    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy
        UUID: Key,
        datetime: Instant,
        str: Words,
        int: BigInteger,
        bool: Boolean,
    }


class Owned(Base):
    """A row of one organisation."""

    __abstract__ = True

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)


STRICT = {"sqlite_strict": True}


def connect(url: str, *, serving: bool = False) -> Engine:
    """An engine for the URL of GUANXI_DATABASE_URL; raises OperatorError when the URL is not one of ours.

    `serving`: for requests. On PostgreSQL its connections own nothing (see walls); others are the operator's, who
    migrates, and to whom organisations, keys and rates belong.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise OperatorError("GUANXI_DATABASE_URL is not a database URL.") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _connect_sqlite(url)
    if backend == "postgresql":
        # A plan that was kept from when its tables were empty reads them whole once they are not: planned each time, a
        # foreign key's check among them, a file of purchases is written a hundred times quicker.
        settings = {
            "jit": "off",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "timezone": "UTC",
            "plan_cache_mode": "force_custom_plan",
            "default_transaction_isolation": ISOLATION,
            "idle_in_transaction_session_timeout": f"{STOOD_STILL_SECONDS}s",
        }
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            hide_parameters=True,
            connect_args={
                "options": options(settings, parsed.query.get("options", "")),
                "connect_timeout": CONNECT_SECONDS,
                **{name: value for name, value in STILL_THERE.items() if name not in parsed.query},
            },
        )
        if serving:
            event.listen(engine, "connect", _take_role)
        event.listen(engine, "before_execute", every_statement_names_the_organisation)
        return engine
    raise OperatorError("GUANXI_DATABASE_URL must be of SQLite or PostgreSQL.")


def options(settings: Mapping[str, str], said: str | Sequence[str]) -> str:
    """Of a connection to PostgreSQL, with what its address says of them. Ours come last, which hold then: what we read
    and write rests on them, the instants on their zone above all."""
    ours = [f"-c {name}={value}" for name, value in settings.items()]
    return " ".join([*([said] if isinstance(said, str) else said), *ours])


def _take_role(connection: Any, _: object) -> None:
    try:
        connection.execute(TAKE_ROLE)
        connection.commit()
    except (connection.ProgrammingError, connection.DataError):
        raise OperatorError(CANNOT_SERVE) from None


def check_serving(url: str) -> None:
    """Raises OperatorError when requests could not be served from that database."""
    engine = connect(url, serving=True)
    try:
        engine.connect().close()
    finally:
        engine.dispose()


def _connect_sqlite(url: str) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own BEGIN is deferred: two readers that both want to write would deadlock. We begin ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            # INSERT OR REPLACE deletes, and so meets the triggers of what is only added to.
            "recursive_triggers = ON",
            f"busy_timeout = {LOCK_SECONDS * 1000}",
            "cache_size = -16384",
            "mmap_size = 268435456",
            # 64 MB. What many small changes write is copied before (checkpoints.py).
            "wal_autocheckpoint = 16000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function(IN_SQLITE, 1, drawn, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    event.listen(engine, "before_execute", every_statement_names_the_organisation)
    return engine


def analyze(engine: Engine) -> None:
    """Have the planner look at the tables, after much was written at once; at what others write it looks by itself."""
    # PostgreSQL's looks once a minute, and until then takes a table that was just filled for one of a few rows.
    # SQLite's plans rest on the indexes alone.
    if engine.dialect.name == "postgresql":
        tables = ", ".join(Base.metadata.tables)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {tables}")


Binder = Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    return value


# Most values are of these. SQLAlchemy comes to the same by two more calls, for each value of each statement.
_BINDERS: dict[tuple[type, str], Binder] = {
    (Key, "sqlite"): _hex,
    (Key, "postgresql"): as_it_is,
    (Instant, "sqlite"): _instant,
    (Instant, "postgresql"): as_it_is,
}


def binder(kind: TypeEngine[Any], dialect: Dialect) -> Binder:
    """Turns a Python value into what this database's driver takes for that type."""
    known = _BINDERS.get((type(kind), dialect.name))
    return known or kind.dialect_impl(dialect).bind_processor(dialect) or as_it_is


__all__ = [
    "STRICT",
    "Base",
    "Binder",
    "Instant",
    "Integer",
    "Key",
    "Owned",
    "Words",
    "as_it_is",
    "binder",
    "check_serving",
    "connect",
    "instant_text",
]
