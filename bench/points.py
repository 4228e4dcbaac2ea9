"""What the shop's members have earned and spent: one programme of three levels, an account for every customer, and the
books of their points, the same for every database.

An account has one to four entries; those of the first three customers have 10, 1,000 and 100,000. What stands in
accounts and lots is what the entries make of them: `guanxi ledger verify` finds nothing. Points expire after four
years, so that nothing falls due as long as the databases are used. To stay takes as many points as to qualify, and
nobody falls softly: a level is what the better of this year and the last one reaches, which is easily written by hand.
"""

from array import array
from collections.abc import Iterator
from random import Random
from uuid import UUID

from bench.data import DAY_MS, ORG, Row, Shop, row_key

PROGRAM = UUID("01900000-0000-7000-8000-0000000910a1")
# Of the first customers: so many entries.
LONG = (10, 1_000, 100_000)
# At least so much is left on every account.
LEFT = 800
EXPIRY_DAYS = 1460
LEVELS = (("Leaf", 0, 1_000_000), ("Silver", 1_500, 1_250_000), ("Gold", 3_000, 1_500_000))
_MEMBER, _ENTRY, _LOT, _REDEMPTION = 6, 7, 8, 9
_BEGAN = "2020-01-01T00:00:00.000000Z"
_BALANCES = "available pending reserved debt issued redeemed expired reversed adjusted moved"

COLUMNS: dict[str, str] = {
    "loyalty_programs": "org_id id name points_name currency exponent created_at version earn_rate_e6 activation_days"
    " expiry_days point_value_e6 grace_days soft_landing",
    "loyalty_terms": "org_id program_id version at earn_rate_e6 activation_days expiry_days point_value_e6 grace_days"
    " soft_landing",
    "loyalty_levels": "org_id program_id version rank name name_folded qualify_points retain_points multiplier_e6"
    " benefits",
    "loyalty_accounts": "org_id id program_id customer_id number number_folded opened_at closed_at version entries"
    f" last_at due_at kept_version kept_rank {_BALANCES}",
    "points_entries": "org_id id account_id program_id place at posted_at effective_day kind debit credit points"
    f" incoming reason source_prefix source_id qualifying_year qualified {_BALANCES}",
    "points_lots": "org_id id account_id points pending remaining reserved active_day active_at expires_day expires_at"
    " earned_at terms_version spendable",
    "points_lot_moves": "org_id entry_id position lot_id at pending remaining reserved",
    "redemptions": "org_id id account_id entry_id points reversed redeemed_at",
}


def member_key(shop: Shop, index: int) -> str:
    """The account of that customer, opened when they were first known."""
    return row_key(shop.created_ms(index), _MEMBER, index)


