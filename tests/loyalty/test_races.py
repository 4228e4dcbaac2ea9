"""Who spends at once: exactly what is there is spent, the same request has one effect, and nobody waits for ever."""

import asyncio
import random
from collections import Counter
from typing import Any

from app.loyalty.posting import post_due
from app.loyalty.tables import LoyaltyAccount, PointsEntry, Redemption
from app.loyalty.verify import verify
from app.platform.work import operator, work
from tests.api.acting import Shop, by, line
from tests.conftest import NOW
from tests.customers.test_races import at_once as in_threads
from tests.house import FULL
from tests.loyalty import acting
from tests.loyalty.crowd import Somebody
from tests.loyalty.judging import sound
from tests.loyalty.sending import (
    answered,
    buy,
    customer_of,
    earn,
    new_customer,
    new_member,
    new_program,
    redeem,
    refund,
    reserve,
)

CLIENTS, ACCOUNTS = 64, 20
TRIES = 20_000 if FULL else 200
# How many people, and how often each of them acts.
STORM = (64, 100) if FULL else (24, 8)


async def at_once(shop: Shop, *acts: tuple[str, Any, str]) -> list[Any]:
    """The payloads of mutations that are sent at once, each by a client of its own."""
    clients = [shop.renewed() for _ in acts]
    found = await asyncio.gather(*(answered(client, *act) for client, act in zip(clients, acts, strict=True)))
    await asyncio.gather(*(client.http.aclose() for client in clients))
    assert not [answer["errors"] for answer in found if "errors" in answer]
    return [answer["data"][field] for answer, (field, *_) in zip(found, acts, strict=True)]


def told(payloads: list[Any]) -> Counter[str]:
    return Counter(payload["userErrors"][0]["code"] if payload["userErrors"] else "DONE" for payload in payloads)


def all_is_sound(shop: Shop, program: str) -> None:
    with work(shop.house.engine, operator(shop.org), NOW) as at_work:
        sound(at_work, program)
        assert verify(at_work) == {}


def balance(shop: Shop, account: str) -> tuple[int, int, int, int]:
    with work(shop.house.engine, operator(shop.org), NOW) as at_work:
        return acting.balance(at_work, account)


