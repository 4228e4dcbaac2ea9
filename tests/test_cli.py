"""The command line says in one line what it did, and in one sentence what it could not do."""

import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.orm import Session

from app.cli import main
from app.customers.facts import facts
from app.customers.tables import Customer
from app.platform.access import Org, caller_of, organizations
from app.platform.ids import PublicId, new_id
from app.platform.refusals import Unauthenticated
from app.platform.work import Work
from app.policy.tables import Policy
from app.purchases.tables import Purchase
from app.settings import Settings
from tests.conftest import NOW, Begin

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """`run(url, "org", "create", "Shop", ...)`."""

    def of(url: str, *arguments: str) -> Result:
        # Serving writes these for its workers; the runner puts back what it was given.
        environment = {"GUANXI_DATABASE_URL": url, "GUANXI_HOST": "", "GUANXI_PORT": "", "GUANXI_OPEN_ORG": ""}
        return CliRunner(env=environment).invoke(main, arguments)

    return of


@pytest.fixture
def guanxi(run: Run, database_url: str) -> Run:
    """`guanxi("org", "create", "Shop", ...)` on the migrated database."""
    return lambda *arguments: run(database_url, *arguments)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Settings]:
    """What each server would have been started with, where GraphiQL is built."""
    found: list[Settings] = []
    (tmp_path / "index.html").touch()
    monkeypatch.setattr("app.serving.start.GRAPHIQL", tmp_path)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: found.append(Settings.from_environment()))
    return found


def said(result: Result) -> str:
    """The one line of a command that did what it was told."""
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.count("\n") == 1
    return result.stdout.strip()


