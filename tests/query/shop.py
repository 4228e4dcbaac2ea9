"""A shop that is the same on both databases, to the last id, with what is true of it worked out in plain Python.

A hundred customers, each with a life at random (tests/oracle/generator.py), names full of traps, and six that are
archived. Nothing in it lies after NOW but ends by word.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from uuid import UUID

from app.platform.access import Org
from app.platform.days import day_number, local_day
from app.platform.text import fold
from tests.conftest import NOW
from tests.oracle.facts import facts_of, printed_facts
from tests.oracle.generator import random_history
from tests.oracle.history import History, Touch
from tests.oracle.judgements import Policy, judge
from tests.oracle.printing import half_away, instant_text, money
from tests.query.members import Book, book
from tests.query.outreach import campaign_of

LIVE, ARCHIVED = 100, 6
OPENED = NOW - timedelta(days=365 * 4)
ORG = Org(UUID(int=0xA0), "Tee & Co", "Asia/Shanghai", "EUR")
NEXT_DOOR = Org(UUID(int=0xB0), "Next door", "Asia/Shanghai", "EUR")
EMPTY = Org(UUID(int=0xD0), "Not open yet", "Asia/Shanghai", "EUR")

# Quotes, backslashes, control characters that may be stored, separators of lines, formats, names of parameters, JSON.
NAMES = (
    'O\'Brien "the Tea"',
    "back\\slash \\n \\u0041",
    "tab\there",
    "line\nbreak",
    "line\u2028para\u2029graph",
    "王小明",
    "小明",
    "明",
    "王小明明",
    "😀 Émile 👩‍👩‍👧",
    "50% off",
    "100%% %s %d %(org)s",
    "{0} {name} {{}}",
    ":org :now $1 ?1 @p",
    '{"a":[1,"x"]}',
    "');DROP TABLE customers;--",
    "under_score",
    "underXscore",
    "Éa",
    "éb",
    "ÉA",
    "Straße",
    "STRASSE",
    "İstanbul",
    "ｆｕｌｌ",
    "a",
    "A",
    "~tilde",
    "null",
    "true",
    "\u00a0inside\u00a0blank",
    "Zoë",
    "zoe",
    "de\u200dl",
    "‮right",
    "Ω",
    "ω",
    "ﬁ",
    "ẞ",
)
CITIES = (None, "Paris", "paris", "上海", "São Paulo", "100%", "a_b", "axb")
REGIONS = (None, "Île-de-France", "île-de-france", "ZHEJIANG")
COUNTRIES, LANGUAGES = (None, "FR", "CN", "BR"), (None, "fr", "zh-Hans")
BIRTHDAYS = (
    date(2000, 2, 29),
    date(1988, 2, 28),
    date(1990, 3, 1),
    date(1969, 12, 31),
    date(1970, 1, 1),
    date(1980, 6, 15),
    date(1981, 6, 16),
    date(1975, 6, 14),
    date(1999, 12, 31),
)
TEXTS = (None, "50% off\\", 'say "hi"\n\t%s', "你好 \u2028", "", "😀")
CURRENCIES = {"EUR": 2, "JPY": 0, "KWD": 3}


@dataclass
class Row:
    """A stored row, and what is true of it by the path that selects it."""

    id: UUID
    columns: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Purchased(Row):
    lines: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Person(Row):
    history: History = field(default_factory=History)
    touchpoints: list[Row] = field(default_factory=list)
    purchases: list[Purchased] = field(default_factory=list)
    refs: list[dict[str, str]] = field(default_factory=list)
    words: list[Row] = field(default_factory=list)
    books: list[Book] = field(default_factory=list)

    @property
    def shown(self) -> list[Row]:
        return [touch for touch in self.touchpoints if touch.columns["retracted_at"] is None]

    @property
    def last_words(self) -> list[Row]:
        last = {}
        for word in sorted(self.words, key=lambda word: (word.columns["at"], word.id)):
            last[word.columns["purpose"], word.columns["channel"]] = word
        return list(last.values())


def public(prefix: str, key: UUID) -> str:
    return f"{prefix}_{key.hex}"


class Maker:
    """Makes everyone, with ids that are the same each time and in no order."""

    def __init__(self, seed: int, org: Org = ORG) -> None:
        self.rng, self.org = Random(seed), org
        self.members = Random(-seed)
        self.today = NOW.astimezone(ORG.zone).date()

    def key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128))

    def campaign(self, key: UUID) -> UUID | None:
        """What some of them name. Without dice: all else stays as it was."""
        return campaign_of(self.org) if key.int % 3 == 0 else None

    def people(self, live: int, archived: int) -> list[Person]:
        return [self.person(n, n >= live) for n in range(live + archived)]

    def person(self, n: int, archived: bool) -> Person:
        rng = self.rng
        history = random_history(rng, NOW, ORG.zone, ahead_days=0)
        if not [touch for touch in history.touches if not touch.retracted]:
            for order in history.orders:
                order.tailored = False
        birthday = rng.choice((None, *BIRTHDAYS))
        name = NAMES[n % len(NAMES)] if n < 2 * len(NAMES) else f"{rng.choice(NAMES[:30])} {rng.choice(NAMES)}"
        email = rng.choice((None, f"Buyer.{n}@example.com", f"buyer_{n}%@example.org", "family@example.net"))
        # Many share an instant, so that ties are broken; some differ by a microsecond.
        created = OPENED + timedelta(days=rng.choice((0, 1, 1, 2)), microseconds=rng.choice((0, 0, 1)))
        columns = {
            "version": 1,
            "created_at": created,
            "updated_at": created + timedelta(hours=rng.randint(0, 3)),
            "archived_at": NOW - timedelta(days=1) if archived else None,
            "kind": rng.choice(("PERSON", "PERSON", "COMPANY")),
            "name": name,
            "email": email,
            "phone": rng.choice((None, f"+3361234{n:04}", "+8613800138000")),
            "birthday": None if birthday is None else day_number(birthday),
            "birthday_month_day": None if birthday is None else birthday.month * 100 + birthday.day,
            "city": rng.choice(CITIES),
            "region": rng.choice(REGIONS),
            "country": rng.choice(COUNTRIES),
            "language": rng.choice(LANGUAGES),
            "attributes": rng.choice(("{}", '{"a":"\\"%s\\u2028","b":[1.5,null,true]}', '{"茶":{"x":"😀\\\\"}}')),
            "suppressed": history.suppressed,
            "terminated_day": None if history.terminated_on is None else day_number(history.terminated_on),
            "termination_reason": None,
        }
        for folded in ("name", "email", "city", "region"):
            columns[f"{folded}_folded"] = None if columns[folded] is None else fold(columns[folded])
        person = Person(self.key(), columns, history=history)
        person.touchpoints = self.touchpoints(history.touches)
        person.purchases = [self.purchase(order, person) for order in history.orders]
        person.words = [self.word(word) for word in sorted(history.words, key=lambda word: word.id)]
        person.refs = [
            {"system": system, "value": f"{rng.choice(('n%', 'N_', '茶'))}{n}"}
            for system in ("pos", "web%", "CRM")
            if rng.random() < 0.4
        ]
        person.books = [
            book(self.members, self.org, number, f"{mark} {n}", NOW)
            for number, mark in enumerate(("M%", "Ö_"))
            if self.members.random() < 0.5
        ]
        history.memberships = [(each.opened, each.closed) for each in person.books]
        person.values = self.values(person)
        return person

    def touchpoints(self, touches: list[Touch]) -> list[Row]:
        rng = self.rng
        # The latest answer is told by instant and then by id, so ids rise as the oracle's do.
        keys = dict(zip(sorted(touch.id for touch in touches), sorted(self.key() for _ in touches), strict=True))
        rows = []
        for touch in touches:
            ref = rng.choice((None, None, f"T%{keys[touch.id].hex[:6]}"))
            columns = {
                "kind": touch.kind,
                "channel": touch.channel,
                "direction": touch.direction,
                "occurred_at": touch.at,
                "local_day": local_day(touch.at, ORG.zone),
                "recorded_at": touch.at + timedelta(minutes=rng.choice((0, 0, 7))),
                "subject": rng.choice(TEXTS) or None,
                "body": rng.choice(TEXTS) or None,
                "sentiment_e6": rng.choice((None, -1_000_000, 0, 250_000, 1)),
                "nps": touch.nps,
                "csat": touch.csat,
                "quality_e6": _millionths(touch.quality),
                "price_e6": _millionths(touch.price),
                "resolved_at": touch.resolved_at,
                "resolution": None,
                "in_reply_to": keys[touch.reply_to] if touch.reply_to else None,
                "ref_system": "Mail" if ref else None,
                "ref_system_folded": "mail" if ref else None,
                "ref_value": ref,
                "ref_value_folded": fold(ref) if ref else None,
                "attributes": '{"k":"%s"}',
                "content_hash": "",
                "retracted_at": NOW if touch.retracted else None,
                "retraction_reason": None,
                "campaign_id": self.campaign(keys[touch.id]),
            }
            values = {
                "kind": touch.kind,
                "channel": touch.channel,
                "direction": touch.direction,
                "occurredAt": instant_text(touch.at),
                "recordedAt": instant_text(columns["recorded_at"]),
                "nps": touch.nps,
                "csat": touch.csat,
                "resolvedAt": instant_text(touch.resolved_at),
                "externalRef.system": columns["ref_system"],
                "externalRef.value": ref,
                "campaignId": columns["campaign_id"],
            }
            rows.append(Row(keys[touch.id], columns, values))
        return rows

    def purchase(self, order: Any, person: Person) -> Purchased:
        rng = self.rng
        own = order.reporting_minor == order.gross_minor
        currency = "KWD" if order.reporting_minor is None else "EUR" if own else "JPY"
        refunded, shares = 0, []
        for given in sorted(order.refunds, key=lambda given: (given.at, given.id)):
            refunded += given.minor
            shares.append(None if order.reporting_minor is None else _share(order, refunded) - sum(shares))
        ref = rng.choice((None, f"order_{rng.randint(0, 10**9)}"))
        columns = {
            "purchased_at": order.at,
            "local_day": local_day(order.at, ORG.zone),
            "recorded_at": order.at,
            "channel": rng.choice(("STORE", "WEBSITE")),
            "promotional": rng.random() < 0.3,
            "currency": currency,
            "exponent": CURRENCIES[currency],
            "gross_minor": order.gross_minor,
            "gross_reporting": order.reporting_minor,
            "rate_e12": None,
            "rate_source": None,
            "refunded_minor": refunded,
            "refunded_reporting": None if order.reporting_minor is None else sum(shares),
            "tailored_to": rng.choice(person.shown).id if order.tailored else None,
            "ref_system": "shop" if ref else None,
            "ref_system_folded": "shop" if ref else None,
            "ref_value": ref,
            "ref_value_folded": ref,
            "content_hash": "",
            "voided_at": NOW if order.voided else None,
            "void_reason": None,
        }
        row = Purchased(self.key(), columns)
        columns["campaign_id"] = self.campaign(row.id)
        keys = sorted(self.key() for _ in shares)
        row.refunds = [
            {
                "id": key,
                "amount_minor": given.minor,
                "amount_reporting": share,
                "refunded_at": given.at,
                "recorded_at": given.at,
                "content_hash": "",
            }
            for key, given, share in zip(
                keys, sorted(order.refunds, key=lambda given: (given.at, given.id)), shares, strict=True
            )
        ]
        first = rng.randint(0, order.gross_minor)
        for position, total in enumerate((first, order.gross_minor - first)):
            sku, category = rng.choice((None, "SKU_%", "sku-1")), rng.choice((None, "Tea", "茶"))
            name = rng.choice(("Green Tea", "乌龙", "50% tea"))
            row.lines.append(
                {
                    "position": position,
                    "sku": sku,
                    "sku_folded": sku and fold(sku),
                    "name": name,
                    "name_folded": fold(name),
                    "category": category,
                    "category_folded": category and fold(category),
                    "quantity_e6": rng.choice((1, 1_500_000, 10_000_000)),
                    "unit_minor": rng.choice((None, total)),
                    "total_minor": total,
                }
            )
        status = "REFUNDED" if refunded >= order.gross_minor else "PARTLY_REFUNDED"
        status = "VOIDED" if order.voided else "COMPLETED" if not refunded else status
        gross, back = order.reporting_minor, columns["refunded_reporting"]
        row.values = {
            "purchasedAt": instant_text(order.at),
            "recordedAt": instant_text(order.at),
            "status": status,
            "channel": columns["channel"],
            "promotional": columns["promotional"],
            "currency": currency,
            "externalRef.system": columns["ref_system"],
            "externalRef.value": ref,
            "campaignId": columns["campaign_id"],
            "grossReporting": None if gross is None else money(gross, 2),
            "netReporting": None if gross is None else money(gross - back, 2),
        }
        return row

    def word(self, word: Any) -> Row:
        columns = {
            "purpose": word.purpose,
            "channel": word.channel,
            "state": word.state,
            "at": word.at,
            "recorded_at": word.at,
            "source": None,
            "policy_text": None,
        }
        values = {"purpose": word.purpose, "channel": word.channel, "state": word.state}
        # Equal instants are told apart by id, in the order of recording.
        return Row(UUID(int=(int(word.id[4:]) << 96) | self.rng.getrandbits(90)), columns, values)

    def values(self, person: Person) -> dict[str, Any]:
        columns = person.columns
        known = facts_of(person.history, NOW, ORG.zone)
        said = {
            key: columns[key]
            for key in ("kind", "name", "email", "phone", "city", "region", "country", "language", "suppressed")
        }
        said |= {
            "createdAt": instant_text(columns["created_at"]),
            "updatedAt": instant_text(columns["updated_at"]),
            "birthday": None
            if columns["birthday"] is None
            else (date(1970, 1, 1) + timedelta(days=columns["birthday"])).isoformat(),
        }
        return said | printed_facts(known, 2) | judge(known, Policy(), self.today)


def _share(order: Any, refunded: int) -> int:
    return half_away(Fraction(order.reporting_minor * refunded, order.gross_minor))


def _millionths(number: Decimal | None) -> int | None:
    return None if number is None else int(number * 1_000_000)
