"""A tea house to look at: one organisation, two thousand customers, and three years of what happened with them.

Everything goes in by the same actions as through the API; made twice on the same day, it is the same but for the ids,
and for the arms of campaigns, which are drawn by them.
Some customers are there to be found again, by an external reference of the system "demo":

    ambassador          LOYAL, MATURITY, PARTNER, AMBASSADOR; three surveys tell how quality for the price moved
    slipping-partner    LOYAL and PARTNER, yet in DECLINE: nothing bought for 200 days
    new-customer        NEW, BUYER: bought once, nine days ago
    prospect            PROSPECT, DEVELOPMENT: has asked, and not bought
    lost                CHURNED: nothing bought for 430 days
    complaint           LOYAL, in DECLINE for a complaint that has waited 25 days
    office-contract     a company, PROSPECT in SIGNING: it has signed, and not ordered yet
    gold-star           a member of the stars programme for two years
    silver-star         her daughter, to whom she has given stars
    stars-owed          spent stars, and then brought back what they were for

Accounts of the stars programme have the same references as their numbers (`stars.py` says what is in them);
`campaigns.py` says which campaigns there are.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from app.campaigns.audience import Reads
from app.customers.actions import upsert_customers
from app.demo.campaigns import Campaigns
from app.demo.lives import DAYS, Deed, Life, Record, Teller
from app.demo.stars import Stars
from app.demo.words import LEAVES, PLACES, TREASURES
from app.loyalty.posting import post_some
from app.platform.access import create_organization, organizations
from app.platform.database import analyze
from app.platform.work import Work, operator, transaction
from app.purchases.actions import record_purchases
from app.purchases.rates import import_rates
from app.scores.actions import first_policy, publish_policy
from app.scores.standings import settle
from app.segments.actions import first_segments
from app.touchpoints.actions import record_touchpoints

NAME, TIME_ZONE, CURRENCY = "Qinghe Tea House 清河茶馆", "Asia/Shanghai", "CNY"
# What one of each is worth in the reporting currency, to begin with.
FOREIGN = {"EUR": 7.75, "USD": 7.15}
# Facts are made again once a batch.
AT_ONCE = 2000
WEEKS_UNLOOKED = 52
PARIS = next(place for place in PLACES if place.city == "Paris")


def fill(engine: Engine, now: datetime, reads: Reads) -> str:
    """Make the tea house as it stands that morning, unless there is an organisation already; says what it did.

    `reads`: how the audience of a campaign is asked, which the API alone knows.
    """
    zone = ZoneInfo(TIME_ZONE)
    today = datetime.combine(now.astimezone(zone), time.min, zone)
    teller = Teller(today)
    # One transaction: what is interrupted leaves nothing behind, and can be started again.
    with transaction(engine) as session:
        if organizations(session):
            return "There is an organisation already, so none was made."
        opened = today - timedelta(days=DAYS + 1)
        org = create_organization(session, NAME, TIME_ZONE, CURRENCY, opened)
        work = Work(session, operator(org), opened)
        _publish(work, today)
        work.now = today
        import_rates(session, _rates(teller), today)
        stars = Stars(teller)
        lives = [*_named(teller), *teller.customers(), *stars.family()]
        contacts, orders = _record(work, lives, stars)
        campaigns = Campaigns(today, lives, stars.members, reads)
        for deeds in campaigns.told():
            _look(work)
            _do(work, deeds)
    settle(engine, org, lambda: now)
    analyze(engine)
    many = f"{len(lives):,} customers, {len(stars.members):,} with stars"
    orders, contacts = orders + campaigns.orders, contacts + campaigns.contacts
    return f"Made {NAME}: {many}, {orders:,} purchases and {contacts:,} touchpoints."


def _publish(work: Work, today: datetime) -> None:
    """A year in, the amounts were fitted to what tea costs, complaints were promised a quicker answer, and customers
    one message a month."""
    first_policy(work)
    first_segments(work)
    work.now = today - timedelta(days=2 * 365)
    cuts = [Decimal(cut) for cut in (200, 800, 2000, 5000)]
    change = {"rfm_monetary_cuts": cuts, "complaint_sla_days": 10, "marketing_cap_per_channel": 1}
    publish_policy(work, {"expected_version": 1, "rfm_cuts_from_base": False, "set": change})


def _rates(teller: Teller) -> Iterator[dict[str, str | None]]:
    for currency, rate in FOREIGN.items():
        for ago in range(DAYS + 7, 0, -7):
            rate *= teller.rng.uniform(0.992, 1.008)
            yield {
                "date": teller.at(ago).date().isoformat(),
                "base": currency,
                "quote": CURRENCY,
                "rate": f"{rate:.4f}",
            }


def _record(work: Work, lives: list[Life], stars: Stars) -> tuple[int, int]:
    """Each with the clock of its own time; returns how many contacts and orders there were."""
    for work.now, joined in groupby(sorted(lives, key=lambda life: life.joined), key=lambda life: life.joined):
        rows: Any = [{"external_ref": life.ref, "set": life.profile} for life in joined]
        _done(upsert_customers(work, {"rows": rows, "on_error": "REJECT_ALL"}))
    contacts = [contact for life in lives for contact in life.contacts]
    others = stars.enrol(lives)
    orders = [order for life in others for order in life.orders]
    # Contacts first: an order may be made to fit a need.
    _in_turn(work, contacts, "occurred_at", record_touchpoints)
    _in_turn(work, orders, "purchased_at", record_purchases)
    _look(work)
    _do(work, [deed for life in others for deed in life.deeds])
    return len(contacts), len(orders) + _earn_and_spend(work, stars)


def _earn_and_spend(work: Work, stars: Stars) -> int:
    """Members' purchases and deeds, by the week; returns how many purchases."""
    count = 0
    for number, week in enumerate(stars.weeks()):
        if number % WEEKS_UNLOOKED == 1:
            _look(work)
        _do(work, week.opened)
        if week.orders:
            work.now = week.orders[-1]["purchased_at"]
            _done(record_purchases(work, {"rows": week.orders}, limit=None))
        _do(work, week.deeds)
        count += len(week.orders)
    work.now = stars.teller.today
    while post_some(work):
        pass
    return count


