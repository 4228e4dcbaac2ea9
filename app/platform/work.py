"""One transaction's work: the session, the caller, the clock, and the trail it leaves."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from threading import RLock
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from app.platform.access import Caller, Org
from app.platform.audit import AuditEntry
from app.platform.away import Away, away
from app.platform.database import Base
from app.platform.days import local_day
from app.platform.ids import new_id
from app.platform.outbox import committed
from app.platform.sending import Prepared
from app.platform.steps import Look, changes_of
from app.platform.walls import enter

Row = TypeVar("Row", bound=Base)

# SQLite has one writer; waiting in a queue of this process is fairer, and quicker, than its own busy loop.
one_writer = RLock()


@dataclass(eq=False)
class Work:
    """What an action is given. `now` is the request's clock, bound once; nothing below calls another.

    Made in a transaction, which from then on sees the rows of the caller's organisation alone.
    """

    session: Session
    caller: Caller
    now: datetime

    def __post_init__(self) -> None:
        enter(self.session, self.caller.org.id)

    @property
    def org(self) -> Org:
        return self.caller.org

    @property
    def today(self) -> int:
        return local_day(self.now, self.org.zone)

    @property
    def dialect(self) -> str:
        return self.session.get_bind().dialect.name

    def run(self, prepared: Prepared, values: Mapping[str, Any]) -> Sequence[Any]:
        """A statement that was made before; the rows that it returns."""
        done = self.session.connection().exec_driver_sql(prepared.text, prepared.parameters(values))
        return done.all() if done.returns_rows else ()

    def foresees(self, step: Any, value: Any) -> bool:
        """Whether this step is taken later, together with that of others (foreseen.py): here it is to be done now."""
        return False

    def savepoint(self) -> AbstractContextManager[Any]:
        """What is done inside is undone alone when it raises."""
        return self.session.begin_nested()

    def add(self, row: Row) -> Row:
        self.session.add(row)
        return row

    def insert(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        """Many rows at once, each with its organisation."""
        if rows:
            # Of the table, not of the class: the mapper's bulk insert looks at every value of every row.
            self.session.execute(insert(table.__table__), [{"org_id": self.org.id, **row} for row in rows])

    def update(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        """Many rows at once, each by its id."""
        if rows:
            self.session.flush()
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in rows:
            by_columns.setdefault(tuple(row), []).append(row)
        for columns, some in by_columns.items():
            changes_of(table.__table__, columns).send(self, some)

    def look(self, look: Look, values: Sequence[Any]) -> Mapping[Any, Any]:
        """Read what these values name, locked where it changes; what is not there is left out."""
        return look.found(self, values, look.more(self, values, look.send(self, values)))

    # A Work writes as a writer does, for itself alone.

    @property
    def org_id(self) -> UUID:
        return self.org.id

    def send(self, prepared: Prepared, values: Mapping[str, Any]) -> Any:
        return self.run(prepared, values)

    def send_many(self, prepared: Prepared, rows: Sequence[Sequence[Any]]) -> Any:
        return self.session.connection().exec_driver_sql(prepared.text, [tuple(row) for row in rows])

    def read(self, sent: Any) -> Sequence[Any]:
        found: Sequence[Any] = sent
        return found

    def announce(self, event: str, *subjects: str, detail: str | None = None, customers: Sequence[UUID] = ()) -> None:
        """Say what was done, in the transaction that does it: `event` like purchase.recorded, subjects as public ids,
        `customers`: whom each of them concerns, in the same order; those left over concern nobody, or nobody else."""
        self.insert(
            AuditEntry,
            [
                {
                    "id": new_id(),
                    "at": self.now,
                    "key_id": self.caller.key_id,
                    "event": event,
                    "subject": subject,
                    "detail": detail,
                    "customer_id": customer,
                }
                for subject, customer in zip_longest(subjects, customers)
            ],
        )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A writing session: committed when the block ends, undone whole when it raises."""
    sqlite = engine.dialect.name == "sqlite"
    with one_writer if sqlite else nullcontext(), Session(engine, expire_on_commit=False) as session:
        yield session
        session.flush()
        try:
            session.commit()
        except Exception as failure:
            if away(failure) is None:
                raise
            # SQLite undoes what it could not write.
            raise Away(unknown=not sqlite) from failure


@contextmanager
def work(engine: Engine, caller: Caller, now: datetime) -> Iterator[Work]:
    """One unit of work of that caller."""
    with transaction(engine) as session:
        yield Work(session, caller, now)
    committed(engine, caller.org.id)


def operator(org: Org, key_id: UUID | None = None) -> Caller:
    """The command line acts for the organisation with every scope."""
    return Caller(org, frozenset({"read", "write", "admin"}), key_id)
