"""The questions: their documents, how each server is asked, and what the answers have in common.

Three families of servers are asked alike. `graphql`: Guanxi, the idiomatic server and mercurius take the very documents
of bench/questions/. `rest`: the hand-written routes. `postgraphile`: documents in the words of its own schema.
An answer of any family is brought to one form, so that all can be held against each other.
"""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from bench.data import ORG, Shop
from bench.points import LONG, member_key

HERE = Path(__file__).parent / "questions"
STAGES = ("NEW", "ACTIVE", "LOYAL", "CHURNED")
TITLES = {
    "Q1": "a customer by id, 8 scalars, with the loyalty account: number, balance and level",
    "Q2": "50 customers, each with loyalty account, stage, score and the last 5 touchpoints",
    "Q3": "1000 customers x 8 scalars, as ten pages of 100",
    "Q4": "the top 50 by score of one stage, with totalCount",
    "Q5": "count and net by stage, over everyone",
    "M1": "record a touchpoint",
    "M2": "earn points, each time with another idempotency key",
    "M3": "redeem a point, each time with another idempotency key",
}
WRITES = frozenset({"M1", "M2", "M3"})
VARIETY = {"Q1": 5000, "Q2": 500, "Q3": 100, "Q4": 4, "Q5": 1, "M1": 5000, "M2": 5000, "M3": 5000, "H1": 1}
# Whom a question is asked of, where not of everybody: books as Guanxi keeps them nobody else has.
ASKED_OF = {"M2": ("guanxi", "floor", "transaction"), "M3": ("guanxi", "floor", "transaction")}
# Whom nothing else is asked of: for the rest they are one of the others.
ASKED_ONLY = {"transaction": ("M2", "M3")}
# Stands in a request for an idempotency key, another one each time: a series and a number, of the same length.
MARK = "bench-key-00000000000000000000000"

Variables = dict[str, Any]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_Named)


@dataclass(frozen=True)
class Request:
    """One HTTP request, as text and as bytes on the wire."""

    method: str
    path: str
    body: str = ""

    def raw(self, key: str) -> bytes:
        head = [f"{self.method} {self.path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {key}"]
        if self.body:
            head += ["content-type: application/json", f"content-length: {len(self.body.encode())}"]
        return ("\r\n".join(head) + "\r\n\r\n" + self.body).encode()


def variables(name: str, shop: Shop) -> list[Variables]:
    """What is asked, again and again: the same for every server."""
    dice = Random(f"{name} of {shop.size}")

    def customer() -> str:
        return "cus_" + shop.customer_key(dice.randrange(shop.size))

    def start(most: int, ahead: int = 0) -> str:
        return shop.instant(shop.created_ms(most + ahead))

    made: list[Variables] = []
    for number in range(VARIETY[name]):
        if name == "Q1":
            made.append({"id": customer()})
        elif name == "Q2":
            made.append({"from": start(dice.randrange(shop.size - 50))})
        elif name == "Q3":
            first = dice.randrange(shop.size - 1000)
            made.append({f"from{n}": start(first, 100 * n) for n in range(10)})
        elif name == "Q4":
            made.append({"stage": STAGES[number]})
        elif name in ("Q5", "H1"):
            made.append({})
        elif name == "M1":
            made.append({"customer": customer(), "subject": f"bench {number}"})
        else:
            # The books of the first few are long: they are asked of by themselves (bench/history.py).
            account = "acc_" + member_key(shop, dice.randrange(len(LONG), shop.size))
            made.append({"account": account, "points": 1, "key": MARK})
    return made


def series() -> str:
    """What the keys of one window begin with; the number is of 14 digits."""
    return f"bench-{secrets.token_hex(6)}-"


def fresh(text: str) -> str:
    """With a key of its own, if it asks for one."""
    return text.replace(MARK, f"{series()}{0:014d}") if MARK in text else text


def asked_of(name: str, servers: Sequence[Named]) -> list[Named]:
    """Those of the servers that this question is asked of."""
    asked = (server for server in servers if server.name in ASKED_OF.get(name, (server.name,)))
    return [server for server in asked if name in ASKED_ONLY.get(server.name, (name,))]


def document(name: str, family: str) -> str:
    folder = HERE / family if family == "postgraphile" else HERE
    return " ".join((folder / f"{name}.graphql").read_text().split())


def request(name: str, family: str, given: Variables) -> Request:
    """How a server of that family is asked."""
    if family == "rest":
        return _ROUTES[name](given)
    if family == "postgraphile":
        given = {"org": str(ORG), **{key: re.sub(r"^cus_", "", value) for key, value in given.items()}}
    body = {"query": document(name, family), "variables": given}
    return Request("POST", "/graphql", json.dumps(body, ensure_ascii=False))


