"""The shop that is measured: N customers and three years of what happened with them, the same rows for every database.
Their points are in bench/points.py.

Each size has the same density: two or three purchases and three or four touchpoints a customer, skewed as in life,
from none to dozens. Customers arrive evenly over the three years, some never buy, some fall silent: every stage is
populated. Rows are plain texts and numbers in the order of their ids, which is the order in which they happened; the
values follow from the size and the day that the shop is told on, and from nothing else.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from uuid import UUID

DATA_VERSION = 2
DAYS = 1095
DAY_MS = 86_400_000
ORG = UUID("01900000-0000-7000-8000-00000000a11a")
KEY = UUID("01900000-0000-7000-8000-00000000ce11")

Value = str | int | None
Row = tuple[Value, ...]

_CITIES = (
    ("Shanghai", "Shanghai", "CN", "zh-Hans"),
    ("Hangzhou", "Zhejiang", "CN", "zh-Hans"),
    ("Chengdu", "Sichuan", "CN", "zh-Hans"),
    ("Taipei", "Taipei", "TW", "zh-Hant"),
    ("Paris", "Ile-de-France", "FR", "fr"),
    ("Lyon", "Auvergne-Rhone-Alpes", "FR", "fr"),
    ("Berlin", "Berlin", "DE", "de"),
    ("Osaka", "Osaka", "JP", "ja"),
)
_GIVEN = ("Wei", "Fang", "Min", "Jing", "Lei", "Jun", "Anna", "Paul", "Marie", "Luc", "Hugo", "Mia", "Ken", "Yuki")
_FAMILY = ("Wang", "Li", "Zhang", "Liu", "Chen", "Zhao", "Wu", "Martin", "Bernard", "Muller", "Sato", "Suzuki", "Ito")
_CHANNELS = ("EMAIL", "PHONE", "CHAT", "WECHAT", "STORE", "WEBSITE", "APP")
_KINDS = (
    *("MESSAGE",) * 36,
    *("CALL",) * 10,
    *("MEETING",) * 4,
    *("BROWSE",) * 12,
    *("CLICK",) * 8,
    *("SURVEY",) * 11,
    *("COMPLAINT",) * 4,
    *("NEED",) * 4,
    *("REVIEW",) * 3,
    *("SOCIAL",) * 3,
    *("EVENT",) * 2,
    *("REFERRAL",) * 1,
    *("CO_CREATION",) * 1,
    *("QUOTE_ACCEPTED",) * 1,
)
_GOODS = ("Longjing", "Tieguanyin", "Dahongpao", "Pu'er", "Biluochun", "Keemun")

COLUMNS: dict[str, str] = {
    "customers": "org_id id version created_at updated_at kind name name_folded email email_folded phone birthday"
    " birthday_month_day city city_folded region region_folded country language attributes suppressed",
    "customer_refs": "org_id customer_id system system_folded value value_folded live",
    "customer_facts": "org_id customer_id",
    "consents": "org_id id customer_id purpose channel state at recorded_at",
    "touchpoints": "org_id id customer_id kind channel direction occurred_at local_day recorded_at subject"
    " sentiment_e6 nps csat quality_e6 price_e6 resolved_at resolution attributes content_hash",
    "purchases": "org_id id customer_id purchased_at local_day recorded_at channel promotional currency exponent"
    " gross_minor gross_reporting rate_e12 rate_source refunded_minor refunded_reporting content_hash",
    "purchase_lines": "org_id purchase_id position sku sku_folded name name_folded category category_folded"
    " quantity_e6 unit_minor total_minor",
    "refunds": "org_id id purchase_id amount_minor amount_reporting refunded_at recorded_at reason content_hash",
}


@dataclass
class Shop:
    """Of so many customers, told on `today`, whose midnight in UTC is the end of the story."""

    size: int
    today: datetime
    _days: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.end = int(self.today.timestamp()) * 1000
        self.begin = self.end - DAYS * DAY_MS
        self._org = ORG.hex
        self._events: dict[str, array[int]] = {}

    def created_ms(self, index: int) -> int:
        """When that customer was first known; evenly over the three years."""
        return self.begin + (index * (DAYS * DAY_MS - 1)) // self.size

    def customer_key(self, index: int) -> str:
        return row_key(self.created_ms(index), 1, index)

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of one table, in the order of the ids."""
        make: Iterator[Row] = getattr(self, f"_{table}")()
        return make

    def instant(self, ms: int) -> str:
        """As SQLite stores it, and PostgreSQL reads it."""
        day, rest = divmod(ms, DAY_MS)
        text = self._days.get(day)
        if text is None:
            text = self._days[day] = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
        seconds, millis = divmod(rest, 1000)
        minutes, seconds = divmod(seconds, 60)
        return f"{text}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{millis:03d}000Z"

    def _customers(self) -> Iterator[Row]:
        dice = Random(f"customers {self.size}")
        for index in range(self.size):
            ms = self.created_ms(index)
            at = self.instant(ms)
            name = f"{_GIVEN[dice.randrange(len(_GIVEN))]} {_FAMILY[dice.randrange(len(_FAMILY))]} {index}"
            email = f"c{index}@shop.example" if dice.random() < 0.9 else None
            phone = f"+861{3_000_000_000 + index}" if dice.random() < 0.6 else None
            city, region, country, language = _CITIES[int(len(_CITIES) * dice.random() ** 1.5)]
            birthday = -dice.randrange(0, 10_000) + 5_000 if dice.random() < 0.3 else None
            yield (
                *(self._org, row_key(ms, 1, index), 1, at, at, "COMPANY" if index % 12 == 0 else "PERSON"),
                *(name, name.casefold(), email, email, phone, birthday, _month_day(birthday)),
                *(city, city.casefold(), region, region.casefold(), country, language, "{}", 0),
            )

    def _customer_refs(self) -> Iterator[Row]:
        for index in range(self.size):
            value = f"{index:08d}"
            yield (self._org, self.customer_key(index), "shop", "shop", value, value, 1)

    def _customer_facts(self) -> Iterator[Row]:
        for index in range(self.size):
            yield (self._org, self.customer_key(index))

    def _consents(self) -> Iterator[Row]:
        dice = Random(f"consents {self.size}")
        for index in range(self.size):
            if dice.random() < 0.4:
                ms = self.created_ms(index)
                at = self.instant(ms)
                state = "GRANTED" if dice.random() < 0.85 else "WITHDRAWN"
                key = self.customer_key(index)
                yield (self._org, row_key(ms, 2, index), key, "MARKETING", "EMAIL", state, at, at)

    def _touchpoints(self) -> Iterator[Row]:
        dice = Random(f"touchpoints {self.size}")
        for number, packed in enumerate(self._moments("touchpoints")):
            ms, index = self._told(packed)
            at, kind = self.instant(ms), _KINDS[dice.randrange(100)]
            nps = csat = quality = price = resolved = resolution = None
            sentiment = dice.randrange(-1000, 1001) * 1000 if dice.random() < 0.2 else None
            if kind == "SURVEY":
                nps = min(10, int(11 * dice.random() ** 0.5))
                csat = 1 + int(5 * dice.random() ** 0.7)
                if dice.random() < 0.5:
                    quality, price = dice.randrange(700_000, 1_400_000), dice.randrange(700_000, 1_400_000)
            elif kind == "COMPLAINT" and dice.random() < 0.9 and ms < self.end - 9 * DAY_MS:
                resolved, resolution = self.instant(ms + dice.randrange(1, 8 * DAY_MS)), "Settled"
            yield (
                *(self._org, row_key(ms, 3, number), self.customer_key(index), kind),
                *(_CHANNELS[dice.randrange(len(_CHANNELS))], "INBOUND" if dice.random() < 0.6 else "OUTBOUND"),
                *(at, ms // DAY_MS, at, f"About {number}" if dice.random() < 0.7 else None),
                *(sentiment, nps, csat, quality, price, resolved, resolution, "{}", "bench"),
            )

    def _orders(self) -> Iterator[tuple[int, int, str, int, int]]:
        """Number, instant, customer, gross, and what of it was given back."""
        dice = Random(f"purchases {self.size}")
        for number, packed in enumerate(self._moments("purchases")):
            ms, index = self._told(packed)
            gross = 500 + int(60_000 * dice.random() ** 3)
            back = dice.random()
            refunded = 0 if back > 0.04 else gross if back < 0.015 else gross // 3
            if ms > self.end - 4 * DAY_MS:
                refunded = 0
            yield number, ms, self.customer_key(index), gross, refunded

    def _purchases(self) -> Iterator[Row]:
        for number, ms, customer, gross, refunded in self._orders():
            at = self.instant(ms)
            yield (
                *(self._org, row_key(ms, 4, number), customer, at, ms // DAY_MS, at, _CHANNELS[number % 7]),
                *(int(number % 5 == 0), "CNY", 2, gross, gross, 10**12, "IDENTITY", refunded, refunded, "bench"),
            )

    def _purchase_lines(self) -> Iterator[Row]:
        for number, ms, _, gross, _ in self._orders():
            name = _GOODS[number % 6]
            sku, folded = f"T-{number % 6}", name.casefold()
            yield (
                *(self._org, row_key(ms, 4, number), 0, sku, sku.casefold(), name, folded, "Tea", "tea"),
                *(1_000_000, gross, gross),
            )

    def _refunds(self) -> Iterator[Row]:
        for number, ms, _, _, refunded in self._orders():
            if refunded:
                at = self.instant(ms + 3 * DAY_MS)
                yield (
                    *(self._org, row_key(ms + 3 * DAY_MS, 5, number), row_key(ms, 4, number)),
                    *(refunded, refunded, at, at, "Returned", "bench"),
                )

    def _moments(self, table: str) -> "array[int]":
        """When something happened, and with whom, in the order of time: milliseconds of the story, and the customer."""
        if not self._events:
            self._live()
        return self._events[table]

    def _told(self, packed: int) -> tuple[int, int]:
        since, index = divmod(packed, 1 << 24)
        return self.begin + since, index

    def _live(self) -> None:
        """Every customer's life: when they bought and when they were in touch."""
        dice = Random(f"lives {self.size}")
        touches: list[int] = []
        orders: list[int] = []
        for index in range(self.size):
            born = self.created_ms(index)
            left = self.end - born
            chance = dice.random
            alive = chance() < 0.4
            span = left if alive else int(left * chance() ** 1.5)
            if chance() < 0.8:
                count = min(60, int(chance() ** -0.74))
                first = min(int(chance() ** 2 * 20 * DAY_MS), left - 1)
                room = max(1, span - first)
                since = born - self.begin + first
                orders.append(since << 24 | index)
                orders.extend((since + int(chance() * room)) << 24 | index for _ in range(count - 1))
                if alive and count > 1:
                    recent = max(0, left - 1 - int(chance() * 150 * DAY_MS))
                    orders[-1] = (born - self.begin + max(first, recent)) << 24 | index
                most = min(80, int(1.6 * chance() ** -0.7))
            else:
                most = int(5 * chance() ** 1.3)
                span = min(left, int(200 * DAY_MS * chance()) + 1)
            touches.extend((born - self.begin + int(chance() * max(1, span - 1))) << 24 | index for _ in range(most))
        for table, moments in (("touchpoints", touches), ("purchases", orders)):
            moments.sort()
            self._events[table] = array("q", moments)


def row_key(ms: int, table: int, number: int) -> str:
    """A UUIDv7 of that instant, never the same for two rows."""
    return f"{ms:012x}7{number & 0xFFF:03x}8{table:x}{number:014x}"


@cache
def _month_day(birthday: int | None) -> int | None:
    if birthday is None:
        return None
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=birthday)
    return day.month * 100 + day.day
