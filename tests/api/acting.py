"""Organisations that act through the API, and a look at every row that they own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, make_url
from starlette.applications import Starlette

from app.customers.facts import verify
from app.platform.access import Org, create_key, create_organization
from app.platform.database import Base, connect
from app.platform.ids import PublicId, new_id
from app.platform.work import Work, operator, transaction
from app.scores.actions import first_policy
from app.segments.actions import first_segments
from tests.client import Client, application
from tests.conftest import NOW, _drop, _migrated
from tests.databases import new_postgres_database, new_sqlite_database

# What each payload has, whole, with all that stands behind it.
CUSTOMER = """customer {
  id liveId version kind name email phone birthday city region country language suppressed
  terminatedOn archivedAt createdAt updatedAt attributes externalRefs { system value } lifecycle { stage phase }
  facts { keptOrders touchpoints net { amount currency } contactable openComplaints } consents { purpose channel state }
}"""
TOUCHPOINT = """touchpoint {
  id kind channel direction occurredAt recordedAt subject body sentiment nps csat relativeQuality relativePrice
  resolvedAt externalRef { system value } attributes inReplyTo { id }
  customer { id name facts { touchpoints openComplaints } }
}"""
PURCHASE = """purchase {
  id purchasedAt recordedAt channel promotional status externalRef { system value } tailoredTo { id }
  gross { amount currency } net { amount currency } refunded { amount currency }
  lines { sku name category quantity total { amount currency } } refunds { id amount { amount currency } reason }
  customer { id facts { keptOrders net { amount } } }
}"""
BALANCE = "balance { available pending reserved debt lifetimeEarned }"
PROGRAM = """program {
  id version name pointsName currency earnRate activationDays expiryDays pointValue levelGraceDays softLanding
  levels { name rank qualifyPoints retainPoints multiplier benefits } rewards { id }
}"""
ACCOUNT = f"account {{ id liveId version number status openedAt {BALANCE} level {{ name }} customer {{ id }} }}"
ENTRIES = f"""entries {{
  id kind points debit credit effectiveOn recordedAt reason incoming {BALANCE} otherAccount {{ id {BALANCE} }}
  source {{ __typename id }} account {{ id }}
}}"""
REDEMPTION = "redemption { id points reversed reward { id name stock } redeemedAt account { id } }"
RESERVATION = "reservation { id points captured status expiresAt account { id } redemption { id points } }"
ERRORS = """userErrors {
  field message code __typename
  ... on TakenError { existing { id __typename } } ... on StaleVersionError { current { id } }
  ... on InsufficientPointsError { needed available }
}"""
UPSERTED, RECORDED = "created updated unchanged refused notAttempted", "recorded alreadyRecorded refused notAttempted"
PAYLOADS = {
    **{f"customer{verb}": CUSTOMER for verb in ("Create", "Update", "Archive", "Restore", "Terminate", "Reinstate")},
    "customerUpsert": f"outcome {CUSTOMER}",
    "customersUpsert": f"{UPSERTED} rows {{ index outcome {ERRORS} {CUSTOMER} }}",
    "consentRecord": f"consent {{ id purpose channel state at source }} {CUSTOMER}",
    "touchpointRecord": f"outcome {TOUCHPOINT}",
    "touchpointsRecord": f"{RECORDED} rows {{ index outcome {ERRORS} {TOUCHPOINT} }}",
    "touchpointRetract": f"{TOUCHPOINT} {CUSTOMER}",
    "complaintResolve": TOUCHPOINT,
    "purchaseRecord": f"outcome {PURCHASE}",
    "purchasesRecord": f"{RECORDED} rows {{ index outcome {ERRORS} {PURCHASE} }}",
    "purchaseRefund": f"outcome refund {{ id amount {{ amount currency }} refundedAt reason }} {PURCHASE}",
    "purchaseVoid": PURCHASE,
    **dict.fromkeys(("loyaltyProgramCreate", "loyaltyProgramUpdate"), PROGRAM),
    **dict.fromkeys(("rewardCreate", "rewardUpdate"), "reward { id name points stock active program { id } }"),
    **dict.fromkeys(("loyaltyAccountOpen", "loyaltyAccountClose"), ACCOUNT),
    **dict.fromkeys(("pointsEarn", "pointsAdjust"), f"{ACCOUNT} {ENTRIES}"),
    **dict.fromkeys(("pointsRedeem", "redemptionReverse"), f"{ACCOUNT} {REDEMPTION}"),
    **dict.fromkeys(("pointsReserve", "reservationCapture", "reservationVoid"), f"{ACCOUNT} {RESERVATION}"),
    "pointsTransfer": f"from {{ id {BALANCE} }} to {{ id {BALANCE} }} {ENTRIES}",
    "policyPublish": "policy { id version publishedAt newDays activeDays churnDays rfmMonetaryCuts }",
}

Told = list[tuple[str, str]]


class Shop(Client):
    """One organisation, asking with a key of its own."""

    def __init__(self, house: "House", org: Org, key: str, now: datetime | None = NOW) -> None:
        super().__init__(house.app, key, now)
        self.house, self.org, self.key = house, org, key

    async def act(self, field: str, given: Any, key: str | None = None, **headers: str) -> Any:
        """The whole answer of one mutation, with everything that its payload can show."""
        return await self.post(mutation(field, key), {"input": given}, **headers)

    async def done(self, field: str, given: Any, key: str | None = None) -> Any:
        """The payload of a mutation that is not refused."""
        answer = await self.act(field, given, key)
        assert "errors" not in answer, answer["errors"]
        payload = answer["data"][field]
        assert payload["userErrors"] == [], payload["userErrors"]
        return payload

    async def told(self, field: str, given: Any, key: str | None = None) -> Any:
        """The user errors of a mutation that is."""
        answer = await self.act(field, given, key)
        assert "errors" not in answer, answer["errors"]
        payload = answer["data"][field]
        assert payload["userErrors"], payload
        return payload["userErrors"]

    def rows(self) -> dict[str, list[Any]]:
        """Every row of the organisation, by table, as text."""
        engine = self.house.engine
        found: dict[str, list[Any]] = {table.name: [] for table in owned()}
        with engine.connect() as connection:
            for name, row in connection.exec_driver_sql(_every_row(engine.dialect.name), (self.org.id.hex,)):
                found[name].append(row)
        return {name: sorted(rows) for name, rows in found.items()}

    def count(self, table: Any) -> int:
        return len(self.rows()[table.__tablename__])

    def wrong_facts(self) -> Any:
        with transaction(self.house.engine) as session:
            return verify(Work(session, operator(self.org), NOW))

    def renewed(self, now: datetime | None = NOW, *scopes: str) -> "Shop":
        """The same organisation with another key."""
        return Shop(self.house, self.org, self.house.key(self.org, scopes or ("read", "write")), now)


@dataclass
class House:
    """The application on one database."""

    url: str
    engine: Engine
    app: Starlette

    def shop(self, *scopes: str) -> Shop:
        since = NOW.replace(year=NOW.year - 1)
        with transaction(self.engine) as session:
            org = create_organization(session, "Shop", "UTC", "EUR", since)
            opening = Work(session, operator(org), since)
            first_policy(opening)
            first_segments(opening)
        return Shop(self, org, self.key(org, scopes or ("read", "write")))

    def key(self, org: Org, scopes: tuple[str, ...]) -> str:
        with transaction(self.engine) as session:
            return create_key(session, org.id, list(scopes), NOW)


@contextmanager
def open_house(backend: str, serve: Callable[[str], Starlette] = application) -> Iterator[House]:
    template = _migrated(backend)
    if backend == "sqlite":
        url = new_sqlite_database(Path(make_url(template).database or ""))
    else:
        url = new_postgres_database(template)
    engine = connect(url)
    app = serve(url)
    yield House(url, engine, app)
    asyncio.run(_close(app))
    engine.dispose()
    _drop(url)


async def _close(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        pass


def owned(metadata: MetaData = Base.metadata) -> list[Any]:
    return [table for table in metadata.sorted_tables if "org_id" in table.c and not table.info.get("global")]


@cache
def _every_row(dialect: str) -> str:
    """One statement, since it is asked around thousands of mutations: a table's name and a row of it as text."""
    postgresql = dialect == "postgresql"
    parts = []
    for table in owned():
        row = "CAST(t.* AS text)" if postgresql else " || ',' || ".join(f'quote(t."{each.name}")' for each in table.c)
        parts.append(f"SELECT '{table.name}', {row} FROM {table.name} t, org WHERE t.org_id = org.id")
    given = "CAST(%s AS uuid)" if postgresql else "?"
    return f"WITH org AS (SELECT {given} AS id) {' UNION ALL '.join(parts)}"