_ROUTES: dict[str, Callable[[Variables], Request]] = {
    "Q1": lambda given: Request("GET", f"/customers/{given['id']}"),
    "Q2": lambda given: Request("GET", f"/page?from={quote(given['from'])}"),
    "Q3": lambda given: Request("GET", f"/pages?from={quote(','.join(given.values()))}"),
    "Q4": lambda given: Request("GET", f"/top/{given['stage']}"),
    "Q5": lambda _: Request("GET", "/stages"),
    "M1": lambda given: Request(
        "POST", "/touchpoints", json.dumps({"kind": "MESSAGE", "channel": "EMAIL", "direction": "INBOUND", **given})
    ),
    "M2": lambda given: Request("POST", "/points/earned", json.dumps({**given, "reason": "A visit"})),
    "M3": lambda given: Request("POST", "/points/redeemed", json.dumps(given)),
}


# ------------------------------------------------------------------ one form of every answer


def answer(name: str, family: str, body: Any) -> Any:
    """The values alone: lists of rows, keys and instants and numbers in one spelling. Raises ValueError for errors."""
    if family != "rest":
        if not isinstance(body, dict) or body.get("errors") or not body.get("data"):
            raise ValueError(f"{name}: {json.dumps(body)[:600]}")
        body = body["data"]
    if body is None:
        raise ValueError(f"{name}: nothing was found")
    return _plain(_SHAPES[name](body, family))


def _rows(connection: Any) -> list[Any]:
    nodes: list[Any] = connection["nodes"] if isinstance(connection, dict) else connection
    return nodes


def _page(row: Any) -> Any:
    """A row of Q2 without its folds."""
    flat = dict(row)
    for fold in ("lifecycle", "value", "standing"):
        flat.update(flat.pop(fold, {}))
    flat["touchpoints"] = _rows(flat["touchpoints"])
    return _member(flat)


def _member(row: Any) -> Any:
    """With its first loyalty account, without its folds."""
    flat = dict(row)
    if "loyaltyAccounts" in flat:
        [flat["account"]] = [dict(node) for node in _rows(flat.pop("loyaltyAccounts"))]
    account = flat["account"]
    account.update(account.pop("balance", {}))
    account["available"] = int(account["available"])
    if isinstance(account.get("level"), dict):
        account["level"] = account["level"]["name"]
    return flat


def _top(body: Any, family: str) -> Any:
    found = body if family == "rest" else body["customers"]
    nodes = [
        {"id": row["id"], "name": row["name"], **(row.get("value") or {"score": row["score"]})}
        for row in found["nodes"]
    ]
    return {"totalCount": found["totalCount"], "nodes": nodes}


def _groups(body: Any, family: str) -> Any:
    rows = body if family == "rest" else body["customerGroups"]
    if isinstance(rows, dict):
        rows = rows.get("rows") or rows["nodes"]
    # Money in minor units, or as a decimal of the currency.
    return {
        row.get("lifecycleStage") or row["stage"]: [
            int(row["count"]),
            round(float(row["factsNet"]["amount"]) * 100) if "factsNet" in row else int(row["net"]),
        ]
        for row in rows
    }


def _recorded(body: Any, family: str) -> Any:
    if family == "rest":
        return {"kind": body["kind"]}
    payload = body["touchpointRecord"]
    if payload.get("userErrors"):
        raise ValueError(f"M1: {payload['userErrors']}")
    return {"kind": payload["touchpoint"]["kind"]}


def _moved(body: Any, family: str) -> Any:
    """How many points; what is there then depends on who came first."""
    if family == "rest":
        return {"points": body["points"], "told": isinstance(body["available"], int)}
    [payload] = body.values()
    if payload["userErrors"]:
        raise ValueError(f"points: {payload['userErrors']}")
    [moved] = payload.get("entries") or [payload["redemption"]]
    return {"points": moved["points"], "told": isinstance(payload["account"]["balance"]["available"], int)}


_SHAPES: dict[str, Callable[[Any, str], Any]] = {
    "Q1": lambda body, family: _member(body if family == "rest" else body["customer"]),
    "Q2": lambda body, family: [_page(row) for row in _rows(body if family == "rest" else body["customers"])],
    "Q3": lambda body, family: [_rows(page) for page in (body if family == "rest" else body.values())],
    "Q4": _top,
    "Q5": _groups,
    "M1": _recorded,
    "M2": _moved,
    "M3": _moved,
    "H1": lambda body, _: body["customerGroups"],
    **dict.fromkeys(("B1", "B2", "B3"), lambda body, _: body["loyaltyAccount"]),
}

_KEY = re.compile(r"(?:[a-z]{3}_)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) or (isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value)):
        return round(float(value), 4)
    if isinstance(value, str) and (key := _KEY.fullmatch(value)):
        return "".join(key.groups())
    if isinstance(value, str) and _INSTANT.match(value):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value