def regretted(result: Result) -> str:
    """The one sentence of a command that could not."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr.strip()


def printed(org: Org) -> str:
    return str(PublicId("org", org.id))


# ---------------------------------------------------------------------------------------------- the database


def test_a_new_database_is_migrated_first(run: Run, empty_url: str) -> None:
    create = ("org", "create", "Shop", "--time-zone", "Europe/Paris", "--currency", "EUR")
    assert regretted(run(empty_url, *create)) == "The database is not up to date: run guanxi migrate."
    assert said(run(empty_url, "migrate")) == "The database is up to date."
    assert said(run(empty_url, "migrate")) == "The database is up to date."
    assert said(run(empty_url, *create)).startswith("org_")


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/guanxi.db", "postgresql://127.0.0.1:1/guanxi", "mysql://127.0.0.1/guanxi", "guanxi"]
)
def test_a_database_that_cannot_be_had_is_one_sentence(run: Run, url: str) -> None:
    for command in (["migrate"], ["facts", "verify"], ["serve"]):
        assert "GUANXI_DATABASE_URL" in regretted(run(url, *command))


def test_help_is_quick() -> None:
    heavy = "import sys, app.cli; sys.exit(bool({'sqlalchemy', 'alembic', 'strawberry', 'uvicorn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0


# ---------------------------------------------------------------------------------------------- organisations, keys


def test_an_organisation_comes_with_its_policy(guanxi: Run, engine: Engine) -> None:
    made = said(guanxi("org", "create", " Teahouse ", "--time-zone", "Asia/Tokyo", "--currency", "JPY"))
    with Session(engine) as session:
        (org,) = organizations(session)
        policy = session.scalars(select(Policy).where(Policy.org_id == org.id)).one()
    assert (made, org.name, org.time_zone, org.currency) == (printed(org), "Teahouse", "Asia/Tokyo", "JPY")
    assert (policy.version, policy.monetary_cut_4) == (1, 2000)


@pytest.mark.parametrize(
    ("name", "zone", "currency", "blamed"),
    [(" ", "UTC", "EUR", "name"), ("A", "Mars", "EUR", "time zone"), ("A", "UTC", "XEU?", "currency")],
)
def test_an_organisation_that_cannot_be_is_not_made(
    guanxi: Run, engine: Engine, name: str, zone: str, currency: str, blamed: str
) -> None:
    assert blamed in regretted(guanxi("org", "create", name, "--time-zone", zone, "--currency", currency))
    with Session(engine) as session:
        assert organizations(session) == []


def test_a_key_opens_its_organisation(guanxi: Run, engine: Engine, org: Org) -> None:
    key = said(guanxi("key", "create", "--org", printed(org), "--scopes", "read, write"))
    with Session(engine) as session:
        caller = caller_of(session, key, datetime.now(UTC))
    assert (caller.org, sorted(caller.scopes)) == (org, ["read", "write"])
    assert "not fly" in regretted(guanxi("key", "create", "--org", printed(org), "--scopes", "read,fly"))
    for unknown in ("org_1", org.id.hex, f"org_{new_id().hex}"):
        assert "no organisation" in regretted(guanxi("key", "create", "--org", unknown, "--scopes", "read"))


def test_a_key_is_replaced_and_revoked(guanxi: Run, engine: Engine, org: Org) -> None:
    ours = ("--org", printed(org))

    def opens(key: str, days: float = 0) -> bool:
        with Session(engine) as session:
            try:
                return caller_of(session, key, datetime.now(UTC) + timedelta(days=days)).org == org
            except Unauthenticated:
                return False

    first = said(guanxi("key", "create", *ours, "--scopes", "customers:read", "--name", "Shop", "--days", "30"))
    named = f"key_{first.split('_')[1]}"
    listed = said(guanxi("key", "list", *ours))
    assert listed.startswith(f"{named}  customers:read  made ")
    assert listed.endswith("  Shop")
    assert first.split("_", 2)[2] not in listed
    rotated = guanxi("key", "rotate", named, *ours, "--days", "3")
    second = rotated.stdout.strip()
    assert rotated.stderr.startswith("The old one opens until ")
    assert [opens(each) for each in (first, second)] == [True, True]
    assert [opens(each, 4) for each in (first, second)] == [False, True]
    assert not opens(second, 31)
    assert "being replaced" in regretted(guanxi("key", "rotate", named, *ours))
    assert said(guanxi("key", "revoke", named, *ours)) == "It is revoked."
    assert [opens(each) for each in (first, second)] == [False, True]
    assert "has ended" in regretted(guanxi("key", "rotate", named, *ours))
    at_once = guanxi("key", "rotate", f"key_{second.split('_')[1]}", *ours, "--days", "0")
    assert (at_once.stderr, opens(second)) == ("The old one is revoked.\n", False)
    assert opens(at_once.stdout.strip())
    for strange in ("key_1", f"key_{new_id().hex}"):
        assert "no such key" in regretted(guanxi("key", "revoke", strange, *ours))
        assert "no such key" in regretted(guanxi("key", "rotate", strange, *ours))


# ---------------------------------------------------------------------------------------------- serving


def test_the_only_organisation_is_served_here_without_keys(guanxi: Run, served: list[Settings], org: Org) -> None:
    assert said(guanxi("serve", "--port", "48080")) == "Serving http://127.0.0.1:48080/graphql without keys, as Shop."
    assert (served[0].open_org, served[0].host, served[0].port) == (org.id, "127.0.0.1", 48080)


def test_everyone_else_needs_a_key(guanxi: Run, served: list[Settings], new_org: Callable[..., Org]) -> None:
    lacking = guanxi("serve", "--port", "48080").stderr
    assert lacking.startswith("There is no organisation yet: guanxi org create makes one")
    assert "no organisation yet" in regretted(guanxi("serve", "--port", "48080", "--open"))
    first = new_org()
    everywhere = "serve", "--port", "48080", "--host", "0.0.0.0"
    assert guanxi(*everywhere).stderr.startswith("There is no key yet")
    guanxi("key", "create", "--org", printed(first), "--scopes", "read")
    said(guanxi(*everywhere))
    new_org("Second")
    assert said(guanxi("serve", "--port", "48080")).endswith("to those who hold a key.")
    assert [settings.open_org for settings in served] == [None, None, None, None]
    assert "name one with --org" in regretted(guanxi("serve", "--port", "48080", "--open"))
    said(guanxi("serve", "--port", "48080", "--open", "--org", printed(first)))
    assert served[-1].open_org == first.id
    assert "this machine alone" in regretted(guanxi("serve", "--host", "0.0.0.0", "--open", "--org", printed(first)))


def test_documents_that_cannot_be_read_are_one_sentence(
    guanxi: Run, served: list[Settings], org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUANXI_DOCUMENTS", "nowhere.json")
    assert "nowhere.json cannot be read" in regretted(guanxi("serve", "--port", "48080"))
    assert served == []


def test_a_port_that_is_taken_is_one_sentence(guanxi: Run, served: list[Settings], org: Org) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert str(port) in regretted(guanxi("serve", "--port", str(port)))
    assert served == []


def test_what_a_server_lacks_is_said(
    guanxi: Run, served: list[Settings], org: Org, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("app.serving.start.GRAPHIQL", tmp_path / "nowhere")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ahead'")
    ahead, unbuilt = guanxi("serve", "--port", "48080").stderr.splitlines()
    assert ahead.startswith("The database was migrated by a newer version of Guanxi")
    assert unbuilt.startswith("GraphiQL is not built")
    assert len(served) == 1


def test_a_database_that_is_away_is_one_sentence(run: Run, tmp_path: Path) -> None:
    away = regretted(run("postgresql://nobody@127.0.0.1:9/nothing", "serve"))
    assert "is PostgreSQL running at 127.0.0.1:9" in away
    assert "is its folder there" in regretted(run(f"sqlite:///{tmp_path}/no/folder.db", "serve"))


# ---------------------------------------------------------------------------------------------- facts


def test_facts_that_went_wrong_are_found_and_made_again(guanxi: Run, begin: Begin, org: Org) -> None:
    with begin() as work:
        a_customer(work, "Ada")
        a_customer(work, "Ben")
    assert said(guanxi("facts", "verify")) == "The stored facts are what the events say, in 1 organisation."
    with begin() as work:
        work.session.execute(
            update(facts.table).where(facts.table.c.org_id == org.id).values(touchpoints=3, occasions=1)
        )
    wrong = guanxi("facts", "verify", "--org", printed(org))
    assert wrong.exit_code == 1
    assert wrong.stdout == "The facts of 2 customers differ from the events, in occasions, touchpoints.\n"
    assert said(guanxi("facts", "rebuild")) == "Made the facts of 2 customers again."
    said(guanxi("facts", "verify", "--org", printed(org)))


def test_whoever_changed_is_judged_anew(guanxi: Run, begin: Begin, org: Org) -> None:
    with begin() as work:
        a_customer(work)
    assert said(guanxi("facts", "settle")) == "Judged 1 customer anew."
    assert said(guanxi("facts", "settle", "--org", printed(org))) == "Judged 0 customers anew."
    said(guanxi("facts", "verify"))
    with begin() as work:
        mine = facts.table.c.org_id == org.id
        work.session.execute(update(facts.table).where(mine).values(judged_stage=4))
    wrong = guanxi("facts", "verify")
    assert wrong.exit_code == 1
    assert wrong.stdout == (
        "The standings of 1 customer differ from what they are judged to be.\n"
        "The sums of the standings differ from their rows, in 1 organisation.\n"
    )
    said(guanxi("facts", "rebuild"))
    said(guanxi("facts", "verify"))


# ---------------------------------------------------------------------------------------------- purchases


def test_purchases_are_recorded_once(guanxi: Run, begin: Begin, org: Org, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("who,day,n,sum\nA1,2026-01-02,1,9.99\nA1,2026-02-03,2,20\nB2,2026-02-30,1,5\n", encoding="utf-8")
    columns = ("--customer", "who", "--at", "day", "--quantity", "n", "--amount", "sum", "--currency", "EUR")
    order = ("import", "purchases", str(file), "--org", printed(org), *columns)
    aside = f"1 refused, see {file}.refused.csv"
    assert said(guanxi(*order)) == f"3 rows: 2 recorded, 0 already there, {aside}; 1 new customer."
    assert said(guanxi(*order)) == f"3 rows: 0 recorded, 2 already there, {aside}; 0 new customers."
    assert Path(f"{file}.refused.csv").read_text(encoding="utf-8").count("\n") == 2
    with begin() as work:
        known = work.session.execute(select(facts.table).where(facts.table.c.org_id == org.id)).one()
    assert (known.kept_orders, known.gross_minor) == (2, 2999)


def test_a_file_without_the_columns_is_one_sentence(guanxi: Run, org: Org, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("who,day\n", encoding="utf-8")
    columns = ("--customer", "who", "--at", "day", "--quantity", "n", "--amount", "sum", "--currency", "EUR")
    assert "n, sum" in regretted(guanxi("import", "purchases", str(file), "--org", printed(org), *columns))


# ---------------------------------------------------------------------------------------------- rates


def test_rates_convert_what_waits_for_them(guanxi: Run, begin: Begin, tmp_path: Path) -> None:
    with begin() as work:
        customer = a_customer(work)
        order = {"id": new_id(), "customer_id": customer, "purchased_at": NOW, "recorded_at": NOW, "local_day": 20_619}
        money = {"currency": "USD", "exponent": 2, "gross_minor": 1000, "refunded_minor": 0}
        work.insert(Purchase, [{**order, **money, "channel": "STORE", "promotional": False, "content_hash": ""}])
    file = tmp_path / "rates.csv"
    file.write_text("date,base,quote,rate\n2026-06-12,EUR,USD,1.25\n2026-06-12,EUR,JPY,170\n", encoding="utf-8")
    assert said(guanxi("rates", "import", str(file))) == "Took in 2 rates, and converted 1 purchase that waited."
    assert said(guanxi("rates", "import", str(file))) == "Took in 2 rates, and converted 0 purchases that waited."
    with begin() as work:
        assert work.session.scalars(select(Purchase.gross_reporting).where(Purchase.org_id == work.org.id)).one() == 800


@pytest.mark.parametrize("content", [b"", b"date,base\n2026-01-01,EUR\n", b"\xff\xfe\x00", b'date\n"\x00\n'])
def test_a_file_of_no_rates_is_one_sentence(guanxi: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rates.csv"
    file.write_bytes(content)
    assert regretted(guanxi("rates", "import", str(file)))


def a_customer(work: Work, name: str = "Ada") -> UUID:
    key = new_id()
    plain: dict[str, Any] = {"version": 1, "kind": "PERSON", "attributes": "{}", "suppressed": False}
    named = {"id": key, "name": name, "name_folded": name.lower(), "created_at": NOW, "updated_at": NOW}
    work.insert(Customer, [{**plain, **named}])
    work.session.execute(insert(facts.table).values(org_id=work.org.id, customer_id=key))
    return key