def mutation(field: str, key: str | None = None) -> str:
    directive = f' @idempotent(key: "{key}")' if key else ""
    return (
        f"mutation Do($input: {kind(field)}!) {{ {field}(input: $input){directive} "
        f"{{ {PAYLOADS[field]} {ERRORS} query {{ viewer {{ organization {{ id }} }} }} }} }}"
    )


def kind(field: str) -> str:
    return f"{field[0].upper()}{field[1:]}Input"


def codes(errors: Any) -> Told:
    """Codes and paths, in the order of the paths."""
    return sorted((error["code"], ".".join(error["field"])) for error in errors)


def ref(value: str, system: str = "pos") -> dict[str, str]:
    return {"system": system, "value": value}


def line(total: str = "10.00", **more: Any) -> dict[str, Any]:
    return {"name": "Tea", "price": {"total": total}, **more}


def by(named: str) -> dict[str, str]:
    return {"id": named}


def unknown(prefix: str) -> str:
    """An id of that kind that nobody has."""
    return str(PublicId(prefix, new_id()))


async def new_customer(shop: Shop, name: str = "Ana", **given: Any) -> str:
    return str((await shop.done("customerCreate", {"name": name, **given}))["customer"]["id"])


def said(customer: str, **more: Any) -> Any:
    """A contact as it is given."""
    return {"customer": by(customer), "kind": "NOTE", "channel": "PHONE", "direction": "INBOUND", **more}


async def contact(shop: Shop, customer: str, kind: str = "NOTE", **given: Any) -> str:
    answer = await shop.done("touchpointRecord", said(customer, kind=kind, **given))
    return str(answer["touchpoint"]["id"])


async def buy(shop: Shop, customer: str, total: str = "10.00", **given: Any) -> str:
    bought = {"customer": by(customer), "currency": "EUR", "lines": [line(total)], **given}
    answer = await shop.done("purchaseRecord", bought, key=None if "externalRef" in given else unknown("key"))
    return str(answer["purchase"]["id"])