class Points:
    """All books of a shop, kept in order of time: as many entries as there are, in arrays."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._org, self._program = shop, ORG.hex, PROGRAM.hex
        self._moments = self._lives()
        many = len(self._moments)
        # Of each account, so far.
        self._entries, self._available, self._issued, self._last = (_zeros(shop.size) for _ in range(4))
        # Of each entry: what it moved (below zero: spent), and what was there then. A lot has its entry's number.
        self._moved, self._place, self._had, self._ever, self._left = (_zeros(many) for _ in range(5))
        self._year, self._qualified = _zeros(many), _zeros(many)
        self._moves: list[array[int]] = [array("q") for _ in range(4)]
        self._first_open, self._best = _zeros(shop.size), _zeros(shop.size)
        self._replay()

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of one table."""
        make: Iterator[Row] = getattr(self, f"_{table}")()
        return make

    def _lives(self) -> "array[int]":
        """When something happened, and with whom: milliseconds of the story, and the customer."""
        shop = self._shop
        dice = Random(f"points {shop.size}")
        found: list[int] = []
        for index in range(shop.size):
            born, many = shop.created_ms(index), 1 + int(4 * dice.random() ** 1.5)
            left = shop.end - born - 2
            if index < len(LONG):
                many = LONG[index]
                times = [born + 1 + left * n // many for n in range(many)]
            else:
                times = [born + 1 + int(left * dice.random()) for _ in range(many)]
            found.extend((ms - shop.begin) << 24 | index for ms in times)
        found.sort()
        return array("q", found)

    def _told(self, number: int) -> tuple[int, int]:
        since, index = divmod(self._moments[number], 1 << 24)
        return self._shop.begin + since, index

    def _replay(self) -> None:
        """Earn and spend, soonest expiry first, which here is what was earned first."""
        dice = Random(f"spending {self._shop.size}")
        lots: list[list[int]] = [[] for _ in range(self._shop.size)]
        years: dict[tuple[int, int], int] = {}
        for number in range(len(self._moments)):
            ms, index = self._told(number)
            self._entries[index] += 1
            place, has = self._entries[index], self._available[index]
            points = _points(dice, index, place, has)
            if points > 0:
                year = int(self._shop.instant(ms)[:4])
                years[index, year] = years.get((index, year), 0) + points
                self._year[number], self._qualified[number] = year, years[index, year]
                self._left[number] = points
                self._issued[index] += points
                lots[index].append(number)
                self._move(number, 0, number, points)
            else:
                self._spend(number, lots[index], -points)
            self._available[index] = has + points
            self._last[index] = ms
            self._moved[number], self._place[number] = points, place
            self._had[number], self._ever[number] = has + points, self._issued[index]
        for index, some in enumerate(lots):
            self._first_open[index] = some[0]
            this, last = self._this_year(), self._this_year() - 1
            self._best[index] = max(years.get((index, this), 0), years.get((index, last), 0))

    def _this_year(self) -> int:
        return int(self._shop.instant(self._shop.end)[:4])

    def _spend(self, number: int, lots: list[int], points: int) -> None:
        position = 0
        while points:
            some = min(points, self._left[lots[0]])
            self._left[lots[0]] -= some
            self._move(number, position, lots[0], -some)
            points, position = points - some, position + 1
            if not self._left[lots[0]]:
                lots.pop(0)

    def _move(self, *what: int) -> None:
        for values, value in zip(self._moves, what, strict=True):
            values.append(value)

    # -------------------------------------------------------------- rows

    def _loyalty_programs(self) -> Iterator[Row]:
        yield (self._org, self._program, "Leaves", "leaves", "CNY", 2, _BEGAN, 1, 10**6, 0, EXPIRY_DAYS, 10**4, 0, 0)

    def _loyalty_terms(self) -> Iterator[Row]:
        yield (self._org, self._program, 1, _BEGAN, 10**6, 0, EXPIRY_DAYS, 10**4, 0, 0)

    def _loyalty_levels(self) -> Iterator[Row]:
        for rank, (name, points, multiplier) in enumerate(LEVELS, 1):
            yield (self._org, self._program, 1, rank, name, name.casefold(), points, points, multiplier, "[]")

    def _loyalty_accounts(self) -> Iterator[Row]:
        shop = self._shop
        for index in range(shop.size):
            number, opened = f"{index:010d}", shop.instant(shop.created_ms(index))
            due = self._day(self._told(self._first_open[index])[0] // DAY_MS + EXPIRY_DAYS)
            # The calendar may change a level when the year ends.
            due = min(due, f"{self._this_year() + 1}-01-01T00:00:00.000000Z")
            rank = max((n for n, (_, points, _) in enumerate(LEVELS, 1) if self._best[index] >= points), default=None)
            available, issued, entries = self._available[index], self._issued[index], self._entries[index]
            yield (
                *(self._org, member_key(shop, index), self._program, shop.customer_key(index), number, number, opened),
                *(None, 1 + entries, entries, shop.instant(self._last[index]), due, 1, rank),
                *(available, 0, 0, 0, issued, issued - available, 0, 0, 0, 0),
            )

    def _points_entries(self) -> Iterator[Row]:
        for number, points in enumerate(self._moved):
            ms, index = self._told(number)
            at, available, issued = self._shop.instant(ms), self._had[number], self._ever[number]
            earned = points > 0
            yield (
                *(self._org, row_key(ms, _ENTRY, number), member_key(self._shop, index), self._program),
                *(self._place[number], at, at, ms // DAY_MS),
                *(("EARN", "ISSUED", "AVAILABLE") if earned else ("REDEEM", "AVAILABLE", "REDEEMED")),
                *(abs(points), 0, "A visit" if earned else None),
                *((None, None) if earned else ("red", row_key(ms, _REDEMPTION, number))),
                *((self._year[number], self._qualified[number]) if earned else (None, None)),
                *(available, 0, 0, 0, issued, issued - available, 0, 0, 0, 0),
            )

    def _points_lots(self) -> Iterator[Row]:
        for number, points in enumerate(self._moved):
            if points > 0:
                ms, index = self._told(number)
                day = ms // DAY_MS
                yield (
                    *(self._org, row_key(ms, _LOT, number), member_key(self._shop, index), points),
                    *(0, self._left[number], 0, day, self._day(day), day + EXPIRY_DAYS, self._day(day + EXPIRY_DAYS)),
                    *(self._shop.instant(ms), 1, self._left[number] > 0),
                )

    def _points_lot_moves(self) -> Iterator[Row]:
        for number, position, lot, change in zip(*self._moves, strict=True):
            ms, earned = self._told(number)[0], self._told(lot)[0]
            yield (
                *(self._org, row_key(ms, _ENTRY, number), position, row_key(earned, _LOT, lot)),
                *(self._shop.instant(ms), 0, change, 0),
            )

    def _redemptions(self) -> Iterator[Row]:
        for number, points in enumerate(self._moved):
            if points < 0:
                ms, index = self._told(number)
                yield (
                    *(self._org, row_key(ms, _REDEMPTION, number), member_key(self._shop, index)),
                    *(row_key(ms, _ENTRY, number), -points, 0, self._shop.instant(ms)),
                )

    def _day(self, day: int) -> str:
        return self._shop.instant(day * DAY_MS)


def _points(dice: Random, index: int, place: int, has: int) -> int:
    """What an entry moves: the first one is large enough for whatever is measured; below zero it is spent."""
    if index < len(LONG):
        return 100_000 if place % 2 else -80_000
    if place == 1:
        return 1_000 + int(2_500 * dice.random() ** 3)
    if has > LEFT + 100 and dice.random() < 0.3:
        return -(100 + int((has - LEFT - 100) * dice.random()))
    return 200 + int(1_800 * dice.random() ** 2)


def _zeros(many: int) -> "array[int]":
    return array("q", bytes(8 * many))
