"""What is read of members and programmes, on both databases: unposted as posted, then as now, in one statement."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, update

from app.loyalty.measures import BALANCES
from app.loyalty.posting import post_due
from app.loyalty.rules import Level, Terms, level_on
from app.loyalty.tables import LoyaltyAccount, PointsEntry
from app.platform.access import Org
from app.platform.database import instant_text
from app.platform.days import local_day
from app.platform.ids import key_of, new_id
from app.platform.work import Work
from tests.conftest import NOW, Begin
from tests.loyalty import acting as a
from tests.loyalty.conftest import Desk, Post
from tests.loyalty.judging import CREDITED
from tests.loyalty.life import DAY, everything_happens

LEVELS = (("Green", 0, 0), ("Silver", 40, 30), ("Gold", 90, 70))
READ = """query($asOf: DateTime) {
  loyaltyPrograms { trialBalance(asOf: $asOf) { account points }
    liability(asOf: $asOf) { outstanding redemptionRate amount { amount currency } expiring { expiresOn points } } }
  loyaltyAccounts(asOf: $asOf) { totalCount nodes {
    liveId status balance { available pending reserved debt lifetimeEarned } level { name rank benefits }
    nextLevel { level { name } pointsNeeded by } expiring(withinDays: 400) { expiresOn points } } } }"""


def lived(begin: Begin, rng: Random) -> str:
    """A year of a programme with three members; returns the programme's id."""
    at = NOW - timedelta(days=400)
    with begin(now=at) as work:
        levels = [a.level(name, rank, *points) for rank, (name, *points) in enumerate(LEVELS)]
        program = a.program(work, activation_days=3, expiry_days=60, levels=levels, earn_rate=Decimal("1.5"))
        members = [a.member(work, program) for _ in range(3)]
    bought: list[str] = []
    while at < NOW - timedelta(days=20):
        at += timedelta(days=rng.randint(1, 25), seconds=rng.randint(0, 86_399))
        with begin(now=at) as work:
            who, points = rng.choice(members), rng.randint(1, 60)
            available = a.balance(work, who)[0]
            match rng.randrange(5):
                case 0:
                    a.earn(work, who, points, active_on=(at - timedelta(days=rng.choice((0, 1)))).date())
                case 1 if bought:
                    a.refund(work, bought.pop(), "10.00")
                case 2 if available > 1:
                    # What is available may have fallen due since.
                    if not _spent(work, who, available):
                        a.adjust(work, who, points)
                case 3:
                    a.adjust(work, who, points)
                    a.reserve(work, who, 1, minutes=rng.choice((10, 10_000)))
                case _:
                    bought.append(a.buy(work, who, "40.00"))
    return program


def _spent(work: Work, who: str, points: int) -> bool:
    try:
        with work.savepoint():
            a.redeem(work, who, points)
    except Exception:  # noqa: BLE001 - refused, and nothing was done
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
async def test_unposted_reads_as_posted_and_then_reads_as_now(
    desk: Desk, begin: Begin, engine: Engine, org: Org, seed: int
) -> None:
    rng = Random(seed)
    lived(begin, rng)
    instants = sorted(NOW + timedelta(days=rng.randint(-19, 90), seconds=rng.randint(0, 86_399)) for _ in range(6))
    unposted = [await desk.read(READ, now=at) for at in instants]
    said = []
    for at in instants:
        post_due(engine, org, lambda at=at: at)  # type: ignore[misc]
        said.append(await desk.read(READ, now=at))
    assert said == unposted
    later = instants[-1] + timedelta(days=100)
    post_due(engine, org, lambda: later)
    for at, then in zip(instants, said, strict=True):
        assert await desk.read(READ, now=later, asOf=instant_text(at)) == then
    for program in (each for then in said for each in then["loyaltyPrograms"]):
        assert sum(row["points"] for row in program["trialBalance"]) == 0
        assert len(program["trialBalance"]) == 9
        check_liability(program)


def check_liability(program: Any) -> None:
    books = {row["account"]: row["points"] for row in program["trialBalance"]}
    told, closed = program["liability"], books["REDEEMED"] + books["EXPIRED"]
    outstanding = sum(books[key] for key in ("AVAILABLE", "PENDING", "RESERVED", "DEBT"))
    assert told["outstanding"] == outstanding
    if not closed:
        assert told["redemptionRate"] is told["amount"] is None
        return
    rate = Fraction(books["REDEEMED"], closed)
    assert told["redemptionRate"] == pytest.approx(float(rate), abs=5e-7)
    cents = max(outstanding, 0) * rate * Fraction(1, 100) * 100
    assert told["amount"] == {"amount": f"{int(cents + Fraction(1, 2)) / 100:.2f}", "currency": "EUR"}
    known = [each["points"] for each in told["expiring"]]
    assert all(points > 0 for points in known)
    assert all(each["expiresOn"].endswith("-01") for each in told["expiring"])


