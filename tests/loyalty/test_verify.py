"""`guanxi ledger verify` finds whatever was changed behind the back of the books."""

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from app.cli import main
from app.loyalty.posting import post_due, poster
from app.loyalty.tables import PointsLot
from app.loyalty.verify import verify
from app.platform.access import Org
from app.platform.database import connect
from app.platform.migrations import downgrade, upgrade
from app.platform.work import operator
from app.platform.work import work as unit_of
from tests.conftest import NOW, Begin
from tests.loyalty import acting
from tests.loyalty.acting import earn, redeem, reserve
from tests.loyalty.conftest import Post
from tests.loyalty.life import DAY, everything_happens, in_days

BOOKS = "points_entries", "points_lot_moves"
LATER, NEVER = "'2026-07-20T01:00:00.000000Z'", "'9999-12-31T00:00:00.000000Z'"
# What is done to which rows, and what is said of it; more may be.
TAMPERED = {
    "points_entries SET kind = 'EARN' WHERE debit = 'ADJUSTMENTS'": "entry of a kind that moves points otherwise",
    "points_entries SET kind = 'VOID' WHERE kind = 'REDEEM'": "entry of a kind that moves points otherwise",
    "points_entries SET qualifying_year = NULL WHERE kind = 'EARN'": "entry of a kind that moves points otherwise",
    "points_entries SET other_account_id = NULL": "entry of a kind that moves points otherwise",
    "points_entries SET points = points + 1": "entry with balances that do not follow from those before",
    "points_entries SET available = available + 1": "entry with balances that do not follow from those before",
    "points_entries SET moved = moved + 1 WHERE place = 3": "entry with balances that do not follow from those before",
    f"points_entries SET at = {LATER} WHERE place = 3": "entry with balances that do not follow from those before",
    "points_entries SET place = place + 1000": "entry with balances that do not follow from those before",
    f"points_entries SET at = {LATER} WHERE incoming": "instant at which more or less arrived than was given",
    "points_entries SET incoming = NOT incoming WHERE incoming": "instant at which more or less arrived than was given",
    "points_entries SET qualified = qualified + 1": "entry with qualifying points that do not follow from those before",
    "points_lot_moves SET remaining = remaining + 1": "entry with other moves of lots than of points",
    "points_lot_moves SET lot_id = (SELECT id FROM points_lots ORDER BY id LIMIT 1)":
        "lot with something else left than the moves say",
    "loyalty_accounts SET debt = debt + 1, issued = issued - 1 WHERE available = 0":
        "account with balances that are not the sum of the entries",
    "loyalty_accounts SET entries = entries + 1": "account with balances that are not the sum of the entries",
    f"loyalty_accounts SET last_at = {LATER}": "account with a last entry at another instant",
    f"loyalty_accounts SET due_at = {NEVER}": "account with something due sooner than noted",
    "loyalty_accounts SET kept_rank = 7": "account with another level than a replay finds",
    "points_lots SET remaining = remaining - 1 WHERE remaining > 0": "account with other balances than in the lots",
    "points_lots SET spendable = (remaining = 0) WHERE remaining = 0": "lot that is not spendable as its points are",
    "points_lots SET points = points + 1": "lot of other points than came in",
    f"points_lots SET active_at = {LATER}": "lot with days that begin at other instants",
    f"points_lots SET expires_at = {LATER} WHERE remaining > 0": "lot with days that begin at other instants",
    f"points_lots SET expires_at = {NEVER}": "lot with days that begin at other instants",
    "points_lots SET expires_day = NULL": "lot with days that begin at other instants",
    "points_lots SET expires_day = 2000000000": "lot with days that begin at other instants",
    "redemptions SET points = points + 1": "redemption of other points than the entry",
    "redemptions SET reversed = points": "redemption of which something else was given back",
    "points_reservations SET points = points + 1": "reservation of other points than the entry",
    "points_reservations SET captured = 1 WHERE captured = 0": "reservation of which something else was captured",
    "points_reservations SET closed_at = NULL, closed_as = NULL": "reservation with something else held than noted",
    "points_reservations SET closed_at = reserved_at, closed_as = 'VOIDED'":
        "reservation with something else held than noted",
    "points_entries SET source_prefix = 'pur' WHERE kind = 'REDEEM'":
        "purchase of which more was taken back than earned",
}  # fmt: skip