async def test_many_clients_spend_exactly_what_the_balances_cover(shop: Shop) -> None:
    program, dice = await new_program(shop), random.Random(4)
    # So that about every second try can be paid; lots of 10, so that several are spent at a time.
    members = [await new_member(shop, program) for _ in range(ACCOUNTS)]
    has = TRIES * 7 // 2 // ACCOUNTS // 10 * 10
    for member in members:
        for _ in range(10):
            await earn(shop, member, has // 10)
    tries = iter([(dice.choice(members), dice.randint(1, 13), f"try-{n}") for n in range(TRIES)])
    spent: Counter[str] = Counter()
    refused: dict[str, list[int]] = {member: [] for member in members}

    async def keep_spending(client: Shop) -> None:
        for member, points, key in tries:
            given = {"account": by(member), "spend": {"points": points}}
            answer = await answered(client, "pointsRedeem", given, key)
            assert "errors" not in answer, answer["errors"]
            problems = answer["data"]["pointsRedeem"]["userErrors"]
            if not problems:
                spent[member] += points
                continue
            [problem] = problems
            assert (problem["code"], problem["needed"]) == ("INSUFFICIENT_POINTS", points)
            assert problem["available"] < points
            refused[member].append(points)

    clients = [shop.renewed() for _ in range(CLIENTS)]
    await asyncio.gather(*map(keep_spending, clients))
    await asyncio.gather(*(client.http.aclose() for client in clients))
    for member in members:
        left = balance(shop, member)[0]
        assert left == has - spent[member] >= 0
        # Not one less either: what was refused could not be paid at the end, when least is left.
        assert all(points > left for points in refused[member])
    assert sum(map(len, refused.values())) > TRIES // 10
    all_is_sound(shop, program)


async def test_of_a_balance_that_covers_ten_just_ten_are_served(shop: Shop) -> None:
    program = await new_program(shop)
    member = await new_member(shop, program, points=50)
    given = {"account": by(member), "spend": {"points": 5}}
    payloads = await at_once(shop, *[("pointsRedeem", given, f"k{n}") for n in range(CLIENTS)])
    assert told(payloads) == {"DONE": 10, "INSUFFICIENT_POINTS": CLIENTS - 10}
    assert balance(shop, member) == (0, 0, 0, 0)
    all_is_sound(shop, program)


async def test_of_a_reward_there_are_no_more_than_there_are(shop: Shop) -> None:
    program = await new_program(shop)
    with work(shop.house.engine, operator(shop.org), NOW) as at_work:
        cup = acting.reward(at_work, program, 5, stock=3)
    members = [await new_member(shop, program, points=10) for _ in range(4)]
    acts = [("pointsRedeem", {"account": by(members[n % 4]), "spend": {"rewardId": cup}}, f"k{n}") for n in range(8)]
    assert told(await at_once(shop, *acts)) == {"DONE": 3, "WRONG_STATE": 5}
    assert shop.count(Redemption) == 3
    all_is_sound(shop, program)


async def test_the_same_key_sent_by_eight_has_one_effect_and_one_answer(shop: Shop) -> None:
    program = await new_program(shop)
    member = await new_member(shop, program, points=100)
    held, spent = await reserve(shop, member, 10), await redeem(shop, member, 10)
    other = await new_member(shop, program)
    for field, given in (
        ("pointsEarn", {"account": by(member), "points": 5, "reason": "Review"}),
        ("pointsRedeem", {"account": by(member), "spend": {"points": 5}}),
        ("redemptionReverse", {"redemptionId": spent, "points": 5}),
        ("pointsReserve", {"account": by(member), "points": 5}),
        ("reservationCapture", {"reservationId": held, "points": 5}),
        ("pointsAdjust", {"account": by(member), "points": -5, "reason": "X"}),
        ("pointsTransfer", {"from": by(member), "to": by(other), "points": 5}),
    ):
        before = shop.count(PointsEntry)
        payloads = await at_once(shop, *[(field, given, "same")] * 8)
        assert all(payload == payloads[0] for payload in payloads)
        assert payloads[0]["userErrors"] == []
        # One command, in one book or in both; of a capture the rest comes back, of a transfer there are two halves.
        assert shop.count(PointsEntry) - before == (2 if field in ("reservationCapture", "pointsTransfer") else 1)
    all_is_sound(shop, program)


async def test_one_key_for_eight_different_things_is_good_for_one(shop: Shop) -> None:
    program = await new_program(shop)
    member = await new_member(shop, program, points=100)
    acts = [("pointsRedeem", {"account": by(member), "spend": {"points": n}}, "same") for n in range(1, 9)]
    assert told(await at_once(shop, *acts)) == {"DONE": 1, "IDEMPOTENCY_KEY_REUSED": 7}
    assert shop.count(Redemption) == 1
    all_is_sound(shop, program)


async def test_transfers_in_opposite_directions_meet_without_a_deadlock(shop: Shop) -> None:
    program = await new_program(shop)
    one, two = [await new_member(shop, program, points=100) for _ in range(2)]
    acts = [
        ("pointsTransfer", {"from": by(ends[0]), "to": by(ends[1]), "points": n + 1}, f"k{n}{ends[0]}")
        for n in range(12)
        for ends in ((one, two), (two, one))
    ]
    assert told(await at_once(shop, *acts)) == {"DONE": 24}
    assert (balance(shop, one)[0], balance(shop, two)[0]) == (100, 100)
    all_is_sound(shop, program)


async def test_a_refund_and_redemptions_at_once_leave_what_is_left_or_a_debt(shop: Shop) -> None:
    program = await new_program(shop)
    for _ in range(3):
        member = await new_member(shop, program)
        order = await buy(shop, await customer_of(shop, member), "10.00")
        back = {"purchase": by(order), "amount": {"amount": "10.00", "currency": "EUR"}}
        spends = [("pointsRedeem", {"account": by(member), "spend": {"points": 4}}, f"k{n}{member}") for n in range(4)]
        payloads = await at_once(shop, *spends[:2], ("purchaseRefund", back, f"r{member}"), *spends[2:])
        served = told(payloads[:2] + payloads[3:])["DONE"]
        assert served <= 2
        assert told(payloads[2:3]) == {"DONE": 1}
        assert balance(shop, member) == (0, 0, 0, 4 * served)
    all_is_sound(shop, program)


async def test_a_purchase_that_earns_and_a_closing_at_once_do_not_wait_for_each_other(shop: Shop) -> None:
    program = await new_program(shop)
    for n in range(3):
        member = await new_member(shop, program, points=5)
        buying = {"customer": by(await customer_of(shop, member)), "currency": "EUR", "lines": [line("7.00")]}
        acts = [("purchaseRecord", buying, f"p{n}{k}") for k in range(3)]
        closing = ("loyaltyAccountClose", {"account": by(member)}, f"c{n}")
        assert told(await at_once(shop, acts[0], closing, *acts[1:])) == {"DONE": 4}
        assert balance(shop, member) == (0, 0, 0, 0)
    all_is_sound(shop, program)


async def test_one_reservation_is_captured_or_voided_by_one(shop: Shop) -> None:
    program = await new_program(shop)
    member = await new_member(shop, program, points=30)
    held = await reserve(shop, member, 20)
    acts: list[tuple[str, Any, str]] = []
    for n in range(4):
        acts.append(("reservationCapture", {"reservationId": held, "points": 20}, f"c{n}"))
        acts.append(("reservationVoid", {"reservationId": held}, f"v{n}"))
    assert told(await at_once(shop, *acts)) == {"DONE": 1, "RESERVATION_CLOSED": 7}
    all_is_sound(shop, program)


async def test_no_more_of_a_redemption_is_given_back_than_was_taken(shop: Shop) -> None:
    program = await new_program(shop)
    spent = await redeem(shop, await new_member(shop, program, points=30), 20)
    acts = [("redemptionReverse", {"redemptionId": spent, "points": 6}, f"k{n}") for n in range(8)]
    assert told(await at_once(shop, *acts)) == {"DONE": 3, "EXCEEDS_REDEMPTION": 5}
    all_is_sound(shop, program)


async def test_of_those_who_join_or_take_a_number_at_once_one_does(shop: Shop) -> None:
    program, customer = await new_program(shop), await new_customer(shop)
    joining = [("loyaltyAccountOpen", {"programId": program, "customer": by(customer)}, f"k{n}") for n in range(6)]
    others = [await new_customer(shop) for _ in range(6)]
    taking = [
        ("loyaltyAccountOpen", {"programId": program, "customer": by(other), "number": "N-1"}, f"n{n}")
        for n, other in enumerate(others)
    ]
    for acts in (joining, taking):
        payloads = await at_once(shop, *acts)
        assert told(payloads) == {"DONE": 1, "TAKEN": 5}
        [made] = [payload["account"]["id"] for payload in payloads if payload["account"]]
        existing = [payload["userErrors"][0]["existing"]["id"] for payload in payloads if payload["userErrors"]]
        assert existing == [made] * 5
    assert shop.count(LoyaltyAccount) == 2


async def test_what_is_due_is_posted_once_by_however_many(shop: Shop) -> None:
    program = await new_program(shop)
    members = [await new_member(shop, program) for _ in range(12)]
    for member in members:
        await earn(shop, member, 10, expiresOn="2026-06-20")
        await earn(shop, member, 10, activeOn="2026-06-18")
    later, before = NOW.replace(day=25), shop.count(PointsEntry)
    posts = [lambda: post_due(shop.house.engine, shop.org, lambda: later, 5)] * 3
    spends = [
        ("pointsRedeem", {"account": by(member), "spend": {"points": 10}}, f"k{member}") for member in members[:4]
    ]

    async def spend() -> list[Any]:
        return [await answered(shop, *act, now=later) for act in spends]

    posted, answers = await asyncio.gather(asyncio.to_thread(in_threads, *posts), spend())
    assert all(isinstance(count, int) for count in posted), posted
    assert not any(answer["data"]["pointsRedeem"]["userErrors"] for answer in answers)
    # Each account's activation and expiry, and the redemptions.
    assert shop.count(PointsEntry) - before == 12 * 2 + 4
    assert post_due(shop.house.engine, shop.org, lambda: later) == 0
    all_is_sound(shop, program)


async def test_what_comes_back_and_what_is_spent_at_once_settle(shop: Shop) -> None:
    program = await new_program(shop)
    member = await new_member(shop, program)
    order = await buy(shop, await customer_of(shop, member), "40.00")
    held = await reserve(shop, member, 40)
    await refund(shop, order, "40.00")
    acts: list[tuple[str, Any, str]] = [("reservationVoid", {"reservationId": held}, "v")]
    acts += [("pointsRedeem", {"account": by(member), "spend": {"points": 1}}, f"k{n}") for n in range(6)]
    assert told(await at_once(shop, *acts)) == {"DONE": 1, "INSUFFICIENT_POINTS": 6}
    assert balance(shop, member) == (0, 0, 0, 0)
    all_is_sound(shop, program)


async def test_whatever_many_do_at_once_is_all_there_afterwards(shop: Shop) -> None:
    program, dice = await new_program(shop), random.Random(8)
    members = {}
    for _ in range(5):
        account = await new_member(shop, program, points=40)
        members[account] = await customer_of(shop, account)
    people = [Somebody(shop.renewed(), random.Random(dice.random()), name, members) for name in range(STORM[0])]

    async def live(somebody: Somebody) -> None:
        for _ in range(STORM[1]):
            await somebody.act()

    await asyncio.gather(*map(live, people))
    for somebody in people:
        await somebody.client.http.aclose()
    told = sum((somebody.told for somebody in people), Counter[str]())
    assert set(told) <= {"DONE", "INSUFFICIENT_POINTS"}
    assert told["DONE"] > sum(told.values()) // 2
    for account in members:
        available, pending, reserved, debt = balance(shop, account)
        assert available + pending + reserved - debt == 40 + sum(each.added[account] for each in people)
    all_is_sound(shop, program)