async def test_levels_are_those_of_a_loop_over_the_years(desk: Desk, begin: Begin, org: Org) -> None:
    rng, kept = Random(5), []
    with begin(now=NOW - timedelta(days=3000)) as work:
        for lowest, grace, soft in ((0, 0, False), (1, 45, True), (1, 365, False)):
            levels = [a.level(name, rank * 2 + 1, *points) for rank, (name, *points) in enumerate(LEVELS)][lowest:]
            program = a.program(work, levels=levels, level_grace_days=grace, soft_landing=soft)
            held = [Level(each["rank"], each["qualify_points"], each["retain_points"], 1) for each in levels]
            terms = Terms(1, 1, 0, None, grace, soft)
            for _ in range(20):
                account, years = a.member(work, program), qualifying(work, rng)
                write_years(work, account, program, years)
                kept.append((account, held, terms, years))
    ask = "query($asOf: DateTime) { loyaltyAccounts(first: 100, asOf: $asOf) { nodes { liveId level { rank } } } }"
    for _ in range(12):
        at = NOW - timedelta(days=rng.randint(0, 2500), seconds=rng.randint(0, 86_399))
        told = {
            node["liveId"]: node["level"] and node["level"]["rank"]
            for node in (await desk.read(ask, asOf=instant_text(at)))["loyaltyAccounts"]["nodes"]
        }
        for account, held, terms, years in kept:
            known: dict[int, int] = {}
            for when, year, points in years:
                if when <= at:
                    known[year] = known.get(year, 0) + points
            assert told[account] == level_on(local_day(at, org.zone), known, held, terms), (account, at, known)


def qualifying(work: Work, rng: Random) -> list[tuple[datetime, int, int]]:
    """When, for which year, and how many points qualified; some are taken back."""
    found, at = [], work.now
    for _ in range(rng.randint(0, 14)):
        at += timedelta(days=rng.randint(1, 400))
        if at > NOW:
            break
        found.append((at, at.year - rng.choice((0, 0, 1)), rng.choice((10, 30, 40, 60, 100, -20))))
    return found


def write_years(work: Work, account: str, program: str, years: list[tuple[datetime, int, int]]) -> None:
    totals: dict[int, int] = {}
    rows = []
    for place, (at, year, points) in enumerate(years, start=1):
        totals[year] = totals.get(year, 0) + points
        row = {"id": new_id(), "account_id": key_of(account, "acc"), "program_id": key_of(program, "lpr")}
        row |= {"place": place, "at": at, "posted_at": at, "effective_day": 0, "kind": "EARN", "points": abs(points)}
        row |= {"debit": "ISSUED", "credit": "AVAILABLE", "incoming": False, "other_account_id": None, "reason": None}
        row |= {"source_prefix": None, "source_id": None, "key_id": None, "qualifying_year": year}
        rows.append({**row, "qualified": totals[year], **dict.fromkeys(BALANCES, 0)})
    if rows:
        work.insert(PointsEntry, rows)
    mine = LoyaltyAccount.org_id == work.org.id, LoyaltyAccount.id == key_of(account, "acc")
    work.session.execute(update(LoyaltyAccount).where(*mine).values(entries=len(rows)))


async def test_an_entry_leads_to_its_source_and_ids_carry_their_instant(desk: Desk, begin: Begin) -> None:
    with begin(now=NOW - timedelta(days=2)) as work:
        program = a.program(work)
        account = a.member(work, program, number="M-1")
        purchase = a.buy(work, account, "40.00")
        redemption = a.redeem(work, account, 5)
        held = a.reserve(work, account, 7, minutes=60)
        made = a.captured(work, held, 4)
        a.earn(work, account, 3)
    source = "source { __typename id ... on Purchase { pointsEarned } ... on Redemption { points } "
    source += "... on PointsReservation { status redemption { id } } }"
    ask = 'query($asOf: DateTime) { loyaltyAccount(by: {number: " M-1 "}, asOf: $asOf) { id asOf '
    ask += f"entries {{ nodes {{ kind account {{ liveId }} {source} }} }} }} }}"
    said = (await desk.read(ask))["loyaltyAccount"]
    assert [entry["kind"] for entry in said["entries"]["nodes"]] == [
        "EARN",
        "VOID",
        "CAPTURE",
        "RESERVE",
        "REDEEM",
        "EARN",
    ]
    reserved = {
        "__typename": "PointsReservation",
        "id": held,
        "status": "CAPTURED",
        "redemption": {"id": made},
    }
    assert [entry["source"] for entry in said["entries"]["nodes"]] == [
        None,
        reserved,
        reserved,
        reserved,
        {"__typename": "Redemption", "id": redemption, "points": 5},
        {"__typename": "Purchase", "id": purchase, "pointsEarned": 40},
    ]
    with begin() as work:
        a.refund(work, purchase, "20.00")
    earned = "query($id: ID!) { node(id: $id) { id ... on Purchase { pointsEarned } } }"
    assert (await desk.read(earned, id=purchase))["node"]["pointsEarned"] == 20
    instant = NOW - timedelta(days=1)
    then = (await desk.read(ask, asOf=instant_text(instant)))["loyaltyAccount"]
    assert (then["id"].partition("@")[0], then["asOf"]) == (account, instant_text(instant))
    of_then = then["entries"]["nodes"][-1]["source"]
    assert of_then["pointsEarned"] == 40
    assert (await desk.read(earned, id=of_then["id"]))["node"] == {"id": of_then["id"], "pointsEarned": 40}
    before = instant_text(NOW - timedelta(days=3))
    assert await desk.read(ask, asOf=before) == {"loyaltyAccount": None}


