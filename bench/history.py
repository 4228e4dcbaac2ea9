"""Does a balance get slower with history? The same few requests, of accounts with more and more entries.

One client asks Guanxi over one connection, the accounts in turn, so that whatever else the machine does falls on all of
them alike. What is told is the median of the time from request to answer.
"""

import http.client
import json
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta

from bench import restore
from bench.load import Loaded
from bench.points import LONG, member_key
from bench.questions import MARK, Variables, answer, fresh, request
from bench.servers import Server, serving

COUNTED, BEFORE = 41, 5
ASKED = {
    "B1": "read the balance",
    "B2": "read balance, level and what is missing for the next one",
    "B3": "read the balance of a year ago",
    "M3": "redeem a point",
    "M2": "earn points",
}


@dataclass(frozen=True)
class Taken:
    """Milliseconds by the number of entries, in the order of LONG."""

    dialect: str
    size: int
    question: str
    ms: tuple[float, ...]


def history(loaded: Loaded) -> list[Taken]:
    """Of every question; what was written is taken out again."""
    shop = loaded.shop
    then = shop.instant(int((shop.today - timedelta(days=365)).timestamp() * 1000))
    accounts = ["acc_" + member_key(shop, index) for index in range(len(LONG))]
    more: dict[str, Variables] = {"B3": {"then": then}, **{name: {"points": 1, "key": MARK} for name in ("M2", "M3")}}
    found: dict[tuple[str, str], list[float]] = {}
    try:
        with serving(["guanxi"], loaded) as [server]:
            client = _Client(server)
            for _ in range(BEFORE + COUNTED):
                for question in ASKED:
                    for account in accounts:
                        ms = client.ask(question, {"account": account, **more.get(question, {})})
                        found.setdefault((question, account), []).append(ms)
    finally:
        restore.undo(loaded.url, shop.today)
    return [
        Taken(
            loaded.dialect,
            loaded.size,
            question,
            tuple(round(statistics.median(found[question, account][BEFORE:]), 3) for account in accounts),
        )
        for question in ASKED
    ]


class _Client:
    """One connection that is kept."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}

    def ask(self, question: str, given: Variables) -> float:
        """How many ms it took; raises ValueError for a refusal."""
        asked = request(question, self._server.family, given)
        body = fresh(asked.body).encode()
        began = time.perf_counter()
        self._connection.request(asked.method, asked.path, body, self._headers)
        said = self._connection.getresponse().read()
        ms = (time.perf_counter() - began) * 1000
        answer(question, self._server.family, json.loads(said))
        return ms
