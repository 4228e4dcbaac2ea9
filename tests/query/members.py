"""Members of the shop's two programmes, by dice: books as they were left, with much that has fallen due since and that
nobody has posted, and what is true of them now worked out step by step."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from app.loyalty.rules import Level, Terms, level_on
from app.loyalty.tables import (
    NEVER,
    LoyaltyAccount,
    LoyaltyLevel,
    LoyaltyProgram,
    LoyaltyTerms,
    PointsEntry,
    PointsLot,
    PointsLotMove,
    PointsReservation,
    Redemption,
    Reward,
)
from app.platform.access import Org
from app.platform.days import day_of, local_day, midnight
from app.platform.text import fold
from app.platform.work import Work

BALANCES = (
    "available", "pending", "reserved", "debt", "issued", "redeemed", "expired", "reversed", "adjusted", "moved",
)  # fmt: skip
# Of each programme, from the lowest: name, points that qualify, points that retain.
LEVELS = ((("星", 0, 0), ('银星 "Silver"', 60, 40), ("金星", 120, 80)), (("Straße", 50, 50),))
LEFT = timedelta(days=400)


@dataclass
class Book:
    """One account, its rows by table, and what is said of it by path."""

    id: UUID
    program: UUID
    opened: datetime
    closed: datetime | None
    rows: dict[Any, list[dict[str, Any]]]
    values: dict[str, Any] = field(default_factory=dict)


def program_of(org: Org, number: int) -> UUID:
    return UUID(int=org.id.int * 0x10000 + number + 1)


def _level_on(day: int, qualified: dict[int, int], number: int) -> int | None:
    levels = [Level(rank, qualify, retain, 1_250_000) for rank, (_, qualify, retain) in enumerate(LEVELS[number])]
    return level_on(day, qualified, levels, Terms(1, 1_500_000, number, None, 30, number == 0))


def store_programs(work: Work, opened: datetime) -> None:
    """Two programmes, with a reward each."""
    for number, levels in enumerate(LEVELS):
        terms = {
            "earn_rate_e6": 1_500_000,
            "activation_days": number,
            "expiry_days": None,
            "point_value_e6": 10_000,
            "grace_days": 30,
            "soft_landing": number == 0,
        }
        key = program_of(work.org, number)
        said = {"name": f"Stars {number}", "points_name": "stars", "currency": "EUR", "exponent": 2}
        work.insert(LoyaltyProgram, [{"id": key, **said, "created_at": opened, "version": 1, **terms}])
        work.insert(LoyaltyTerms, [{"program_id": key, "version": 1, "at": opened, **terms}])
        named = [
            {"rank": rank, "name": name, "name_folded": fold(name), "qualify_points": qualify, "retain_points": retain}
            for rank, (name, qualify, retain) in enumerate(levels)
        ]
        more = {"program_id": key, "version": 1, "multiplier_e6": 1_250_000, "benefits": '["%s","生日茶 \\"1\\""]'}
        work.insert(LoyaltyLevel, [{**level, **more} for level in named])
        reward = {"id": UUID(int=key.int + 0x100), "program_id": key, "name": "Cup", "points": 5, "stock": None}
        work.insert(Reward, [{**reward, "active": True, "created_at": opened}])


def book(rng: Random, org: Org, number: int, name: str, now: datetime) -> Book:
    """An account that was left alone more than a year ago."""
    begun = now - LEFT - timedelta(days=rng.randint(1, 200))
    closed = begun + timedelta(days=20) if rng.random() < 0.1 else None
    made = _Writer(rng, org, program_of(org, number), begun)
    if rng.random() < 0.3 and closed is None:
        made.enter("CLAW_BACK", "DEBT", "REVERSED", rng.randint(1, 60), None)
    else:
        for _ in range(rng.randint(0, 3)):
            # What is there at once goes after a while, or never.
            made.earn(0, rng.choice((None, 300, 420, 800)))
        if made.balances["available"] > 4 and closed is None:
            made.redeem(rng.randint(1, 2))
            if rng.random() < 0.9:
                made.reserve(rng.randint(1, 2))
    if closed is None:
        for _ in range(rng.randint(0, 4)):
            days = rng.randint(30, 700)
            made.earn(days, rng.choice((None, days + rng.choice((1, 200, 500)))))
    return made.finished(number, name, closed, now)


class _Writer:
    """Writes a book as the ledger would, a minute from entry to entry."""

    def __init__(self, rng: Random, org: Org, program: UUID, begun: datetime) -> None:
        self.rng, self.org, self.program, self.begun, self.at = rng, org, program, begun, begun
        self.id = self.key()
        self.balances = dict.fromkeys(BALANCES, 0)
        self.qualified: dict[int, int] = {}
        self.rows: dict[Any, list[dict[str, Any]]] = {
            table: [] for table in (PointsLot, PointsEntry, PointsLotMove, Redemption, PointsReservation)
        }

    def key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128))

    def enter(
        self, kind: str, debit: str, credit: str, points: int, lot: dict[str, Any] | None, source: Any = None
    ) -> UUID:
        self.at += timedelta(minutes=1)
        column = {"ISSUED": "issued", "DEBT": "debt", "RESERVED": "reserved", "REDEEMED": "redeemed"}
        column |= {"AVAILABLE": "available", "PENDING": "pending", "REVERSED": "reversed"}
        self.balances[column[credit]] += points
        self.balances[column[debit]] += points if debit in ("ISSUED", "DEBT") else -points
        key, year = self.key(), None
        if kind in ("EARN", "CLAW_BACK"):
            year = self.at.astimezone(self.org.zone).year - self.rng.choice((0, 1))
            self.qualified[year] = self.qualified.get(year, 0) + (points if kind == "EARN" else -points)
        entry = {"id": key, "account_id": self.id, "program_id": self.program, "at": self.at, "posted_at": self.at}
        entry |= {"place": len(self.rows[PointsEntry]) + 1, "effective_day": local_day(self.at, self.org.zone)}
        entry |= {"kind": kind, "debit": debit, "credit": credit, "points": points, "incoming": False}
        entry |= {"other_account_id": None, "reason": None, "key_id": None, "qualifying_year": year}
        entry |= {"qualified": year and self.qualified[year], **self.balances}
        entry |= {"source_prefix": source and source[0], "source_id": source and source[1]}
        self.rows[PointsEntry].append(entry)
        if lot is not None:
            part = {"AVAILABLE": "remaining", "PENDING": "pending", "RESERVED": "reserved"}
            change = dict.fromkeys(("pending", "remaining", "reserved"), 0)
            for account, sign in ((debit, -1), (credit, 1)):
                if account in part:
                    change[part[account]] += sign * points
                    lot[part[account]] += sign * points
            move = {"entry_id": key, "position": 0, "lot_id": lot["id"], "at": self.at, **change}
            self.rows[PointsLotMove].append(move)
        return key

    def earn(self, active_in: int, expires_in: int | None) -> None:
        points, today = self.rng.randint(5, 90), local_day(self.at, self.org.zone)
        expires = None if expires_in is None else today + expires_in
        lot = {"id": self.key(), "account_id": self.id, "points": points, "pending": 0, "remaining": 0, "reserved": 0}
        lot |= {"active_day": today + active_in, "expires_day": expires, "earned_at": self.at, "terms_version": 1}
        lot |= {"active_at": self.midnight(today + active_in), "purchase_id": None}
        lot["expires_at"] = NEVER if expires is None else self.midnight(expires)
        self.rows[PointsLot].append(lot)
        self.enter("EARN", "ISSUED", "PENDING" if active_in else "AVAILABLE", points, lot)

    def redeem(self, points: int) -> None:
        key = self.key()
        entry = self.enter("REDEEM", "AVAILABLE", "REDEEMED", points, self.first(points), ("red", key))
        row = {"id": key, "account_id": self.id, "entry_id": entry, "points": points, "reversed": 0}
        row |= {"reward_id": None, "reservation_id": None, "redeemed_at": self.at}
        self.rows[Redemption].append(row)

    def reserve(self, points: int) -> None:
        key = self.key()
        entry = self.enter("RESERVE", "AVAILABLE", "RESERVED", points, self.first(points), ("res", key))
        row = {"id": key, "account_id": self.id, "entry_id": entry, "points": points, "captured": 0}
        row |= {"reserved_at": self.at, "expires_at": self.at + timedelta(days=self.rng.choice((1, 900)))}
        self.rows[PointsReservation].append({**row, "closed_at": None, "closed_as": None})

    def first(self, points: int) -> dict[str, Any]:
        return next(lot for lot in self.rows[PointsLot] if lot["remaining"] >= points)

    def midnight(self, day: int) -> datetime:
        return midnight(day_of(day), self.org.zone)

    def finished(self, number: int, name: str, closed: datetime | None, now: datetime) -> Book:
        lots, held = self.rows[PointsLot], self.rows[PointsReservation]
        due = [lot["active_at"] for lot in lots if lot["pending"]] + [each["expires_at"] for each in held]
        due += [lot["expires_at"] for lot in lots if lot["remaining"]]
        account = {"id": self.id, "program_id": self.program, "number": name, "number_folded": fold(name)}
        account |= {"opened_at": self.begun, "closed_at": closed, "version": 1, "entries": len(self.rows[PointsEntry])}
        account |= {"last_at": self.at, "due_at": min(due, default=NEVER), **self.balances}
        balances = self.now(now)
        rank = _level_on(local_day(now, self.org.zone), self.qualified, number)
        values = {
            "number": name,
            "status": "CLOSED" if closed else "OPEN",
            "programId": self.program,
            **{f"balance.{key}": balances[key] for key in ("available", "pending", "debt")},
            "level.rank": rank,
            "level.name": None if rank is None else LEVELS[number][rank][0],
        }
        return Book(self.id, self.program, self.begun, closed, {LoyaltyAccount: [account], **self.rows}, values)

    def now(self, now: datetime) -> dict[str, int]:
        """The balances once all that is due is posted: one thing after the other."""
        lots = {lot["id"]: dict(lot) for lot in self.rows[PointsLot]}
        debt = self.balances["debt"]
        events = [(lot["active_at"], 1, key, key, lot["pending"]) for key, lot in lots.items() if lot["pending"]]
        moves = {move["entry_id"]: move for move in self.rows[PointsLotMove]}
        for held in self.rows[PointsReservation]:
            move = moves[held["entry_id"]]
            events.append((held["expires_at"], 0, held["id"], move["lot_id"], held["points"]))
        events += [(lot["expires_at"], 2, key, key, 0) for key, lot in lots.items()]
        for at, turn, _, key, points in sorted(event for event in events if event[0] <= now):
            lot = lots[key]
            if turn < 2:
                lot["pending" if turn else "reserved"] -= points
                lot["remaining"] += points
            if lot["expires_at"] <= at:
                lot["remaining"] = 0
            paid = min(debt, lot["remaining"])
            debt, lot["remaining"] = debt - paid, lot["remaining"] - paid
        total = {part: sum(lot[part] for lot in lots.values()) for part in ("remaining", "pending")}
        return {"available": total["remaining"], "pending": total["pending"], "debt": debt}


def store_books(work: Work, books: list[tuple[UUID, Book]]) -> None:
    """The rows of all accounts, each of its customer."""
    for table in (LoyaltyAccount, PointsLot, PointsEntry, PointsLotMove, Redemption, PointsReservation):
        more = [{"customer_id": customer} if table is LoyaltyAccount else {} for customer, _ in books]
        rows = [{**row, **of} for (_, each), of in zip(books, more, strict=True) for row in each.rows[table]]
        if rows:
            work.insert(table, rows)
