"""Whatever is refused is refused by a code, with the numbers that a person needs, and leaves no trace in the books."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.api.acting import Shop, by, codes, unknown
from tests.conftest import NOW
from tests.loyalty.sending import (
    MOVING,
    Stars,
    answered,
    done,
    earn,
    new_customer,
    new_member,
    new_program,
    problems,
    reserve,
    sent,
    stars,
    told,
)

Told = list[tuple[str, str]]


def points_of(field: str, of: Stars, account: str) -> Any:
    """An input that moves points of that account, and works."""
    return {
        "pointsEarn": {"account": by(account), "points": 5, "reason": "Review"},
        "pointsRedeem": {"account": by(account), "spend": {"points": 5}},
        "redemptionReverse": {"redemptionId": of.spent, "points": 5},
        "pointsReserve": {"account": by(account), "points": 5},
        "reservationCapture": {"reservationId": of.held, "points": 5},
        "reservationVoid": {"reservationId": of.held},
        "pointsAdjust": {"account": by(account), "points": 5, "reason": "Goodwill"},
        "pointsTransfer": {"from": by(account), "to": by(of.holding), "points": 5},
    }[field]


async def test_more_than_is_there_is_refused_with_what_is_there(shop: Shop) -> None:
    of = await stars(shop)
    account = by(of.ana)
    sentence = "Needs {} points, has 320, of which 40 expire on 2026-12-01."
    for field, given, needed, path in (
        ("pointsRedeem", {"account": account, "spend": {"points": 500}}, 500, "spend.points"),
        ("pointsRedeem", {"account": account, "spend": {"rewardId": of.cup}}, 500, "spend.rewardId"),
        ("pointsReserve", {"account": account, "points": 321}, 321, "points"),
        ("pointsAdjust", {"account": account, "points": -321, "reason": "X"}, 321, "points"),
        ("pointsTransfer", {"from": account, "to": by(of.holding), "points": 321}, 321, "points"),
    ):
        assert await problems(shop, field, given) == [
            {
                "code": "INSUFFICIENT_POINTS",
                "field": ["input", *path.split(".")],
                "message": sentence.format(needed),
                "needed": needed,
                "available": 320,
                "__typename": "InsufficientPointsError",
            }
        ]


async def test_the_sentence_leaves_out_what_does_not_expire(shop: Shop) -> None:
    of = await stars(shop)
    for account, has in ((of.holding, 50), (of.owing, 0)):
        [problem] = await problems(shop, "pointsRedeem", {"account": by(account), "spend": {"points": 51}})
        assert problem["message"] == f"Needs 51 points, has {has}."


async def test_what_has_expired_is_not_there_though_nobody_posted_it(shop: Shop) -> None:
    of = await stars(shop)
    later = NOW.replace(month=12, day=1, hour=0)
    given = {"account": by(of.ana), "spend": {"points": 281}}
    [problem] = await problems(shop, "pointsRedeem", given, now=later)
    assert (problem["available"], problem["message"]) == (280, "Needs 281 points, has 280.")


async def test_a_reservation_is_captured_or_voided_once_and_not_beyond_what_it_holds(shop: Shop) -> None:
    of = await stars(shop)
    closed = [("RESERVATION_CLOSED", "input.reservationId")]
    for field, more in (("reservationCapture", {"points": 1}), ("reservationVoid", {})):
        assert await told(shop, field, {"reservationId": of.captured, **more}) == closed
        timed_out = NOW + timedelta(minutes=15)
        assert await told(shop, field, {"reservationId": of.held, **more}, now=timed_out) == closed
    [problem] = await problems(shop, "reservationCapture", {"reservationId": of.held, "points": 31})
    assert codes([problem]) == [("EXCEEDS_RESERVATION", "input.points")]
    assert "30 points" in problem["message"]
    await done(shop, "reservationVoid", {"reservationId": of.held}, NOW + timedelta(minutes=14))


async def test_no_more_is_given_back_than_was_redeemed(shop: Shop) -> None:
    of = await stars(shop)
    await done(shop, "redemptionReverse", {"redemptionId": of.spent, "points": 15})
    [problem] = await problems(shop, "redemptionReverse", {"redemptionId": of.spent, "points": 6})
    assert codes([problem]) == [("EXCEEDS_REDEMPTION", "input.points")]
    assert "20 points" in problem["message"]
    assert "5" in problem["message"]


async def test_whatever_moves_points_needs_a_key(shop: Shop) -> None:
    of = await stars(shop)
    for field in MOVING:
        if field == "reservationVoid":
            of.held = await reserve(shop, of.ana, 1)
        await needs_a_key(shop, of, field, points_of(field, of, of.ana))


async def needs_a_key(shop: Shop, of: Stars, field: str, given: Any) -> None:
    [problem] = await problems(shop, field, given, key=None)
    assert (problem["code"], problem["field"]) == ("IDEMPOTENCY_KEY_REQUIRED", ["input"])
    # None of them takes a reference.
    assert "externalRef" not in problem["message"]
    first = await answered(shop, field, given, "k")
    assert first["data"][field]["userErrors"] == []
    again = await answered(shop, field, given, "k")
    assert again.pop("extensions") == {"idempotency": {"replayed": True}}
    assert again == first
    # A number that it could have been.
    name = "reservationId" if field == "reservationVoid" else "spend" if field == "pointsRedeem" else "points"
    other = {"reservationId": of.captured, "spend": {"points": 6}, "points": 6}[name]
    assert await told(shop, field, {**given, name: other}, key="k") == [("IDEMPOTENCY_KEY_REUSED", "input")]


async def test_nothing_moves_in_a_closed_account(shop: Shop) -> None:
    of = await stars(shop)
    for field in ("pointsEarn", "pointsRedeem", "pointsReserve", "pointsAdjust"):
        assert await told(shop, field, points_of(field, of, of.closed)) == [("WRONG_STATE", "input.account")]
    for ends in ({"from": by(of.closed), "to": by(of.ana)}, {"from": by(of.ana), "to": by(of.closed)}):
        name = "from" if ends["from"] == by(of.closed) else "to"
        assert await told(shop, "pointsTransfer", {**ends, "points": 1}) == [("WRONG_STATE", f"input.{name}")]
    assert await told(shop, "loyaltyAccountClose", {"account": by(of.closed)}) == [("WRONG_STATE", "input.account")]


async def test_an_account_is_not_closed_while_something_is_reserved_or_owed(shop: Shop) -> None:
    of = await stars(shop)
    for account, said in ((of.holding, "30 points are reserved"), (of.owing, "10 points are owed")):
        [problem] = await problems(shop, "loyaltyAccountClose", {"account": by(account)})
        assert codes([problem]) == [("WRONG_STATE", "input.account")]
        assert said in problem["message"]


async def test_a_reward_is_had_while_there_are_any(shop: Shop) -> None:
    of = await stars(shop)
    other = await new_program(shop, name="Coins")
    foreign = {"programId": other, "name": "Mug", "points": 1}
    mug = (await done(shop, "rewardCreate", foreign))["reward"]["id"]
    for reward, code in (
        (of.sold_out, "WRONG_STATE"), (of.inactive, "WRONG_STATE"), (mug, "NOT_FOUND"), (unknown("rew"), "NOT_FOUND"),
    ):  # fmt: skip
        given = {"account": by(of.ana), "spend": {"rewardId": reward}}
        assert await told(shop, "pointsRedeem", given) == [(code, "input.spend.rewardId")]


async def test_what_nobody_has_is_not_found(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    of = await stars(shop)
    theirs = await stars(open_shop())
    for account in (by(unknown("acc")), by(theirs.ana), by("acc_"), by(of.program), {"number": "A-2"}, {"number": ""}):
        for field in ("pointsEarn", "pointsRedeem", "pointsReserve", "pointsAdjust"):
            given = {**points_of(field, of, of.ana), "account": account}
            assert await told(shop, field, given) == [("NOT_FOUND", "input.account")]
        assert await told(shop, "loyaltyAccountClose", {"account": account}) == [("NOT_FOUND", "input.account")]
        both = {"from": account, "to": account, "points": 1}
        assert await told(shop, "pointsTransfer", both) == [("NOT_FOUND", "input.from"), ("NOT_FOUND", "input.to")]
    for field, name, id_, more in (
        ("redemptionReverse", "redemptionId", theirs.spent, {"points": 1}),
        ("reservationCapture", "reservationId", theirs.held, {"points": 1}),
        ("reservationVoid", "reservationId", theirs.held, {}),
        ("loyaltyProgramUpdate", "id", theirs.program, {"set": {}}),
        ("rewardUpdate", "id", theirs.cup, {"set": {}}),
        ("rewardCreate", "programId", theirs.program, {"name": "Cup", "points": 1}),
        ("loyaltyAccountOpen", "programId", theirs.program, {"customer": by(await new_customer(shop))}),
    ):
        for given in ({name: id_, **more}, {name: unknown(id_[:3]), **more}, {name: "x", **more}):
            assert await told(shop, field, given) == [("NOT_FOUND", f"input.{name}")], field
    opening = {"programId": of.program, "customer": by(unknown("cus"))}
    assert await told(shop, "loyaltyAccountOpen", opening) == [("NOT_FOUND", "input.customer")]


async def test_an_id_of_another_instant_is_none_to_write_with(shop: Shop) -> None:
    of = await stars(shop)
    asked = 'query($by: LoyaltyAccountLookup!) { loyaltyAccount(by: $by, asOf: "2026-06-15T12:00:00Z") { id } }'
    past = (await shop.ask(asked, NOW + timedelta(days=1), by=by(of.ana)))["loyaltyAccount"]["id"]
    assert past.startswith(f"{of.ana}@")
    assert await told(shop, "pointsEarn", points_of("pointsEarn", of, past)) == [("NOT_FOUND", "input.account")]


async def test_a_customer_has_one_open_account_in_a_programme_and_a_number_is_of_one(shop: Shop) -> None:
    of = await stars(shop)
    customer = await new_customer(shop)
    first = (await done(shop, "loyaltyAccountOpen", {"programId": of.program, "customer": by(customer)}))["account"][
        "id"
    ]
    second = {"programId": of.program, "customer": by(customer), "number": "N-2"}
    [problem] = await problems(shop, "loyaltyAccountOpen", second)
    assert (problem["code"], problem["field"]) == ("TAKEN", ["input", "customer"])
    assert problem["existing"] == {"id": first, "__typename": "LoyaltyAccount"}
    other = {"programId": of.program, "customer": by(await new_customer(shop)), "number": "A-1"}
    [problem] = await problems(shop, "loyaltyAccountOpen", other)
    assert (problem["code"], problem["field"], problem["existing"]["id"]) == ("TAKEN", ["input", "number"], of.ana)
    # Whose account is closed may open another one; its number stays its own.
    await done(shop, "loyaltyAccountClose", {"account": by(first)})
    await done(shop, "loyaltyAccountOpen", second)
    again = {**other, "number": "C-1"}
    assert await told(shop, "loyaltyAccountOpen", again) == [("TAKEN", "input.number")]


async def test_who_is_archived_becomes_no_member(shop: Shop) -> None:
    program, customer = await new_program(shop), await new_customer(shop)
    await done(shop, "customerArchive", {"customer": by(customer)})
    given = {"programId": program, "customer": by(customer)}
    assert await told(shop, "loyaltyAccountOpen", given) == [("ARCHIVED", "input.customer")]


async def test_whoever_changes_an_old_version_of_the_terms_is_told(shop: Shop) -> None:
    program = await new_program(shop)
    await done(shop, "loyaltyProgramUpdate", {"id": program, "expectedVersion": 1, "set": {"earnRate": "2"}})
    stale = {"id": program, "expectedVersion": 1, "set": {"earnRate": "3"}}
    [problem] = await problems(shop, "loyaltyProgramUpdate", stale)
    assert (problem["code"], problem["field"]) == ("STALE_VERSION", ["input", "expectedVersion"])
    assert problem["current"] == {"id": program}


async def test_points_that_are_none_or_too_many_are_refused(shop: Shop) -> None:
    of = await stars(shop)
    await earn(shop, of.owing, 2**53 - 11)
    most = {"account": by(of.owing), "points": 2**53 - 1, "reason": "X"}
    assert await told(shop, "pointsEarn", most) == [("OUT_OF_RANGE", "input.points")]
    for field in MOVING:
        if field != "reservationVoid":
            for points in (0, -1, -(2**53) + 1):
                if field == "pointsAdjust" and points:
                    continue
                given = points_of(field, of, of.ana)
                given |= {"spend": {"points": points}} if field == "pointsRedeem" else {"points": points}
                path = "input.spend.points" if field == "pointsRedeem" else "input.points"
                assert await told(shop, field, given) == [("OUT_OF_RANGE", path)], (field, points)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"points": 0, "reason": " "}, [("OUT_OF_RANGE", "points"), ("REQUIRED", "reason")]),
        ({"account": {"number": "?"}, "reason": " "}, [("NOT_FOUND", "account"), ("REQUIRED", "reason")]),
        ({"expiresOn": "2026-06-15"}, [("OUT_OF_RANGE", "expiresOn")]),
        ({"activeOn": "2026-07-01", "expiresOn": "2026-07-01"}, [("INVALID", "expiresOn")]),
        ({"activeOn": "0001-01-01"}, [("OUT_OF_RANGE", "activeOn")]),
        ({"activeOn": "9999-12-31"}, [("OUT_OF_RANGE", "activeOn")]),
        ({"expiresOn": "9999-12-31"}, [("OUT_OF_RANGE", "expiresOn")]),
    ],
)
async def test_what_is_wrong_with_points_that_are_earned_is_said_all_at_once(
    shop: Shop, given: Any, expected: Told
) -> None:
    account = await new_member(shop, await new_program(shop))
    said = {"account": by(account), "points": 5, "reason": "Review", **given}
    assert await told(shop, "pointsEarn", said) == [(code, f"input.{path}") for code, path in expected]


async def test_a_transfer_is_between_two_members_of_one_programme(shop: Shop) -> None:
    of = await stars(shop)
    elsewhere = await new_member(shop, await new_program(shop, name="Coins"))
    for to in (of.ana, elsewhere):
        given = {"from": by(of.ana), "to": by(to), "points": 1}
        assert await told(shop, "pointsTransfer", given) == [("INVALID", "input.to")]


@pytest.mark.parametrize("minutes", [0, -1, 2**31 - 1])
async def test_a_reservation_holds_for_some_minutes(shop: Shop, minutes: int) -> None:
    account = await new_member(shop, await new_program(shop), points=10)
    given = {"account": by(account), "points": 1, "minutes": minutes}
    assert await told(shop, "pointsReserve", given) == [("OUT_OF_RANGE", "input.minutes")]


def level(rank: int, qualify: int, retain: int = 0, **more: Any) -> Any:
    return {"name": f"L{rank}", "rank": rank, "qualifyPoints": qualify, "retainPoints": retain, **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": " "}, [("REQUIRED", "name")]),
        ({"name": "x" * 201}, [("TOO_LONG", "name")]),
        ({"earnRate": "-1"}, [("OUT_OF_RANGE", "earnRate")]),
        ({"earnRate": "0.0000001"}, [("OUT_OF_RANGE", "earnRate")]),
        ({"pointValue": "-0.01", "name": ""}, [("OUT_OF_RANGE", "pointValue"), ("REQUIRED", "name")]),
        ({"activationDays": -1}, [("OUT_OF_RANGE", "activationDays")]),
        ({"expiryDays": 0}, [("OUT_OF_RANGE", "expiryDays")]),
        ({"levelGraceDays": -1}, [("OUT_OF_RANGE", "levelGraceDays")]),
        ({"levels": [level(1, 10), level(1, 20)]}, [("INVALID", "levels.1.rank")]),
        ({"levels": [level(2, 10), level(1, 20)]}, [("INVALID", "levels.0.qualifyPoints")]),
        ({"levels": [level(1, 10), level(2, 10)]}, [("INVALID", "levels.1.qualifyPoints")]),
        ({"levels": [level(1, 10, 5), level(2, 20, 4)]}, [("INVALID", "levels.1.retainPoints")]),
        ({"levels": [level(1, 10, 11)]}, [("INVALID", "levels.0.retainPoints")]),
        ({"levels": [level(1, -1, -1)]}, [("OUT_OF_RANGE", f"levels.0.{of}Points") for of in ("qualify", "retain")]),
        ({"levels": [level(1, 10, multiplier="-1")]}, [("OUT_OF_RANGE", "levels.0.multiplier")]),
        ({"levels": [level(1, 10) | {"name": ""}]}, [("REQUIRED", "levels.0.name")]),
        ({"levels": [level(1, 10, benefits=["Tea", " "])]}, [("REQUIRED", "levels.0.benefits.1")]),
    ],
)  # fmt: skip
async def test_terms_that_make_no_sense_are_refused(shop: Shop, given: Any, expected: Told) -> None:
    said = {"name": "Stars", "currency": "EUR", "earnRate": "1", **given}
    assert await told(shop, "loyaltyProgramCreate", said) == [(code, f"input.{path}") for code, path in expected]
    change = {"id": await new_program(shop), "set": given}
    assert await told(shop, "loyaltyProgramUpdate", change) == [(code, f"input.set.{path}") for code, path in expected]


async def test_a_reward_costs_something_and_there_are_some(shop: Shop) -> None:
    of = await stars(shop)
    for given, path in (({"points": 0}, "points"), ({"points": -1}, "points"), ({"stock": -1}, "stock")):
        said = {"programId": of.program, "name": "Cup", "points": 5, **given}
        assert await told(shop, "rewardCreate", said) == [("OUT_OF_RANGE", f"input.{path}")]
        assert await told(shop, "rewardUpdate", {"id": of.cup, "set": given}) == [("OUT_OF_RANGE", f"input.set.{path}")]


async def test_who_may_only_read_moves_no_points(shop: Shop) -> None:
    of = await stars(shop)
    reader = shop.renewed(NOW, "read")
    before = shop.rows()
    for field in MOVING:
        answer = await answered(reader, field, points_of(field, of, of.ana), "k")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"], field
    await reader.http.aclose()
    after = shop.rows()
    assert {name for name in before if before[name] != after[name]} <= {"api_keys"}


async def test_what_was_refused_may_be_sent_again_with_its_key_when_it_can_be_done(shop: Shop) -> None:
    of = await stars(shop)
    given = {"account": by(of.ana), "spend": {"points": 321}}
    assert await told(shop, "pointsRedeem", given, "k") == [("INSUFFICIENT_POINTS", "input.spend.points")]
    await earn(shop, of.ana, 1)
    assert (await sent(shop, "pointsRedeem", given, "k"))["account"]["balance"]["available"] == 0
