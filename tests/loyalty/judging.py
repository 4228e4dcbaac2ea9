"""The books looked through, entry by entry and lot by lot, without asking the code that keeps them."""

from collections import defaultdict
from typing import Any

from app.loyalty.tables import LoyaltyAccount, PointsEntry, PointsLot, PointsLotMove, PointsReservation, Redemption
from app.platform.ids import key_of
from app.platform.work import Work
from tests.loyalty.acting import accounts, entries, lots, row, rows_of

BALANCES = (
    "available", "pending", "reserved", "debt", "issued", "redeemed", "expired", "reversed", "adjusted", "moved",
)  # fmt: skip
# What a credit to an account of the ledger does to a member's row; a debit does the opposite.
CREDITED = {
    "AVAILABLE": ("available", 1),
    "PENDING": ("pending", 1),
    "RESERVED": ("reserved", 1),
    "DEBT": ("debt", -1),
    "ISSUED": ("issued", -1),
    "REDEEMED": ("redeemed", 1),
    "EXPIRED": ("expired", 1),
    "REVERSED": ("reversed", 1),
    "ADJUSTMENTS": ("adjusted", -1),
}
CONSUMING = {"REDEEM", "RESERVE", "TRANSFER", "ADJUST", "SETTLE_DEBT", "CLAW_BACK"}
PARTS = {"AVAILABLE": "remaining", "PENDING": "pending", "RESERVED": "reserved"}


def fold(balances: dict[str, int], entry: PointsEntry) -> None:
    """Add an entry to a member's row."""
    if entry.kind == "TRANSFER":
        for column in ("available", "moved"):
            balances[column] += entry.points if entry.incoming else -entry.points
        return
    for side, sign in ((entry.credit, 1), (entry.debit, -1)):
        column, direction = CREDITED[side]
        balances[column] += sign * direction * entry.points


def trial_balance(work: Work, program: str) -> dict[str, int]:
    """Every account of the double entry, as the fold of all entries."""
    found = dict.fromkeys(CREDITED, 0)
    for entry in rows_of(work, PointsEntry, PointsEntry.program_id == key_of(program, "lpr")):
        if entry.kind == "TRANSFER":
            found["AVAILABLE"] += entry.points if entry.incoming else -entry.points
        else:
            found[entry.credit] += entry.points
            found[entry.debit] -= entry.points
    return found


def sound(work: Work, program: str) -> None:
    """The books of a programme hold together, account by account and in all."""
    assert sum(trial_balance(work, program).values()) == 0
    for account in accounts(work, program):
        sound_account(work, account)


def sound_account(work: Work, account: str) -> None:
    book, stored = entries(work, account), row(work, account)
    sound_row(stored, book)
    sound_lots(stored, {lot.id: lot for lot in lots(work, account)}, {entry.id: entry for entry in book}, work)
    sound_sources(work, account, book)


def sound_row(stored: LoyaltyAccount, book: list[PointsEntry]) -> None:
    """Every balance is the fold of its entries, also those that the entries carry along."""
    balances = dict.fromkeys(BALANCES, 0)
    for place, entry in enumerate(book, start=1):
        assert (entry.place, entry.points > 0) == (place, True)
        fold(balances, entry)
        assert {name: getattr(entry, name) for name in BALANCES} == balances
    assert [entry.at for entry in book] == sorted(entry.at for entry in book)
    assert stored.entries == len(book)
    assert {name: getattr(stored, name) for name in BALANCES} == balances
    # Nobody owns less than nothing, or owes while there is something to pay with.
    assert min(balances[name] for name in BALANCES if name not in ("adjusted", "moved")) >= 0
    assert not (stored.available and stored.debt)
    outstanding = stored.available + stored.pending + stored.reserved - stored.debt
    gone = stored.redeemed + stored.expired + stored.reversed
    assert stored.issued == gone + outstanding - stored.adjusted - stored.moved


def sound_lots(stored: LoyaltyAccount, mine: dict[Any, PointsLot], book: dict[Any, PointsEntry], work: Work) -> None:
    """What lies in lots is what the account has, and is moved by entries alone, within its days."""
    for part, column in (("remaining", "available"), ("pending", "pending"), ("reserved", "reserved")):
        assert sum(getattr(lot, part) for lot in mine.values()) == getattr(stored, column)
    of_lot: dict[Any, int] = defaultdict(int)
    of_entry: dict[Any, int] = defaultdict(int)
    for move in rows_of(work, PointsLotMove, PointsLotMove.lot_id.in_(mine)):
        entry, lot = book[move.entry_id], mine[move.lot_id]
        assert move.at == entry.at
        for part in PARTS.values():
            of_lot[lot.id, part] += getattr(move, part)
            of_entry[entry.id, part] += getattr(move, part)
        # No point is spent before its day, nor on the day on which it expires, nor after.
        if entry.kind in CONSUMING and move.remaining < 0:
            assert lot.active_at <= move.at < lot.expires_at, (entry.kind, lot.active_at, move.at, lot.expires_at)
        if entry.kind == "EXPIRE":
            assert move.at >= lot.expires_at
    for key, lot in mine.items():
        assert [of_lot[key, part] for part in PARTS.values()] == [getattr(lot, part) for part in PARTS.values()]
    for entry in book.values():
        wanted = dict.fromkeys(PARTS.values(), 0)
        for side, sign in ((entry.credit, 1), (entry.debit, -1)):
            if side in PARTS and not (entry.kind == "TRANSFER" and entry.incoming != (sign > 0)):
                wanted[PARTS[side]] += sign * entry.points
        assert {part: of_entry[entry.id, part] for part in PARTS.values()} == wanted


def sound_sources(work: Work, account: str, book: list[PointsEntry]) -> None:
    """No more is taken back of an order than it earned, nor of a redemption; a reservation is resolved once."""

    def total(kind: str, source: Any) -> int:
        return sum(entry.points for entry in book if entry.kind == kind and entry.source_id == source)

    for order in {entry.source_id for entry in book if entry.source_prefix == "pur"}:
        assert total("CLAW_BACK", order) <= total("EARN", order)
    for redemption in rows_of(work, Redemption, Redemption.account_id == key_of(account, "acc")):
        assert total("REVERSE_REDEMPTION", redemption.id) == redemption.reversed <= redemption.points
    for held in rows_of(work, PointsReservation, PointsReservation.account_id == key_of(account, "acc")):
        assert total("RESERVE", held.id) == held.points
        assert total("CAPTURE", held.id) == held.captured
        assert total("CAPTURE", held.id) + total("VOID", held.id) == (held.points if held.closed_at else 0)
