"""The abuse list: each attack is refused with a code, or answered, for next to nothing; and the next request is
answered. Nothing that a limit refuses runs a statement.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.query import fetch
from tests.api.acting import Shop, by, new_customer, unknown
from tests.api.test_http import GRAPHQL, JSON

# More than ten times what any of them takes on an idle machine, and what the list allows.
MOST_SECONDS = 0.25
LARGEST_ANSWER = 16_384
PARSE, VALIDATION = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"
INPUT, REQUEST, DEPTH, COST = "BAD_USER_INPUT", "BAD_REQUEST", "MAX_DEPTH_EXCEEDED", "MAX_COST_EXCEEDED"
OK = "answered"
VIEWER = "{ viewer { scopes } }"
FILTERED = "query($w: CustomerWhere) { customers(where: $w) { totalCount } }"
CREATED = "mutation($i: CustomerCreateInput!) { customerCreate(input: $i) { customer { id } userErrors { code } } }"
BOUGHT = "mutation($i: PurchaseRecordInput!) { purchaseRecord(input: $i) { purchase { id } userErrors { code } } }"


@dataclass
class Attack:
    """A body, or a document with its variables, and the codes of which one is told."""

    name: str
    codes: tuple[str, ...]
    text: str = VIEWER
    variables: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def sent(self) -> bytes:
        said = {"query": self.text} | ({"variables": self.variables} if self.variables is not None else {})
        return self.body if self.body is not None else json.dumps(said).encode()


def bomb(levels: int, spread: str, leaf: str = "id") -> str:
    """Each fragment spreads the next twice."""
    rings = " ".join(f"fragment F{n} on Customer {{ {spread.replace('NEXT', f'F{n + 1}')} }}" for n in range(levels))
    return f"{{ customers {{ nodes {{ ...F0 }} }} }} {rings} fragment F{levels} on Customer {{ {leaf} }}"


def filtered(levels: int) -> bytes:
    where = b'{"AND":[' * levels + b"{}" + b"]}" * levels
    return b'{"query":' + json.dumps(FILTERED).encode() + b',"variables":{"w":' + where + b"}}"


FANNED = "customers(first: 100) { nodes { purchases(first: 100) { nodes { customer { id } } } } }"
CYCLE = "{ customers { nodes { ...A } } } fragment A on Customer { ...B } fragment B on Customer { ...A }"
INTROSPECTED = "{ __schema { types { " + "fields { type { " * 20 + "name" + " } }" * 20 + " } } }"
LINE = {"name": "Tea", "price": {"total": "1.00"}}
HARD = ["\x00", "a\x00b", "\x07", "\u202e", "\u200b", "👩\u200d👧", "e\u0301", "a" * 5_000]

DOCUMENTS = [
    Attack(
        "1: depth 50",
        (DEPTH,),
        "{ customers { nodes { " + "purchases { nodes { customer { " * 16 + "id" + " } } }" * 17,
    ),
    Attack("1: depth 3,000", (PARSE,), "{ a" * 3_000 + " }" * 3_000),
    Attack(
        "2: 1,000 aliases", (PARSE, COST), "{ " + " ".join(f"a{n}: viewer {{ scopes }}" for n in range(1_000)) + " }"
    ),
    Attack("2: 10,000 aliases", (PARSE, REQUEST), "{ " + " ".join(f"a{n}:__typename" for n in range(10_000)) + " }"),
    Attack("2: 300 aliases", (COST,), "{ " + " ".join(f"a{n}: viewer {{ scopes }}" for n in range(300)) + " }"),
    Attack(
        "2: aliases in fragments",
        (COST,),
        "{ "
        + "...F " * 20
        + "} fragment F on Query { "
        + " ".join(f"a{n}: viewer {{ scopes }}" for n in range(10))
        + " }",
    ),
    Attack("3: a field 10,000 times", (PARSE,), "{ " + "__typename " * 5_000 + "}"),
    Attack("3: inline fragments", (PARSE, COST), "{ " + ("... { " + "viewer { scopes } " * 20 + "} ") * 100 + "}"),
    Attack("3: the same field below the cap of tokens", (COST,), "{ " + "viewer { scopes } " * 300 + "}"),
    Attack("4: 5,000 directives", (REQUEST,), "{ viewer " + "@skip(if: false) " * 5_000 + "{ scopes } }"),
    Attack("4: 250 directives", (VALIDATION,), "{ viewer " + "@skip(if: false) " * 250 + "{ scopes } }"),
    Attack("4: 900 unknown ones", (VALIDATION,), "{ viewer " + "".join(f"@a{n} " for n in range(900)) + "{ scopes } }"),
    Attack("5: a cycle of fragments", (VALIDATION,), CYCLE),
    *[
        Attack(
            f"6: a bomb of 2^{n} with aliases",
            (COST, DEPTH, PARSE),
            bomb(n, "x: facts { orders: keptOrders } ...NEXT ...NEXT"),
        )
        for n in (10, 20, 100, 200)
    ],
    *[Attack(f"7: a bomb of 2^{n} spreads", (COST, DEPTH, PARSE), bomb(n, "...NEXT ...NEXT")) for n in (22, 100, 200)],
    Attack("8: pages of pages", (COST,), "{ " + FANNED + " }"),
    Attack(
        "8: pages of pages of pages",
        (COST, DEPTH),
        "{ customers(first: 100) { nodes { "
        + "purchases(first: 100) { nodes { customer { " * 3
        + "id"
        + " } } }" * 3
        + " } } }",
    ),
    Attack("9: a batch", (REQUEST,), body=b"[" + b",".join([b'{"query":"{a}"}'] * 10_000) + b"]"),
    Attack("10: a comment of 5 MB", (REQUEST,), "#" * 5_000_000 + "\n" + VIEWER),
    Attack("10: commas", (REQUEST,), "{ viewer {" + "," * 5_000_000 + "scopes } }"),
    Attack("10: a long string", (REQUEST,), '{ node(id: "' + "a" * 5_000_000 + '") { id } }'),
    Attack("10: a comment of 60 KiB", (OK,), "#" * 60_000 + "\n" + VIEWER),
    Attack(
        "11: variables 100,000 deep",
        (REQUEST,),
        body=b'{"query":"{a}","variables":' + b'{"a":' * 40_000 + b"}" * 40_000,
    ),
    Attack(
        "11: an integer of 5,000 digits", (REQUEST,), body=b'{"query":"{a}","variables":{"a":' + b"9" * 5_000 + b"}}"
    ),
    Attack("11: a list of 10,000", (INPUT,), FILTERED, {"w": {"city": {"in": ["a"] * 10_000}}}),
    Attack("11: a filter 500 deep", (REQUEST,), body=filtered(500)),
    Attack("11: a filter 40 deep", (INPUT,), body=filtered(40)),
    Attack("11: 1,000 tests", (INPUT,), FILTERED, {"w": {"OR": [{"city": {"eq": "a"}}] * 1_000}}),
    Attack("12: introspection in a circle", (VALIDATION, DEPTH, COST), INTROSPECTED),
    Attack("14: a form", (REQUEST,), headers={"content-type": "application/x-www-form-urlencoded"}),
    Attack("14: text", (REQUEST,), headers={"content-type": "text/plain"}),
    Attack("14: many parts", (REQUEST,), headers={"content-type": "multipart/form-data; boundary=a"}),
    Attack("14: JSON of another kind", (REQUEST,), headers={"content-type": "application/json-patch+json"}),
    *[
        Attack(f"28: {text[:5]!r} in a filter", (OK, INPUT), FILTERED, {"w": {"city": {"contains": text}}})
        for text in HARD
    ],
    *[Attack(f"28: {text[:5]!r} as a name", (OK, INPUT), CREATED, {"i": {"name": text}}) for text in HARD],
    Attack("28: half a pair", (REQUEST,), body=b'{"query":"{a}","variables":{"a":"\\ud800"}}'),
    Attack("29: a name of 100,000", (OK,), CREATED, {"i": {"name": "a" * 100_000}}),
    Attack("30: an int beyond 2^31", (VALIDATION,), "{ customers(first: 2147483648) { totalCount } }"),
    Attack("30: in a variable", (INPUT,), "query($n: Int) { customers(first: $n) { totalCount } }", {"n": 2**31}),
    Attack("31: NaN", (REQUEST,), body=b'{"query":"{a}","variables":{"a":NaN}}'),
    Attack("31: 1e1000000", (REQUEST,), body=b'{"query":"{a}","variables":{"a":1e1000000}}'),
    *[
        Attack(
            f"31: {text} as money",
            (INPUT,),
            BOUGHT,
            {"i": {"currency": "EUR", "lines": [LINE | {"price": {"total": text}}]}},
        )
        for text in ("NaN", "Infinity", "-Infinity", "1e1000000", "1E+1000000", "0x10", "9" * 5_000)
    ],
    *[
        Attack(
            f"32: {number} as money",
            (INPUT,),
            BOUGHT,
            {"i": {"currency": "EUR", "lines": [LINE | {"price": {"total": number}}]}},
        )
        for number in (0.1, 0.30000000000000004, 1e300)
    ],
    *[
        Attack(f"33: {page}", (INPUT, VALIDATION), f"{{ customers({page}) {{ totalCount }} }}")
        for page in ("first: 1000000000", "first: -1", "first: 0", "first: 1, last: 1", "first: 101", "last: 0")
    ],
    Attack("38: gzip", (REQUEST,), body=b"\x1f\x8b\x08\x00" + b"\x00" * 1_000, headers={"content-encoding": "gzip"}),
    Attack("38: gzip unsaid", (REQUEST,), body=b"\x1f\x8b\x08\x00" + b"\x00" * 1_000),
    Attack("48: a name twice", (REQUEST,), body=b'{"query":"{a}","query":"{b}"}'),
    Attack("49: many errors", (VALIDATION,), "{ " + " ".join(f"a{n}" for n in range(900)) + " }"),
]


@pytest.fixture
def ran() -> Iterator[list[str]]:
    """The statements of questions."""
    found: list[str] = []
    fetch.watchers.append(found.append)
    yield found
    fetch.watchers.remove(found.append)


@pytest.mark.parametrize("attack", DOCUMENTS, ids=lambda one: one.name)
async def test_an_attack_costs_nothing(shop: Shop, ran: list[str], attack: Attack) -> None:
    await shop.ask(VIEWER)  # the key is known now
    content = attack.sent()
    # What is wrong with the headers of a request is nothing to a socket.
    for send in (over_http,) if attack.headers else (over_http, over_events, over_socket):
        took = float("inf")
        # The quicker of two: a busy machine makes anything dear once.
        for _ in range(2):
            began = time.process_time()
            errors = await send(shop, content, attack.headers)
            took = min(took, time.process_time() - began)
            if took < MOST_SECONDS:
                break
        codes = {error["extensions"]["code"] for error in errors} or {OK}
        assert codes <= set(attack.codes), errors
        assert len(errors) <= 10
        assert took < MOST_SECONDS
        if OK not in codes:
            assert ran == []
        assert (await shop.ask(VIEWER))["viewer"]["scopes"]


async def over_http(shop: Shop, content: bytes, more: dict[str, str]) -> Any:
    """The errors of the answer."""
    headers = {"content-type": JSON, "accept": GRAPHQL} | more
    response = await shop.http.post("/graphql", content=content, headers=headers)
    assert response.status_code < 500
    assert len(response.content) < LARGEST_ANSWER
    return response.json().get("errors", [])


async def over_events(shop: Shop, content: bytes, _: dict[str, str]) -> Any:
    headers = {"content-type": JSON, "accept": "text/event-stream"}
    response = await shop.http.post("/graphql", content=content, headers=headers)
    assert response.status_code < 500
    assert len(response.content) < LARGEST_ANSWER
    text = response.text
    if response.status_code == 200:
        text = text.removeprefix("event: next\ndata: ").partition("\n")[0]
    return json.loads(text).get("errors", [])


async def over_socket(shop: Shop, content: bytes, _: dict[str, str]) -> Any:
    """What is no message, or no JSON, ends the connection: told here as a bad request."""
    init = json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {shop.key}"}})
    subscribe = '{"type":"subscribe","id":"1","payload":' + content.decode("latin-1") + "}"
    coming = deque(
        [{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": one} for one in (init, subscribe))]
    )
    heard: list[Any] = []
    closed: list[int] = []
    over = asyncio.Event()

    async def receive() -> Any:
        if coming:
            return coming.popleft()
        await over.wait()
        return {"type": "websocket.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            closed.append(message["code"])
        elif message["type"] == "websocket.send":
            assert len(message["text"]) < LARGEST_ANSWER
            heard.append(json.loads(message["text"]))
            if heard[-1]["type"] in ("error", "complete"):
                over.set()

    scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}
    async with asyncio.timeout(10):
        await shop.house.app(scope, receive, send)
    if closed:
        assert closed == [4400]
        return [{"extensions": {"code": REQUEST}}]
    assert heard[0] == {"type": "connection_ack"}
    return heard[1]["payload"] if heard[1]["type"] == "error" else heard[1]["payload"].get("errors", [])


# ------------------------------------------------------------------ ids, and who is not known

SOMEBODY = "0123456789abcdef0123456789abcdef"
TAMPERED = [
    *("", "x", "cus", "cus_", "_", "=" * 8, "Q3VzdG9tZXI6MQ==", "' OR 1=1 --", '{"id":1}', "\x00"),
    *(f"{prefix}_{SOMEBODY}" for prefix in ("CUS", "pur", "org", "xyz", "\u202ecus")),
    *(f"cus_{key}" for key in (SOMEBODY.upper(), SOMEBODY[:-1], SOMEBODY + "0", "g" * 32, "0" * 50_000, "\u0661" * 32)),
    *(f"cus_{SOMEBODY}{end}" for end in ("@", "@x", "@" + "9" * 18, "@-" + "9" * 18, "\n", " ")),
]
LOOKED_UP = """query($id: ID!) {
  node(id: $id) { id } nodes(ids: [$id]) { id } customer(by: { id: $id }) { id } purchase(by: { id: $id }) { id }
  touchpoint(by: { id: $id }) { id } customers(where: { id: { eq: $id } }) { totalCount }
}"""


async def test_an_id_that_was_tampered_with_is_nobodys(shop: Shop) -> None:
    customer = await new_customer(shop)
    nobody = await shop.post(LOOKED_UP, {"id": unknown("cus")})
    assert (nobody["data"]["customer"], nobody["data"]["customers"]["totalCount"]) == (None, 0)
    updated = "mutation($i: CustomerUpdateInput!) { customerUpdate(input: $i) { userErrors { code field } } }"
    not_found = await shop.post(updated, {"i": {"customer": by(unknown("cus")), "set": {"name": "Bo"}}})
    own = [customer.replace("cus_", "pur_"), customer[:-1], customer + "0", customer.upper(), f"{customer}@"]
    for each in TAMPERED + own:
        assert await shop.post(LOOKED_UP, {"id": each}) == nobody, each
        assert await shop.post(updated, {"i": {"customer": by(each), "set": {"name": "Bo"}}}) == not_found, each
    assert (await shop.post(LOOKED_UP, {"id": customer}))["data"]["customer"] == {"id": customer}


async def test_without_a_key_nobody_learns_a_name_of_the_schema(shop: Shop, ran: list[str]) -> None:
    asked = [VIEWER, "{ custome }", "{ customers { nodes { emai } } }", "{ __schema { types { name } } }", CYCLE, "{"]
    headers = {"authorization": "", "x-request-id": "r"}
    told = {(await shop.http.post("/graphql", json={"query": each}, headers=headers)).text for each in asked}
    assert len(told) == 1
    assert "UNAUTHENTICATED" in told.pop()
    assert ran == []