@pytest.mark.parametrize(
    "below",
    [
        'loyaltyPrograms { trialBalance(asOf: "2026-06-15T12:00:01Z") { points } }',
        'loyaltyPrograms { liability(asOf: "1800-01-01T00:00:00Z") { outstanding } }',
        "loyaltyAccounts { nodes { expiring(withinDays: -1) { points } } }",
        "loyaltyAccounts(where: {expiringWithinDays: 36501}) { totalCount }",
        'loyaltyAccounts(asOf: "2026-06-15T12:00:01Z") { totalCount }',
    ],
)
async def test_what_cannot_be_asked_is_refused(desk: Desk, begin: Begin, below: str) -> None:
    with begin() as work:
        a.member(work, a.program(work))
    assert await desk.refused(f"{{ {below} }}") == ["BAD_USER_INPUT"]


async def test_a_member_is_committed_while_the_account_is_open(desk: Desk, begin: Begin) -> None:
    with begin(now=NOW - timedelta(days=9)) as work:
        account = a.member(work, a.program(work))
        customer = a.customer_of(work, account)
    with begin(now=NOW - timedelta(days=4)) as work:
        a.close(work, account)
    ask = "query($by: CustomerLookup!, $asOf: DateTime) { customer(by: $by, asOf: $asOf) { facts { committed } "
    ask += "lifecycle { phase } loyaltyAccounts { nodes { status } } } }"
    for days, phase, status in ((0, "DEVELOPMENT", ["CLOSED"]), (5, "SIGNING", ["OPEN"]), (10, "DEVELOPMENT", [])):
        at = instant_text(NOW - timedelta(days=days))
        said = (await desk.read(ask, by={"id": customer}, asOf=at))["customer"]
        assert said["facts"]["committed"] == (phase == "SIGNING")
        assert said["lifecycle"]["phase"] == phase
        assert [each["status"] for each in said["loyaltyAccounts"]["nodes"]] == status


STATEMENT = """query($by: LoyaltyAccountLookup!) { loyaltyAccount(by: $by) {
  balance { ...All } entries(first: 100) { nodes {
    kind points debit credit incoming otherAccount { liveId number } balance { ...All } } } } }
fragment All on PointsBalance { available pending reserved debt lifetimeEarned }"""
SHOWN = {"available": "available", "pending": "pending", "reserved": "reserved", "debt": "debt",
         "issued": "lifetimeEarned"}  # fmt: skip


async def test_a_statement_is_folded_from_what_the_api_tells_of_each_entry(
    desk: Desk, begin: Begin, post: Post
) -> None:
    """Transfers too: which half it is, from or to whom, and what the book had after it."""
    _, [ana, bo] = everything_happens(begin, post)
    transfers = []
    for account, other in ((ana, bo), (bo, ana)):
        read = (await desk.read(STATEMENT, NOW + 20 * DAY, by={"id": account}))["loyaltyAccount"]
        sums = dict.fromkeys(SHOWN.values(), 0)
        for entry in reversed(read["entries"]["nodes"]):
            if entry["kind"] == "TRANSFER":
                sums["available"] += entry["points"] if entry["incoming"] else -entry["points"]
                transfers.append((account, entry["incoming"], entry["points"]))
                assert entry["otherAccount"]["liveId"] == other
            else:
                assert (entry["incoming"], entry["otherAccount"]) == (False, None)
                for side, sign in ((entry["credit"], 1), (entry["debit"], -1)):
                    balance, direction = CREDITED[side]
                    if balance in SHOWN:
                        sums[SHOWN[balance]] += sign * direction * entry["points"]
            assert entry["balance"] == sums
        assert read["balance"] == sums
    assert transfers == [(ana, False, 20), (bo, True, 20)]


async def test_before_there_was_the_programme_there_was_nothing_in_it(desk: Desk, begin: Begin) -> None:
    with begin() as work:
        a.earn(work, a.member(work, a.program(work)), 10)
    read = await desk.read(READ, asOf=instant_text(NOW - timedelta(microseconds=1)))
    [programme] = read["loyaltyPrograms"]
    assert [each["points"] for each in programme["trialBalance"]] == [0] * 9
    assert programme["liability"] == {"outstanding": 0, "redemptionRate": None, "amount": None, "expiring": []}
    assert read["loyaltyAccounts"] == {"totalCount": 0, "nodes": []}