def _do(work: Work, deeds: Iterable[Deed]) -> None:
    for work.now, act, given in sorted(deeds, key=lambda deed: deed[0]):
        act(work, given)


def _in_turn(work: Work, rows: list[Record], at: str, act: Callable[..., Any]) -> None:
    rows.sort(key=lambda row: row[at])
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        _look(work)
        work.now = some[-1][at]
        _done(act(work, {"rows": some}, limit=None))


def _look(work: Work) -> None:
    # PostgreSQL takes a table that this transaction has filled for an empty one until it is told to look.
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(text("ANALYZE"))


def _done(result: dict[str, Any]) -> None:
    assert "abort" not in result, next(row for row in result["rows"] if row["user_errors"])


# ------------------------------------------------------------------------------------------------ to be found again


def _named(teller: Teller) -> Iterator[Life]:
    yield _ambassador(teller)
    yield _slipping_partner(teller)

    new = teller.named("new-customer", "林小满", 12, "linxiaoman")
    teller.order(new, 9, [(LEAVES[0], 1), (TREASURES[3], 1)], channel="STORE")
    teller.consent(new, 9, "WECHAT")
    yield new

    prospect = teller.named("prospect", "Claire Martin", 24, "claire.martin", place=PARIS)
    teller.touch(prospect, 20, "BROWSE", "WEBSITE")
    teller.talk(prospect, 6)
    teller.consent(prospect, 6, "EMAIL")
    yield prospect

    lost = teller.named("lost", "周牧野", 820, "zhoumuye")
    for ago in range(800, 429, -37):
        teller.order(lost, ago)
    teller.consent(lost, 800, "SMS")
    yield lost

    complaint = teller.named("complaint", "何静怡", 420, "hejingyi")
    for ago in range(410, 0, -35):
        teller.order(complaint, ago)
    teller.complain(complaint, 300, settled_after=2)
    teller.complain(complaint, 25, settled_after=None)
    yield complaint

    office = teller.named("office-contract", "澄明设计工作室 Chengming Studio", 50, "office.chengming", company=True)
    for ago, kind, channel in ((40, "MEETING", "VISIT"), (38, "NEED", "EMAIL"), (15, "QUOTE_ACCEPTED", "EMAIL")):
        teller.touch(office, ago, kind, channel)
    teller.touch(office, 6, "CONTRACT_SIGNED", "VISIT")
    teller.consent(office, 15, "EMAIL")
    yield office


def _ambassador(teller: Teller) -> Life:
    life = teller.named("ambassador", "沈若溪", 1000, "shenruoxi")
    for ago in range(990, 0, -29):
        teller.order(life, ago, [(teller.rng.choice(LEAVES), 1)])
    teller.survey(life, 700, 8, quality=1.05, price=1.10)
    teller.survey(life, 350, 9, quality=1.15, price=1.05)
    teller.survey(life, 40, 10, quality=1.25, price=1.02)
    for ago in (640, 280, 70):
        teller.tailor(life, ago, ago - 12)
    for ago in (300, 200, 110, 45, 8):
        teller.talk(life, ago)
    teller.touch(life, 400, "CO_CREATION", "EVENT")
    teller.touch(life, 120, "CO_CREATION", "STORE")
    teller.touch(life, 210, "REFERRAL", "WECHAT")
    teller.touch(life, 90, "EVENT", "EVENT")
    teller.touch(life, 18, "SOCIAL", "SOCIAL")
    teller.consent(life, 990, "WECHAT")
    teller.consent(life, 640, "EMAIL")
    return life


def _slipping_partner(teller: Teller) -> Life:
    life = teller.named("slipping-partner", "顾远山", 900, "guyuanshan")
    for ago in range(880, 199, -34):
        teller.order(life, ago, [(teller.rng.choice(LEAVES), 2)])
    teller.tailor(life, 320, 302)
    for ago in (340, 290, 250, 215):
        teller.talk(life, ago)
    teller.touch(life, 500, "CO_CREATION", "STORE")
    teller.touch(life, 270, "CO_CREATION", "EVENT")
    teller.survey(life, 640, 9, quality=1.20, price=1.02)
    teller.survey(life, 230, 8, quality=1.08, price=1.14)
    teller.consent(life, 880, "WECHAT")
    return life
