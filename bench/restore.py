"""Taking out what the measured writes have put in, so that every run starts from the same rows.

Touchpoints are deleted, and the product's own rebuilding makes the facts of the touched customers again; whatever else
follows from them is settled as after loading. Out of the books nothing can be taken by the product: it is done with
plain SQL, by the database's owner, and the accounts become what their last entry that is left says.
"""

import re
import sqlite3
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.customers.facts import rebuild
from app.platform.access import organization
from app.platform.audit import AuditEntry
from app.platform.database import INSTANT_FORMAT, connect
from app.platform.idempotency import IdempotencyKey
from app.platform.work import operator, work
from app.touchpoints.facts import contacted
from app.touchpoints.tables import Touchpoint
from bench.data import ORG
from bench.load import settle

# In this order; those of the benchmark have neither reservations nor debts.
_BOOKS = """
    CREATE TEMPORARY TABLE touched AS SELECT DISTINCT account_id AS id FROM points_entries e
      WHERE e.org_id = :org AND e.at >= :began;
    CREATE TEMPORARY TABLE taken AS SELECT DISTINCT lot_id AS id FROM points_lot_moves m
      WHERE m.org_id = :org AND m.at >= :began;
    DELETE FROM points_lot_moves WHERE org_id = :org AND at >= :began;
    DELETE FROM redemptions WHERE org_id = :org AND redeemed_at >= :began;
    DELETE FROM points_entries WHERE org_id = :org AND at >= :began;
    DELETE FROM points_lots WHERE org_id = :org AND id IN (SELECT id FROM taken) AND earned_at >= :began;
    UPDATE points_lots AS l SET (remaining, spendable) =
        (SELECT coalesce(sum(m.remaining), 0), coalesce(sum(m.remaining), 0) > 0 FROM points_lot_moves m
          WHERE m.org_id = l.org_id AND m.lot_id = l.id)
      WHERE l.org_id = :org AND l.id IN (SELECT id FROM taken);
    UPDATE loyalty_accounts AS a SET
        (available, issued, redeemed, entries, version, last_at) =
        (SELECT e.available, e.issued, e.redeemed, e.place, e.place + 1, e.at FROM points_entries e
          WHERE e.org_id = a.org_id AND e.account_id = a.id ORDER BY e.place DESC LIMIT 1),
        due_at = (SELECT min(l.expires_at) FROM points_lots l
          WHERE l.org_id = a.org_id AND l.account_id = a.id AND l.spendable)
      WHERE a.org_id = :org AND a.id IN (SELECT id FROM touched);
    DELETE FROM audit_entries WHERE org_id = :org AND event IN ('points.earned', 'points.redeemed');
    DELETE FROM idempotency_keys WHERE org_id = :org
"""
_MANY = "SELECT count(*) FROM points_entries e WHERE e.org_id = :org AND e.at >= :began"
_GUARDS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'points_%'"
_WRITTEN = "customer_facts customers audit_entries idempotency_keys touchpoints"
_POSTED = "loyalty_accounts points_entries points_lots points_lot_moves redemptions"


def undo(url: str, began: datetime) -> int:
    """Remove the touchpoints and the entries that were recorded since then, and their trail; how many there were."""
    removed = _touchpoints(url, began)
    posted = _points_on_sqlite(url, began) if url.startswith("sqlite") else _points_on_postgresql(url, began)
    return removed + posted


def _touchpoints(url: str, began: datetime) -> int:
    engine = connect(url)
    with Session(engine.execution_options(reading=True)) as session:
        org = organization(session, ORG)
    assert org is not None
    recent = Touchpoint.org_id == ORG, Touchpoint.recorded_at >= began
    with Session(engine.execution_options(reading=True)) as session:
        removed = session.execute(select(func.count()).where(*recent)).scalar_one()
    if not removed:
        # Whoever copies the database must find nobody in it.
        engine.dispose()
        return 0
    with work(engine, operator(org), began) as each:
        touched = each.session.scalars(select(Touchpoint.customer_id).where(*recent).distinct()).all()
        each.session.execute(delete(Touchpoint).where(*recent), execution_options={"synchronize_session": False})
        trail = AuditEntry.org_id == ORG, AuditEntry.event == "touchpoint.recorded"
        each.session.execute(delete(AuditEntry).where(*trail), execution_options={"synchronize_session": False})
        keys = delete(IdempotencyKey).where(IdempotencyKey.org_id == ORG)
        each.session.execute(keys, execution_options={"synchronize_session": False})
        for start in range(0, len(touched), 1000):
            rebuild(each, contacted, touched[start : start + 1000])
    settle(url)
    engine.dispose()
    if not url.startswith("sqlite"):
        with psycopg.connect(url, autocommit=True) as connection:
            _vacuum(connection, _WRITTEN)
    return int(removed)


def _points_on_sqlite(url: str, began: datetime) -> int:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
    given = {"org": ORG.hex, "began": began.strftime(INSTANT_FORMAT)}
    connection.execute("BEGIN IMMEDIATE")
    [removed] = connection.execute(_MANY, given).fetchone()
    if removed:
        guards = connection.execute(_GUARDS).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        # As SQLite's index has it: it would not find it by another spelling.
        for statement in _BOOKS.replace("l.spendable)", "l.spendable = 1)").split(";"):
            connection.execute(statement, given)
        for _, definition in guards:
            connection.execute(definition)
    connection.execute("COMMIT")
    connection.close()
    return int(removed)


def _points_on_postgresql(url: str, began: datetime) -> int:
    given: dict[str, Any] = {"org": ORG, "began": began}

    def spelled(statement: str) -> str:
        return re.sub(r":(org|began)", r"%(\1)s", statement)

    with psycopg.connect(url, autocommit=True) as connection:
        [removed] = connection.execute(spelled(_MANY), given).fetchone() or [0]
        if not removed:
            return 0
        with connection.transaction():
            # What points to a row is deleted before it: there is nothing to be looked for.
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in _BOOKS.split(";"):
                connection.execute(spelled(statement), given)
        _vacuum(connection, _POSTED)
    return int(removed)


def _vacuum(connection: psycopg.Connection, tables: str) -> None:
    connection.execute(f"VACUUM (ANALYZE) {tables.replace(' ', ', ')}")
