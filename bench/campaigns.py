"""How long a campaign's large moments take: launched to every customer, previewed, its result read, purchases credited.

Asked of a copy of the database, which is thrown away. Everybody agrees there to marketing by post; once the campaign is
launched, nearly every second of them buys. What the planner knows of all that is what it knows right after, unless told
otherwise: autovacuum looks at a busy table a minute later.
"""

import contextlib
import http.client
import json
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.platform.database import connect
from bench.data import DAY_MS, ORG
from bench.load import Loaded
from bench.place import Postgres
from bench.servers import Server, cpu_seconds, serving, tree

# Of all customers, so many in a hundred buy after the launch.
BUYING = 45
COUNTED = 9
# At most so many seconds with 100,000 customers.
WANTED = {
    ("postgresql", "launch"): 5.0,
    ("sqlite", "launch"): 10.0,
    ("postgresql", "result"): 0.2,
    ("postgresql", "result, after ANALYZE"): 0.2,
}
EVERYBODY = {"createdAt": {"gte": "2000-01-01T00:00:00Z"}}
_JUDGED = {"value": {"score": {"gte": 40}}}
_PLAN = {"name": "Spring", "objective": "WIN_BACK", "channel": "MAIL", "holdoutShare": 0.1, "audience": EVERYBODY}
_CREATE = "mutation($i: CampaignCreateInput!) { campaignCreate(input: $i) { campaign { id } userErrors { message } } }"
_LAUNCH = """mutation($id: ID!) { campaignLaunch(input: {id: $id}) {
  campaign { launch { matched treatment holdout audienceHash } } userErrors { message } } }"""
_PREVIEW = """query($where: CustomerWhere!) { audiencePreview(where: $where, channel: MAIL, purpose: MARKETING) {
  matched reachable excluded { reason count } } }"""
_RESULT = """query($id: ID!) { campaign(id: $id) { result {
  treatment { members converted orders revenue { amount } } holdout { members converted } sentence } } }"""
_ATTRIBUTION = """query($from: DateTime!, $to: DateTime!) {
  attribution(by: CHANNEL, model: TIME_DECAY, from: $from, to: $to) { channel revenue { amount } conversions } }"""
_QUALITY = """query($from: DateTime!, $to: DateTime!) {
  channelQuality(from: $from, to: $to) { channel customers cac { amount } } }"""
_KEY = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_AGREED = """INSERT INTO consents (org_id, id, customer_id, purpose, channel, state, at, recorded_at)
  SELECT org_id, {key}, id, 'MARKETING', 'MAIL', 'GRANTED', created_at, created_at FROM customers WHERE org_id = :org"""
_BOUGHT = """INSERT INTO purchases (org_id, id, customer_id, purchased_at, local_day, recorded_at, channel, promotional,
    currency, exponent, gross_minor, gross_reporting, refunded_minor, refunded_reporting, content_hash)
  SELECT m.org_id, {key}, m.customer_id, m.enrolled_at, m.enrolled_day, m.enrolled_at, 'STORE', {no}, 'CNY', 2, 4200,
    4200, 0, 0, '' FROM campaign_members m WHERE m.org_id = :org ORDER BY m.id LIMIT :many"""


@dataclass(frozen=True)
class Moment:
    """Seconds that one of them took, of them CPU of the server and of the database; the median where asked often."""

    dialect: str
    size: int
    name: str
    seconds: float
    server_cpu: float
    database_cpu: float