def a_life(begin: Begin, post: Post) -> None:
    """In which each operation happens, and at the end points of every sort are there."""
    _, [ana, _] = everything_happens(begin, post)
    with begin(now=NOW + 21 * DAY) as work:
        earn(work, ana, 100, expires_on=in_days(60))
        earn(work, ana, 5, active_on=in_days(50))
        reserve(work, ana, 10)
        redeem(work, ana, 3)


def unguarded(engine: Engine) -> None:
    """As nothing that is served can have it."""
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            for table in BOOKS:
                connection.exec_driver_sql(f"DROP TRIGGER {table}_no_update")


def test_each_kind_of_tampering_is_found(begin: Begin, post: Post, engine: Engine) -> None:
    a_life(begin, post)
    unguarded(engine)
    found: dict[str, Any] = {}
    with begin(now=NOW + 22 * DAY) as work:
        assert verify(work) == {}
        for done in TAMPERED:
            savepoint = work.session.begin_nested()
            changed: Any = work.session.execute(text(f"UPDATE {done}"))
            assert changed.rowcount > 0, done
            found[done] = verify(work)
            savepoint.rollback()
        assert verify(work) == {}
    assert {done: said for done, said in TAMPERED.items() if said not in found[done]} == {}
    assert {said for each in found.values() for said in each} == set(TAMPERED.values())


def test_lots_of_before_are_spendable_as_their_points_are(begin: Begin, post: Post, engine: Engine) -> None:
    a_life(begin, post)
    downgrade(engine, "0012")
    upgrade(engine)
    with begin(now=NOW + 22 * DAY) as work:
        assert verify(work) == {}
        lots = work.session.scalars(select(PointsLot.spendable).where(PointsLot.org_id == work.org.id)).all()
    assert set(lots) == {True, False}


def test_points_that_are_left_cannot_be_hidden(begin: Begin, post: Post) -> None:
    a_life(begin, post)
    with begin(now=NOW + 22 * DAY) as work, pytest.raises(IntegrityError, match="ck_points_lots_spendable"):
        work.session.execute(text("UPDATE points_lots SET spendable = (remaining = 0)"))


def test_a_used_up_lot_that_says_it_is_spendable_costs_nobody_more_than_time(
    begin: Begin, engine: Engine, org: Org
) -> None:
    with begin() as work:
        account = acting.member(work, acting.program(work, expiry_days=10))
        acting.earn(work, account, 10)
    with begin(now=NOW + DAY) as work:
        acting.redeem(work, account, 10)
        # As who does not know the column leaves it.
        work.session.execute(update(PointsLot).where(PointsLot.org_id == org.id).values(spendable=True))
    with begin(now=NOW + 2 * DAY) as work:
        acting.earn(work, account, 5)
    later = NOW + 30 * DAY
    rounds = poster(engine, lambda: later, 50)
    done = [rounds.step() for _ in range(20)]
    assert not any(done[-5:]), done
    assert post_due(engine, org, lambda: later) == 0
    with begin(now=later) as work:
        assert acting.balance(work, account) == (0, 0, 0, 0)
        assert verify(work) == {"lot that is not spendable as its points are": 1}


def test_it_says_of_how_many(begin: Begin, post: Post, engine: Engine, database_url: str) -> None:
    def told() -> tuple[int, str]:
        ran = CliRunner().invoke(main, ["ledger", "verify"], env={"GUANXI_DATABASE_URL": database_url})
        return ran.exit_code, ran.output

    a_life(begin, post)
    unguarded(engine)
    assert told() == (0, "The books are in order, in 1 organisation.\n")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE loyalty_accounts SET due_at = {NEVER}")
    assert told() == (1, "1 account with something due sooner than noted.\n")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE points_entries SET qualified = qualified + 1 WHERE kind = 'CLAW_BACK'")
    code, said = told()
    assert code == 1
    assert "2 entries with qualifying points that do not follow from those before.\n" in said


def test_an_entry_is_not_replaced_by_another_of_its_id(
    begin: Begin, post: Post, database_url: str, org: Org, backend: str
) -> None:
    a_life(begin, post)
    server = connect(database_url, serving=True)
    for table in BOOKS:
        same = f"INTO {table} SELECT * FROM {table} WHERE org_id = :org"
        replace = f"INSERT OR REPLACE {same}"
        if backend == "postgresql":
            key = "org_id, id" if table == "points_entries" else "org_id, entry_id, position"
            replace = f"INSERT {same} ON CONFLICT ({key}) DO UPDATE SET at = excluded.at"
        with pytest.raises(DatabaseError), unit_of(server, operator(org), NOW) as serving:
            serving.session.execute(text(replace), {"org": org.id.hex if backend == "sqlite" else org.id})
    server.dispose()
