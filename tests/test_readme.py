"""The README is true: its paths are there, its questions run on the demo, its two edits make a new score."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import demo
from app.demo import lives
from app.platform.access import create_key, organizations
from app.platform.database import connect, instant_text
from app.platform.work import transaction
from schema.audience import audience_of
from tests.client import Client, application
from tests.conftest import NOW

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PERSONAS = 10


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return found


def test_every_path_is_there() -> None:
    named = re.findall(r"`((?:app|schema|tests|migrations)/[\w./]*|[\w.]+\.(?:toml|lock|md))`", TEXT)
    assert len(set(named)) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_target_and_command_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    table = re.findall(r"^\| `guanxi ((?: ?[a-z]+(?:-[a-z]+)*)+)", TEXT, re.MULTILINE)
    assert len(table) == 16
    for command in table:
        asked = [sys.executable, "-c", "from app.cli import main; main()", *command.split(), "--help"]
        assert subprocess.run(asked, cwd=ROOT, check=False, capture_output=True).returncode == 0, command


def test_every_setting_is_told() -> None:
    settings = (ROOT / "app/settings.py").read_text(encoding="utf-8")
    said = {f"GUANXI_{name}" for name in re.findall(r'said\("(\w+)"', settings)}
    assert said == set(re.findall(r"`(GUANXI_[A-Z_]+)`", TEXT))


# ------------------------------------------------------------------ its questions


@pytest.fixture
async def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Of a demo with fewer customers."""
    monkeypatch.setattr(lives, "CUSTOMERS", 40)
    engine = connect(database_url)
    demo.fill(engine, NOW, audience_of)
    with transaction(engine) as session:
        (org,) = organizations(session)
        key = create_key(session, org.id, ["read", "write"], NOW)
    engine.dispose()
    app = application(database_url)
    made = Client(app, key, NOW)
    async with app.router.lifespan_context(app), made.http:
        yield made


async def test_every_document_runs(client: Client) -> None:
    answers: list[dict[str, Any]] = []
    for document in blocks("graphql"):
        variables = {"day": instant_text(NOW - timedelta(days=200))} if "$day" in document else {}
        answers.append(await client.ask(document, **variables))
    valuable, why, groups, then, scenario, followed, bought = answers
    scores = [customer["value"]["score"] for customer in valuable["customers"]["nodes"]]
    assert scores == sorted(scores, reverse=True)
    assert (why["customer"]["lifecycle"]["stage"], why["customer"]["lifecycle"]["phase"]) == ("LOYAL", "DECLINE")
    assert sum(row["count"] for row in groups["customerGroups"]["rows"]) == groups["customerGroups"]["all"]["count"]
    assert then["now"]["value"]["perceived"]["ratio"] != then["then"]["value"]["perceived"]["ratio"]
    assert scenario["customerScenario"]["lifecycle"]["stage"] == "ACTIVE"
    assert {customer["value"]["why"]["rule"] for customer in followed["customers"]["nodes"]} == {"score.weights"}
    assert (bought["purchaseRecord"]["outcome"], bought["purchaseRecord"]["userErrors"]) == ("RECORDED", [])
    assert bought["purchaseRecord"]["purchase"]["customer"]["facts"]["keptOrders"] == 2
    assert bought["purchaseRecord"]["purchase"]["pointsEarned"] == 256


async def test_the_customers_to_be_found_again_are_there(client: Client) -> None:
    (named,) = re.findall(r"reference of the system `demo`:\n(.*?)\n\(", TEXT, re.DOTALL)
    references = re.findall(r"`([a-z-]+)`", named)
    assert len(references) == PERSONAS
    for reference in references:
        document = f'{{ customer(by: {{ externalRef: {{ system: "demo", value: "{reference}" }} }}) {{ id }} }}'
        assert (await client.ask(document))["customer"] is not None, reference


# ------------------------------------------------------------------ its score

