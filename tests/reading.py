"""What the API says of customers, and what the oracle says it should."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.conftest import NOW
from tests.house import LATER, Shop
from tests.oracle.facts import Facts, facts_of, printed_facts
from tests.oracle.history import History
from tests.oracle.judgements import Policy, judge
from tests.oracle.printing import instant_text

JUDGED = tuple(judge(Facts(), Policy(), NOW.date()))
FACTS = tuple(printed_facts(Facts(), 2))


def selection(paths: Iterable[str]) -> str:
    """`a { b c }` of the paths a.b and a.c."""
    tree: dict[str, Any] = {}
    for path in paths:
        at = tree
        for part in path.split("."):
            at = at.setdefault(part, {})

    def told(of: dict[str, Any]) -> str:
        return " ".join(name + (f" {{ {told(inner)} }}" if inner else "") for name, inner in of.items())

    return told(tree)


def leaf(row: Any, path: str) -> Any:
    """The value at a path; below a null there is nothing but null."""
    for part in path.split("."):
        row = None if row is None else row[part]
    return row


def page_query(select: str) -> str:
    return f"""query Page($after: String, $asOf: DateTime) {{
      customers(first: 100, after: $after, asOf: $asOf, orderBy: [{{field: NAME}}])
      {{ nodes {{ name {select} }} pageInfo {{ hasNextPage endCursor }} }} }}"""


def read_all(shop: Shop, select: str, now: datetime = LATER, as_of: datetime | None = None) -> list[Any]:
    """Every customer, by name."""
    found, after = [], None
    while True:
        page = shop.ask(page_query(select), now, after=after, asOf=as_of and instant_text(as_of))["customers"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def expected(history: History, now: datetime, shop: Shop, policy: Policy) -> dict[str, Any]:
    """What the API says of that history, by path, as the oracle has it."""
    known = facts_of(history, now, shop.zone)
    return judge(known, policy, shop.today(now)) | printed_facts(known, shop.org.exponent)


def default_policy(exponent: int) -> Policy:
    return Policy(rfm_monetary_cuts=tuple(cut * 10**exponent for cut in (100, 300, 800, 2000)))


def letters(value: Any) -> str:
    """As it is written: 1 is not 1.0, nor true."""
    return json.dumps(value, ensure_ascii=False)


def differences(got: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What was said, and what should have been, where they differ."""
    return {
        key: (letters(got[key]), letters(wanted[key])) for key in wanted if letters(got[key]) != letters(wanted[key])
    }
