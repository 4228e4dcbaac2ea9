"""What is kept of judgements is an index: pages and counts by stage are what the definitions say, whatever happened
since somebody was judged, at any clock and under any policy."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert, update

from app.customers import actions as customers
from app.customers.facts import facts
from app.customers.tables import Customer
from app.platform.database import analyze
from app.query.fact import FAR, OPEN
from app.query.standing import Standing
from app.scores import standings
from app.scores.tables import StandingSum
from app.touchpoints import actions as touchpoints
from schema.schema import world
from tests.conftest import BACKENDS
from tests.house import FULL, LATER, open_house
from tests.oracle.facts import facts_of
from tests.oracle.history import Touch
from tests.oracle.judgements import judge
from tests.query.questions import questions_of
from tests.scores.town import BY_SCORE, COUNT, Town, town

STEPS = 150 if FULL else 20
SEEDS = range(6 if FULL else 2)
backends = pytest.mark.parametrize("backend", BACKENDS)

SOME_BY_SCORE = """query($where: CustomerWhere!, $direction: OrderDirection!) { customers(where: $where, first: 100,
  orderBy: [{field: VALUE_SCORE, direction: $direction}]) { totalCount nodes { id } } }"""


@backends
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_pages_and_counts_by_stage_are_right(backend: str, seed: int) -> None:
    here = town(backend, seed)
    here.check()
    here.settle()
    here.check()
    for _ in range(STEPS):
        here.happen()
        here.check()
    here.settle()
    here.check()
    assert all(row.judged_until > OPEN for row in here.rows())


@backends
def test_a_standing_stands_until_its_last_day(backend: str) -> None:
    here = town(backend, 11)
    here.archive(here.lives[0])
    here.settle()
    by_key = {row.customer_id: row for row in here.rows()}
    today = here.shop.today(here.now)
    turned = 0
    for life in here.lives:
        row = by_key[life.key]
        if life.archived:
            assert (row.judged_stage, row.judged_score, row.judged_until) == (None, None, FAR)
            continue
        known = facts_of(life.history, here.now, here.shop.zone)

        def said(days: int, known: Any = known) -> tuple[Any, Any]:
            judged = judge(known, here.policy, today + timedelta(days=days))
            return judged["lifecycle.stage"], judged["value.score"]

        stands = min(row.judged_until - row.judged_day, 1_500)
        assert {said(days) for days in range(stands + 1)} == {said(0)}
        assert row.judged_until < FAR or said(3_000) == said(0)
        turned += said(stands + 1) != said(0)
    assert turned > len(here.lives) / 3


@backends
def test_a_clock_behind_the_one_that_settled_sees_its_own_day(backend: str) -> None:
    here = town(backend, 21)
    for days in (400, 90, 1):
        here.now = LATER + timedelta(days=days)
        here.settle()
        here.now = LATER
        for _ in range(3):
            here.check()


@backends
def test_other_tests_of_stage_and_score_are_answered_alike(backend: str) -> None:
    here = town(backend, 12)
    for _ in range(3):
        for where, test in (
            ({"lifecycle": {"stage": {"in": ["LOYAL", "NEW"]}}}, lambda stage, _: stage in ("LOYAL", "NEW")),
            ({"NOT": {"lifecycle": {"stage": {"eq": "CHURNED"}}}}, lambda stage, _: stage != "CHURNED"),
            ({"value": {"score": {"gte": 30.5}}}, lambda _, score: score is not None and score >= 30.5),
            ({"NOT": {"value": {"score": {"gte": 30.5}}}}, lambda _, score: score is None or score < 30.5),
            ({"value": {"score": {"isNull": True}}}, lambda _, score: score is None),
            ({}, lambda *_: True),
        ):
            for direction in ("ASC", "DESC"):
                said = here.shop.ask(SOME_BY_SCORE, here.now, where=where, direction=direction)["customers"]
                wanted = here.ids(direction == "DESC", test)
                assert [node["id"] for node in said["nodes"]] == wanted[:100], where
                assert said["totalCount"] == len(wanted)
        here.settle()
        here.pass_days(here.lives[0])
        here.buy(here.lives[1])


@backends
def test_an_event_opens_only_what_it_changes(backend: str) -> None:
    here = town(backend, 13, 3)
    life = here.lives[0]
    here.settle()
    said = {"customer": {"id": life.id}, "purpose": "MARKETING", "channel": "EMAIL", "state": "GRANTED"}
    here._do(customers.record_consent, said)
    here._do(customers.update_customer, {"customer": {"id": life.id}, "set": {"name": "Another"}})
    touch = Touch("out", "MESSAGE", "EMAIL", "OUTBOUND", here.now)
    here._do(touchpoints.record_touchpoint, life.scribe.touch_row(touch))
    assert here.settle() == 0
    here._do(touchpoints.record_touchpoint, life.scribe.touch_row(replace(touch, id="in", direction="INBOUND")))
    assert [row.customer_id for row in here.rows() if row.judged_until == OPEN] == [life.key]
    assert here.settle() == 1


# ------------------------------------------------------------------ settling


@backends
def test_two_settle_at_once_while_others_write(backend: str) -> None:
    here = town(backend, 14)
    failed: list[BaseException] = []

    def run(what: Callable[[], Any]) -> None:
        try:
            what()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    def settle() -> None:
        for _ in range(6):
            standings.settle(here.shop.engine, here.shop.org, lambda: here.now, at_once=4)

    def live() -> None:
        for _ in range(30):
            here.rng.choice((here.buy, here.contact, here.archive, here.restore))(here.rng.choice(here.lives))

    threads = [Thread(target=run, args=(what,)) for what in (settle, settle, live)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    here.check()
    here.settle()
    here.check()


@backends
def test_one_that_is_killed_leaves_nothing_half_done(backend: str) -> None:
    here = town(backend, 15)
    engine = here.shop.engine

    def kill(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "standing_sums" in statement:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", kill)
    with pytest.raises(KeyboardInterrupt):
        here.settle()
    event.remove(engine, "before_cursor_execute", kill)
    assert all(row.judged_until == OPEN for row in here.rows())
    here.check()
    assert here.settle() == COUNT
    here.check()


@backends
def test_the_settler_of_a_server_finds_whatever_is_open(backend: str) -> None:
    # It settles everybody in the house, a few at a time.
    alone = open_house(backend)
    here, there = town(backend, 16, 5, alone), town(backend, 17, 5, alone)
    settler = standings.settler(here.shop.engine, lambda: here.now, at_once=3)
    while settler.step():
        pass
    for each in (here, there):
        assert all(row.judged_until > OPEN for row in each.rows())
    assert settler.step() == 0
    there.buy(there.lives[0])
    assert settler.step() == 1
    assert settler.step() == 0


@backends
def test_what_is_wrong_is_found_and_made_again(backend: str) -> None:
    here = town(backend, 18, 6)
    here.settle()
    kept: Any = facts.table.c
    with here.shop.working(here.now) as work:
        mine = kept.org_id == here.shop.org.id, kept.customer_id == here.lives[2].key
        work.session.execute(update(facts.table).where(*mine).values(judged_score=1))
        one = StandingSum.org_id == here.shop.org.id
        work.session.execute(update(StandingSum).where(one).values(net_minor=StandingSum.net_minor + 1))
    assert here.wrong() == [here.lives[2].key, "sums"]
    with here.shop.working(here.now) as work:
        standings.unsettle(work)
    here.check()
    here.settle()
    assert here.wrong() == []


# ------------------------------------------------------------------ what it costs

EVERYONE = """{ byPhase: customerGroups(by: [LIFECYCLE_PHASE]) { rows { lifecyclePhase count avg { valueScore } } }
  byTier: customerGroups(by: [RELATIONSHIP_TIER, LIFECYCLE_STAGE]) { rows { relationshipTier lifecycleStage count } }
  byAction: customerGroups(by: [LIFECYCLE_NEXT_ACTION]) { rows { lifecycleNextAction count factsNet { amount } } }
  declining: customers(first: 100, where: {lifecycle: {phase: {eq: DECLINE}}}, orderBy: [{field: VALUE_SCORE}])
  { totalCount nodes { id } }
  archived: customers(first: 100, archived: INCLUDE, where: {lifecycle: {stage: {eq: CHURNED}}},
  orderBy: [{field: VALUE_SCORE}]) { totalCount nodes { id } } }"""


@backends
def test_other_judgements_are_the_same_whether_or_not_somebody_is_settled(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = town(backend, 19)
    for _ in range(12):
        here.happen()
    here.settle_some(here.lives[0])
    for _ in range(2):
        world._prepared.clear()
        said = here.shop.ask(EVERYONE, here.now)
        world._prepared.clear()
        with monkeypatch.context() as plain:
            for name in ("page", "counted", "grouped", "rows"):
                plain.setattr(Standing, name, lambda *_: None)
            assert here.shop.ask(EVERYONE, here.now) == said
        here.settle()
    world._prepared.clear()


MANY = 4_000


@cache
def crowd(backend: str) -> Town:
    """Enough that no planner would rather read them all."""
    here = town(backend, 20, 2)
    rng = here.rng
    today = (here.shop.today(here.now) - date(1970, 1, 1)).days
    profile = {"version": 1, "created_at": here.now, "updated_at": here.now, "kind": "PERSON", "name": "One"}
    profile |= {"name_folded": "one", "attributes": "{}", "suppressed": False}
    people, known = [], []
    for _ in range(MANY):
        key, days = UUID(int=rng.getrandbits(128)), sorted(today - rng.randrange(800) for _ in range(rng.randrange(6)))
        people.append({"id": key, **profile})
        bought = {"kept_orders": len(days), "occasions": len(set(days)), "gross_minor": rng.randrange(10**6)}
        ends = {"first_day": days[0] if days else None, "last_day": days[-1] if days else None}
        known.append({"org_id": here.shop.org.id, "customer_id": key, **bought, **ends})
    with here.shop.working(here.now) as work:
        work.insert(Customer, people)
        work.session.execute(insert(facts.table), known)
    analyze(here.shop.engine)
    here.settle()
    analyze(here.shop.engine)
    return here


def plan(here: Town, document: str, **variables: Any) -> str:
    """How the database means to answer a question whose values it does not know."""
    [question] = questions_of(document, **variables)
    prepared = world.compile(question, here.shop.engine.dialect.name)
    with here.shop.engine.connect().execution_options(reading=True) as connection:
        driver: Any = connection.connection.dbapi_connection
        if here.shop.engine.dialect.name == "sqlite":
            nothing = dict.fromkeys(prepared.binders)
            return "\n".join(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {prepared.text}", nothing))
        return "\n".join(row[0] for row in driver.execute(f"EXPLAIN (GENERIC_PLAN) {prepared.text}"))


@backends
@pytest.mark.parametrize(
    "question",
    [
        (BY_SCORE, {"stage": "LOYAL", "direction": "DESC", "first": 50}),
        (BY_SCORE, {"stage": "CHURNED", "direction": "ASC", "last": 50}),
        ("{ customerGroups(by: [LIFECYCLE_STAGE]) { rows { lifecycleStage count factsNet { amount } } } }", {}),
        ("{ customers(where: {lifecycle: {stage: {eq: NEW}}}) { totalCount } }", {}),
        ("{ customers(orderBy: [{field: VALUE_SCORE, direction: DESC}]) { totalCount nodes { id } } }", {}),
    ],
)
def test_nobody_is_read_but_those_on_the_page_and_the_open(backend: str, question: tuple[str, Any]) -> None:
    told = plan(crowd(backend), question[0], **question[1])
    assert not re.findall(r"(?:Seq Scan on customer.*|SCAN customer(?:_facts)?(?:_\d+)?$)", told, re.MULTILINE), told
    assert not re.findall(r"SEARCH (?:settled|unsettled|customer)\w* USING [^(]*\(org_id=\?\)", told), told
    if "nodes" in question[0]:
        assert "ix_customer_facts_judged" in told
    assert "ix_customer_facts_open" in told
