"""Points moved through the API: one mutation in one line, with a key of its own unless one is given."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from app.platform.database import instant_text
from tests.api.acting import Shop, by, codes, line

KEYS = count(1)
# Every row of a shop in which nothing was done since.
KNOWN: dict[Shop, dict[str, list[Any]]] = {}
BALANCE = "balance { available pending reserved debt lifetimeEarned }"
ACCOUNT = f"{{ id number status {BALANCE} }}"
ENTRIES = "entries { id kind points debit credit }"
REDEMPTION = "redemption { id points reversed }"
RESERVATION = "reservation { id points captured status }"
SELECTED = {
    "loyaltyProgramCreate": "program { id version }",
    "loyaltyProgramUpdate": "program { id version }",
    "rewardCreate": "reward { id stock active }",
    "rewardUpdate": "reward { id stock active }",
    "loyaltyAccountOpen": f"account {ACCOUNT}",
    "loyaltyAccountClose": f"account {ACCOUNT}",
    "pointsEarn": f"account {ACCOUNT} {ENTRIES}",
    "pointsRedeem": f"account {ACCOUNT} {REDEMPTION}",
    "redemptionReverse": f"account {ACCOUNT} {REDEMPTION}",
    "pointsReserve": f"account {ACCOUNT} {RESERVATION}",
    "reservationCapture": f"account {ACCOUNT} {RESERVATION}",
    "reservationVoid": f"account {ACCOUNT} {RESERVATION}",
    "pointsAdjust": f"account {ACCOUNT} {ENTRIES}",
    "pointsTransfer": f"from {ACCOUNT} to {ACCOUNT} {ENTRIES}",
    "customerCreate": "customer { id }",
    "customerArchive": "customer { id }",
    "purchaseRecord": "purchase { id pointsEarned }",
    "purchaseRefund": "purchase { id pointsEarned }",
}
# Those that move points, for which a key is required.
MOVING = (
    "pointsEarn", "pointsRedeem", "redemptionReverse", "pointsReserve", "reservationCapture", "reservationVoid",
    "pointsAdjust", "pointsTransfer",
)  # fmt: skip
ERRORS = """userErrors { field message code __typename ... on TakenError { existing { id __typename } }
  ... on StaleVersionError { current { id } } ... on InsufficientPointsError { needed available } }"""


def document(field: str, *, keyed: bool) -> str:
    """With the key as a variable: a document that was read before is not read again."""
    kind = f"{field[0].upper()}{field[1:]}Input"
    given, directive = (", $key: String!", " @idempotent(key: $key)") if keyed else ("", "")
    return (
        f"mutation Do($input: {kind}!{given}) {{ {field}(input: $input){directive} {{ {SELECTED[field]} {ERRORS} }} }}"
    )


def asking(field: str, given: Any, key: str | None) -> tuple[str, dict[str, Any]]:
    """A document and its variables."""
    return document(field, keyed=bool(key)), {"input": given} | ({"key": key} if key else {})


async def answered(shop: Shop, field: str, given: Any, key: str | None, now: datetime | None = None) -> Any:
    """The whole answer."""
    KNOWN.pop(shop, None)
    headers = {"x_guanxi_now": instant_text(now)} if now else {}
    return await shop.post(*asking(field, given, key), now, **headers)


async def sent(shop: Shop, field: str, given: Any, key: str | None = "", now: datetime | None = None) -> Any:
    """The payload; with a key of its own unless one is given, or None for no key."""
    answer = await answered(shop, field, given, key if key != "" else f"own-{next(KEYS)}", now)
    assert "errors" not in answer, answer["errors"]
    return answer["data"][field]


async def done(shop: Shop, field: str, given: Any, now: datetime | None = None) -> Any:
    payload = await sent(shop, field, given, now=now)
    assert payload["userErrors"] == [], payload["userErrors"]
    return payload


async def told(shop: Shop, field: str, given: Any, key: str | None = "", now: datetime | None = None) -> Any:
    """Codes and paths of a mutation that is refused; nothing of it is left anywhere."""
    return codes(await problems(shop, field, given, key, now))


async def problems(shop: Shop, field: str, given: Any, key: str | None = "", now: datetime | None = None) -> Any:
    before = KNOWN.get(shop) or shop.rows()
    payload = await sent(shop, field, given, key, now)
    assert payload["userErrors"], payload
    assert [name for name, value in payload.items() if value] == ["userErrors"]
    KNOWN[shop] = after = shop.rows()
    assert {name for name in before if before[name] != after[name]} == set(), field
    return payload["userErrors"]


async def new_customer(shop: Shop, name: str = "Ana") -> str:
    return str((await done(shop, "customerCreate", {"name": name}))["customer"]["id"])


async def new_program(shop: Shop, **given: Any) -> str:
    said = {"name": "Stars", "currency": "EUR", "earnRate": "1", **given}
    return str((await done(shop, "loyaltyProgramCreate", said))["program"]["id"])


async def new_member(shop: Shop, program: str, number: str | None = None, points: int = 0) -> str:
    said = {"programId": program, "customer": by(await new_customer(shop)), "number": number}
    account = str((await done(shop, "loyaltyAccountOpen", said))["account"]["id"])
    if points:
        await earn(shop, account, points)
    return account


async def earn(shop: Shop, account: str, points: int, **given: Any) -> None:
    await done(shop, "pointsEarn", {"account": by(account), "points": points, "reason": "Review", **given})


async def redeem(shop: Shop, account: str, points: int) -> str:
    said = {"account": by(account), "spend": {"points": points}}
    return str((await done(shop, "pointsRedeem", said))["redemption"]["id"])


async def reserve(shop: Shop, account: str, points: int) -> str:
    payload = await done(shop, "pointsReserve", {"account": by(account), "points": points})
    return str(payload["reservation"]["id"])


async def buy(shop: Shop, customer: str, price: str) -> str:
    said = {"customer": by(customer), "currency": "EUR", "lines": [line(price)]}
    return str((await done(shop, "purchaseRecord", said))["purchase"]["id"])


async def refund(shop: Shop, purchase: str, amount: str) -> None:
    said = {"purchase": by(purchase), "amount": {"amount": amount, "currency": "EUR"}}
    await done(shop, "purchaseRefund", said)


async def customer_of(shop: Shop, account: str) -> str:
    asked = "query($by: LoyaltyAccountLookup!) { loyaltyAccount(by: $by) { customer { id } } }"
    return str((await shop.ask(asked, by=by(account)))["loyaltyAccount"]["customer"]["id"])


@dataclass
class Stars:
    """A programme with members in every state that something is refused in."""

    program: str
    ana: str  # has 320 points, of which 40 expire on 2026-12-01
    closed: str
    holding: str  # has 50 points, and 30 reserved
    owing: str
    held: str
    captured: str
    spent: str  # a redemption of 20 points
    cup: str  # a reward for 500 points
    sold_out: str
    inactive: str


async def stars(shop: Shop) -> Stars:
    program = await new_program(shop)
    ana = await new_member(shop, program, "A-1", 280)
    await earn(shop, ana, 40, expiresOn="2026-12-01")
    closed = await new_member(shop, program, "C-1", 10)
    await done(shop, "loyaltyAccountClose", {"account": by(closed)})
    holding = await new_member(shop, program, "H-1", 110)
    captured = await reserve(shop, holding, 10)
    await done(shop, "reservationCapture", {"reservationId": captured, "points": 10})
    spent = await redeem(shop, holding, 20)
    held = await reserve(shop, holding, 30)
    owing = await new_member(shop, program, "O-1")
    order = await buy(shop, await customer_of(shop, owing), "10.00")
    await redeem(shop, owing, 10)
    await refund(shop, order, "10.00")
    rewards = []
    for given in ({"points": 500}, {"points": 5, "stock": 0}, {"points": 5}):
        said = {"programId": program, "name": "Cup", **given}
        rewards.append((await done(shop, "rewardCreate", said))["reward"]["id"])
    await done(shop, "rewardUpdate", {"id": rewards[2], "set": {"active": False}})
    return Stars(program, ana, closed, holding, owing, held, captured, spent, *rewards)
