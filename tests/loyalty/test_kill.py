"""A server that is killed while points are moved has lost none that it acknowledged, and moved none twice or by
halves."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
from sqlalchemy import Engine, select

from app.loyalty.tables import LoyaltyAccount, PointsEntry, PointsReservation, Redemption
from app.platform.access import Org, organizations
from app.platform.database import connect
from app.platform.idempotency import IdempotencyKey
from app.platform.work import operator, transaction, work
from tests.api.acting import by
from tests.api.test_kill import Writer, count, durable_url, free_port, guanxi, serving, wait_for
from tests.house import FULL
from tests.loyalty import acting
from tests.loyalty.judging import sound
from tests.loyalty.sending import asking

__all__ = ["durable_url"]

KILLS = 100 if FULL else 2
CLIENTS, ACCOUNTS, MOVES_BETWEEN = 4, 3, 15


@dataclass
class Spender(Writer):
    """Moves points of accounts that others move points of too, and keeps what was acknowledged, refusals aside."""

    accounts: list[str] = field(default_factory=list)
    sent: int = 0
    held: list[tuple[str, str]] = field(default_factory=list)
    captures: dict[str, str] = field(default_factory=dict)

    def _next(self) -> tuple[str, Any]:
        account, other = self.seed.sample(self.accounts, 2)
        points = self.seed.randint(1, 9)
        match self.seed.choice(["earn", "redeem", "redeem", "reserve", "capture", "transfer", "adjust"]):
            case "redeem":
                return "pointsRedeem", {"account": by(account), "spend": {"points": points}}
            case "reserve":
                return "pointsReserve", {"account": by(account), "points": points, "minutes": 1000}
            case "capture" if self.held:
                return "reservationCapture", {"reservationId": self.held[-1][0], "points": 1}
            case "transfer":
                return "pointsTransfer", {"from": by(account), "to": by(other), "points": points}
            case "adjust":
                return "pointsAdjust", {"account": by(account), "points": -points, "reason": "Put right"}
            case _:
                return "pointsEarn", {"account": by(account), "points": points, "reason": "Review"}

    def _write(self, client: httpx.Client, name: str, given: Any) -> None:
        key, until = f"{self.name}-{self.sent}", time.monotonic() + 60
        self.sent += 1
        while True:
            try:
                payload = moved(send(client, name, given, key), name)
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                self.sent_again += 1
                time.sleep(0.05)
        if payload["userErrors"]:
            assert [error["code"] for error in payload["userErrors"]] == ["INSUFFICIENT_POINTS"], payload
            return
        self.acknowledged.append((name, given, key, payload))
        if name == "pointsReserve":
            self.held.append((payload["reservation"]["id"], given["account"]["id"]))
        if name == "reservationCapture":
            self.captures[given["reservationId"]] = self.held.pop()[1]


def send(client: httpx.Client, name: str, given: Any, key: str) -> Any:
    query, variables = asking(name, given, key)
    return client.post("/graphql", json={"query": query, "variables": variables}).json()


def moved(answer: Any, name: str) -> Any:
    assert "errors" not in answer, answer
    return answer["data"][name]


def test_no_point_is_lost_or_moved_twice_however_often_the_server_is_killed(durable_url: str) -> None:
    program, accounts = members(durable_url)
    port = free_port()
    spenders = [Spender(n, port, random.Random(n), accounts=accounts) for n in range(CLIENTS)]
    threads = [threading.Thread(target=spender.run, daemon=True) for spender in spenders]
    writers: list[Writer] = [*spenders]
    pause = random.Random(11)
    with serving(durable_url, port) as server:
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            wait_for(writers, MOVES_BETWEEN)
            time.sleep(pause.random() / 20)
            server.kill()
            server.start()
        wait_for(writers, MOVES_BETWEEN)
        for spender in spenders:
            spender.stop.set()
        for thread in threads:
            thread.join(timeout=60)
        assert [spender.failed for spender in spenders] == [None] * CLIENTS
        # Without one there was no kill in the midst of anything.
        assert sum(spender.sent_again for spender in spenders) > 0
        every_retry_gets_the_first_answer(port, spenders)
    every_move_was_made_once(durable_url, program, spenders)
    for command in ("verify", "post-due", "verify"):
        process = guanxi(durable_url, "ledger", command)
        said = process.communicate(timeout=60)
        assert (process.returncode, said[1]) == (0, b""), said


def members(url: str) -> tuple[str, list[str]]:
    """Accounts with some points to begin with."""
    engine = connect(url)
    with work(engine, operator(the_org(engine)), datetime.now(UTC)) as at_work:
        program = acting.program(at_work)
        accounts = [acting.member(at_work, program) for _ in range(ACCOUNTS)]
        for account in accounts:
            acting.earn(at_work, account, 50)
    engine.dispose()
    return program, accounts


def the_org(engine: Engine) -> Org:
    with transaction(engine) as session:
        [org] = organizations(session)
    return org


def every_retry_gets_the_first_answer(port: int, spenders: list[Spender]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        for spender in spenders:
            for name, given, key, payload in spender.acknowledged:
                again = send(client, name, given, key)
                assert again["extensions"] == {"idempotency": {"replayed": True}}
                assert ids(again["data"][name]) == ids(payload)


def ids(payload: Any) -> Any:
    things = [payload[name] for name in ("account", "from", "to", "redemption", "reservation") if payload.get(name)]
    return [thing["id"] for thing in (*things, *payload.get("entries", []))]


def every_move_was_made_once(url: str, program: str, spenders: list[Spender]) -> None:
    expected: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for spender in spenders:
        for name, given, _, _ in spender.acknowledged:
            kinds[name] += 1
            if name == "pointsTransfer":
                expected[given["from"]["id"]] -= given["points"]
                expected[given["to"]["id"]] += given["points"]
            elif name == "reservationCapture":
                expected[spender.captures[given["reservationId"]]] -= given["points"]
            elif name != "pointsReserve":
                points = given["spend"]["points"] if name == "pointsRedeem" else given["points"]
                expected[given["account"]["id"]] += -points if name == "pointsRedeem" else points
    engine = connect(url)
    with work(engine, operator(the_org(engine)), datetime.now(UTC)) as at_work:
        for account in acting.accounts(at_work, program):
            available, _, reserved, _ = acting.balance(at_work, account)
            assert available + reserved == 50 + expected[account]
        sound(at_work, program)
    assert count(engine, select(PointsReservation.id)) == kinds["pointsReserve"]
    assert count(engine, select(Redemption.id)) == kinds["pointsRedeem"] + kinds["reservationCapture"]
    assert count(engine, select(PointsEntry.id).where(PointsEntry.incoming)) == kinds["pointsTransfer"]
    assert count(engine, select(PointsEntry.id).where(PointsEntry.kind == "ADJUST")) == kinds["pointsAdjust"]
    assert count(engine, select(LoyaltyAccount.id)) == ACCOUNTS
    assert count(engine, select(IdempotencyKey.key).where(IdempotencyKey.result.is_(None))) == 0
    assert count(engine, select(IdempotencyKey.key)) == sum(kinds.values())
    engine.dispose()
