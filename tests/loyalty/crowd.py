"""Somebody in a crowd that moves the same points at once, who knows what came of what they did."""

import random
from collections import Counter
from typing import Any

from tests.api.acting import Shop, by, line
from tests.loyalty.sending import answered

DEEDS = ["earn", "buy", "redeem", "redeem", "reserve", "capture", "void", "transfer", "adjust", "reverse", "refund"]


class Somebody:
    """Does one thing after another, and keeps how much it added to which account."""

    def __init__(self, client: Shop, dice: random.Random, name: int, members: dict[str, str]) -> None:
        self.client, self.dice, self.name, self.members = client, dice, name, members
        self.sent = 0
        self.orders: list[tuple[str, str, int]] = []
        self.held: list[tuple[str, str]] = []
        self.spent: list[tuple[str, str]] = []
        self.added: Counter[str] = Counter()
        self.told: Counter[str] = Counter()

    async def act(self) -> None:
        """Something, with one of the accounts and a few points; what cannot be done yet is left out."""
        deed = getattr(self, self.dice.choice(DEEDS))
        await deed(self.dice.choice(list(self.members)), self.dice.randint(1, 9))

    async def earn(self, account: str, n: int) -> None:
        if await self.send("pointsEarn", {"account": by(account), "points": n, "reason": "Review"}):
            self.added[account] += n

    async def adjust(self, account: str, n: int) -> None:
        if await self.send("pointsAdjust", {"account": by(account), "points": -n, "reason": "Put right"}):
            self.added[account] -= n

    async def buy(self, account: str, n: int) -> None:
        said = {"customer": by(self.members[account]), "currency": "EUR", "lines": [line(f"{n}.00")]}
        done = await self.send("purchaseRecord", said)
        self.orders.append((done["purchase"]["id"], account, n))
        self.added[account] += n

    async def refund(self, _: str, __: int) -> None:
        if self.orders:
            order, account, n = self.orders.pop()
            said = {"purchase": by(order), "amount": {"amount": f"{n}.00", "currency": "EUR"}}
            assert await self.send("purchaseRefund", said)
            self.added[account] -= n

    async def redeem(self, account: str, n: int) -> None:
        if done := await self.send("pointsRedeem", {"account": by(account), "spend": {"points": n}}):
            self.spent.append((done["redemption"]["id"], account))
            self.added[account] -= n

    async def reverse(self, _: str, __: int) -> None:
        if self.spent:
            redemption, account = self.spent.pop()
            assert await self.send("redemptionReverse", {"redemptionId": redemption, "points": 1})
            self.added[account] += 1

    async def reserve(self, account: str, n: int) -> None:
        if done := await self.send("pointsReserve", {"account": by(account), "points": n}):
            self.held.append((done["reservation"]["id"], account))

    async def capture(self, _: str, __: int) -> None:
        if self.held:
            held, account = self.held.pop()
            assert await self.send("reservationCapture", {"reservationId": held, "points": 1})
            self.added[account] -= 1

    async def void(self, _: str, __: int) -> None:
        if self.held:
            assert await self.send("reservationVoid", {"reservationId": self.held.pop()[0]})

    async def transfer(self, account: str, n: int) -> None:
        other = self.dice.choice([each for each in self.members if each != account])
        if await self.send("pointsTransfer", {"from": by(account), "to": by(other), "points": n}):
            self.added[other] += n
            self.added[account] -= n

    async def send(self, field: str, given: Any) -> Any:
        """The payload, or None where there was too little."""
        self.sent += 1
        answer = await answered(self.client, field, given, f"{self.name}-{self.sent}")
        assert "errors" not in answer, answer["errors"]
        payload = answer["data"][field]
        self.told[payload["userErrors"][0]["code"] if payload["userErrors"] else "DONE"] += 1
        return None if payload["userErrors"] else payload