ASKED = """
import asyncio, json, sys
from datetime import timedelta
from decimal import Decimal
import app
from app.customers.actions import create_customer
from app.platform.access import create_key, create_organization
from app.platform.database import connect, instant_text
from app.platform.migrations import upgrade
from app.platform.work import Work, operator, transaction
from app.purchases.actions import record_purchase
from app.scores.actions import first_policy
from schema.audience import audience_of
from tests.client import Client, application
from tests.conftest import NOW

assert app.__file__.startswith(sys.argv[1]), app.__file__
url = f"sqlite:///{sys.argv[1]}/readme.db"
engine = connect(url)
upgrade(engine)
with transaction(engine) as session:
    org = create_organization(session, "Shop", "UTC", "EUR", NOW)
    work = Work(session, operator(org), NOW)
    first_policy(work)
    for name, days in {"Ana": (90, 60, 10), "Ben": (40, 33), "Cem": (5,), "Dan": ()}.items():
        customer = create_customer(work, {"name": name})["customer"]
        for ago in days:
            line = {"name": "Tea", "price": {"total": Decimal(10)}}
            at = NOW - timedelta(days=ago)
            given = {"customer": {"id": customer}, "purchased_at": at, "currency": "EUR", "lines": [line]}
            record_purchase(work, given)
    key = create_key(session, org.id, ["read"], NOW)

DOCUMENT = '''query Asked($then: DateTime!) {
  sorted: customers(orderBy: [{ field: VALUE_RHYTHM, direction: DESC }]) { nodes { name value { rhythm } } }
  filtered: customers(where: { value: { rhythm: { lte: 30 } } }) { totalCount nodes { name } }
  unknown: customers(where: { value: { rhythm: { isNull: true } } }) { totalCount }
  then: customers(asOf: $then, orderBy: [{ field: VALUE_RHYTHM }], first: 1) { nodes { name value { rhythm } } }
  customerGroups(by: []) { all { avg { valueRhythm } } }
  customerScenario(facts: { keptOrders: 3, occasions: 3, firstPurchaseDaysAgo: 31, lastPurchaseDaysAgo: 0 }) {
    value { rhythm }
  }
  metricCatalog { key name facts selectedAs filteredAs orderedAs }
}'''
client = Client(application(url), key, NOW)
print(json.dumps(asyncio.run(client.ask(DOCUMENT, then=instant_text(NOW - timedelta(days=30))))))
"""


def test_a_score_is_added_by_the_two_edits_that_are_told(tmp_path: Path) -> None:
    copy = _copy(tmp_path / "guanxi")
    definition, line = blocks("python")
    measures, scores = copy / "app/scores/measures.py", copy / "schema/scores.py"
    measures.write_text(f"{measures.read_text(encoding='utf-8')}\n\n{definition}", encoding="utf-8")
    before, customer_value, after = scores.read_text(encoding="utf-8").partition("class CustomerValue:\n")
    assert customer_value
    scores.write_text(before + customer_value + line + after, encoding="utf-8")
    told = json.loads(_run(copy, ASKED, str(copy)))
    assert [(each["name"], each["value"]["rhythm"]) for each in told["sorted"]["nodes"]] == [
        ("Ana", 40.0),
        ("Ben", 7.0),
        ("Dan", None),
        ("Cem", None),
    ]
    assert told["filtered"] == {"totalCount": 1, "nodes": [{"name": "Ben"}]}
    assert told["unknown"] == {"totalCount": 2}
    assert told["then"]["nodes"] == [{"name": "Ben", "value": {"rhythm": 7.0}}]
    assert told["customerGroups"]["all"]["avg"] == {"valueRhythm": 23.5}
    assert told["customerScenario"] == {"value": {"rhythm": 15.5}}
    (entry,) = [metric for metric in told["metricCatalog"] if metric["key"] == "value.rhythm"]
    assert entry == {
        "key": "value.rhythm",
        "name": "Rhythm",
        "facts": ["facts.firstPurchaseOn", "facts.lastPurchaseOn", "facts.occasions"],
        "selectedAs": "value.rhythm",
        "filteredAs": "value.rhythm",
        "orderedAs": "VALUE_RHYTHM",
    }
    contract = _run(copy, "from app.cli import main; main()", "schema")
    assert {"  rhythm: Float", "  rhythm: FloatFilter", "  VALUE_RHYTHM"} <= set(contract.splitlines())


def _copy(to: Path) -> Path:
    for folder in ("app", "schema", "migrations", "tests"):
        left_out = shutil.ignore_patterns("__pycache__", "graphiql", "data", "golden")
        shutil.copytree(ROOT / folder, to / folder, ignore=left_out)
    return to


def _run(folder: Path, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