def moments(loaded: Loaded, postgres: Postgres | None) -> list[Moment]:
    """All of them, on a copy of that database."""
    with _copied(loaded, postgres) as copy:
        _run(copy, _AGREED)
        _planned(copy)
        with serving(["guanxi"], copy) as [server]:
            asked = _Asked(copy, server, postgres)
            shop = copy.shop
            yearly = {"from": shop.instant(shop.end - 365 * DAY_MS), "to": shop.instant(shop.end)}
            always = {**yearly, "from": shop.instant(shop.begin)}
            asked.often("preview of everybody", _PREVIEW, where=EVERYBODY)
            asked.often("preview by a score", _PREVIEW, where=_JUDGED)
            [campaign] = asked.once(_CREATE, i=_PLAN).values()
            key = campaign["campaign"]["id"]
            asked.often("launch", _LAUNCH, times=1, id=key)
            _run(copy, _BOUGHT, many=copy.size * BUYING // 100)
            asked.often("result", _RESULT, id=key)
            if postgres:
                _planned(copy)
                asked.often("result, after ANALYZE", _RESULT, id=key)
            asked.often("attribution of a year", _ATTRIBUTION, **yearly)
            asked.often("attribution of three years", _ATTRIBUTION, **always)
            asked.often("channel quality of a year", _QUALITY, **yearly)
            return asked.found


class _Asked:
    """What was asked over one connection that is kept, and how long it took."""

    def __init__(self, loaded: Loaded, server: Server, postgres: Postgres | None) -> None:
        self._loaded, self._server, self._postgres = loaded, server, postgres
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.found: list[Moment] = []

    def once(self, query: str, **given: Any) -> Any:
        """The answer; raises ValueError where it has errors."""
        headers = {"authorization": f"Bearer {self._server.key}", "content-type": "application/json"}
        self._connection.request("POST", "/graphql", json.dumps({"query": query, "variables": given}), headers)
        said = json.loads(self._connection.getresponse().read())
        told = (said.get("data") or {}).values()
        if "errors" in said or any(isinstance(each, dict) and each.get("userErrors") for each in told):
            raise ValueError(f"{query}: {said}")
        return said["data"]

    def often(self, name: str, query: str, times: int = COUNTED, **given: Any) -> None:
        """Note what it takes; asked more than once, the first time does not count."""
        # The server does not keep one for long on which nothing is asked.
        self._connection.close()
        taken = [self._timed(query, given) for _ in range(times + (times > 1))][times > 1 :]
        seconds, server, database = (round(statistics.median(each), 4) for each in zip(*taken, strict=True))
        self.found.append(Moment(self._loaded.dialect, self._loaded.size, name, seconds, server, database))

    def _timed(self, query: str, given: dict[str, Any]) -> tuple[float, float, float]:
        before, began = self._cpu(), time.perf_counter()
        self.once(query, **given)
        taken, after = time.perf_counter() - began, self._cpu()
        return taken, after[0] - before[0], after[1] - before[1]

    def _cpu(self) -> tuple[float, float]:
        database = tree(self._postgres.pid) if self._postgres else []
        return cpu_seconds(tree(self._server.pid)), cpu_seconds(database)


# ------------------------------------------------------------------ the copy


@contextlib.contextmanager
def _copied(loaded: Loaded, postgres: Postgres | None) -> Iterator[Loaded]:
    if postgres:
        name = loaded.url.partition("?")[0].rpartition("/")[2]
        copy = f"{name}_campaigns"
        dropped = f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)"
        with postgres.connect() as connection:
            connection.execute(dropped)
            connection.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        try:
            yield replace(loaded, url=postgres.url(copy))
        finally:
            with postgres.connect() as connection:
                connection.execute(dropped)
        return
    original = Path(loaded.url.removeprefix("sqlite:///"))
    file = original.with_name(f"{original.stem}_campaigns.db")
    try:
        shutil.copyfile(original, file)
        yield replace(loaded, url=f"sqlite:///{file}")
    finally:
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()


def _run(loaded: Loaded, statement: str, **given: Any) -> None:
    engine, no = connect(loaded.url), {"postgresql": "false", "sqlite": "0"}[loaded.dialect]
    org = ORG if loaded.dialect == "postgresql" else ORG.hex
    with engine.begin() as connection:
        if loaded.dialect == "postgresql":
            connection.exec_driver_sql("RESET ROLE")
        connection.execute(text(statement.format(key=_KEY[loaded.dialect], no=no)), {"org": org, **given})
    engine.dispose()


def _planned(loaded: Loaded) -> None:
    """What autovacuum does a little later."""
    if loaded.dialect == "postgresql":
        engine = connect(loaded.url)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("RESET ROLE")
            connection.exec_driver_sql("VACUUM (ANALYZE)")
        engine.dispose()
