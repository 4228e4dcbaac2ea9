"""What is kept of judgements is an index: pages and counts by stage are what the definitions say, whatever happened
since somebody was judged, at any clock and under any policy."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from random import Random
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Session

from app.customers import actions as customers
from app.customers.facts import facts
from app.customers.tables import Customer
from app.platform.database import analyze
from app.platform.work import Work, operator
from app.purchases import actions as purchases
from app.query.fact import FAR, OPEN
from app.query.standing import Standing
from app.scores import standings
from app.scores.actions import publish_policy
from app.scores.lifecycle import LifecycleStage
from app.scores.tables import StandingSum
from app.touchpoints import actions as touchpoints
from schema.schema import world
from tests.conftest import BACKENDS
from tests.histories import Scribe, histories, write
from tests.house import FULL, LATER, House, Shop, house, open_house
from tests.oracle.facts import facts_of
from tests.oracle.history import History, Order, Touch
from tests.oracle.judgements import Policy, judge
from tests.oracle.printing import money
from tests.query.questions import questions_of

COUNT = 120 if FULL else 30
STEPS = 150 if FULL else 20
SEEDS = range(6 if FULL else 2)
STAGES = [stage.name for stage in LifecycleStage]
backends = pytest.mark.parametrize("backend", BACKENDS)

BY_SCORE = """query($stage: LifecycleStage!, $direction: OrderDirection!, $first: Int, $after: String, $last: Int,
  $before: String) { customers(where: {lifecycle: {stage: {eq: $stage}}}, first: $first, after: $after, last: $last,
  before: $before, orderBy: [{field: VALUE_SCORE, direction: $direction}])
  { totalCount nodes { id value { score } lifecycle { stage } }
    pageInfo { hasNextPage endCursor hasPreviousPage startCursor } } }"""
BY_STAGE = """{ customerGroups(by: [LIFECYCLE_STAGE]) { rows { lifecycleStage count factsNet { amount } }
  all { count factsNet { amount } } } customers { totalCount } }"""
SOME_BY_SCORE = """query($where: CustomerWhere!, $direction: OrderDirection!) { customers(where: $where, first: 100,
  orderBy: [{field: VALUE_SCORE, direction: $direction}]) { totalCount nodes { id } } }"""


@dataclass
class Life:
    """A customer, and what the oracle is told of it."""

    id: str
    scribe: Scribe
    history: History
    archived: bool = False

    @property
    def key(self) -> UUID:
        return UUID(hex=self.id.removeprefix("cus_"))


@dataclass
class Town:
    """A shop in which time passes and things happen."""

    shop: Shop
    lives: list[Life]
    rng: Random
    now: datetime = LATER
    newest: datetime = LATER
    policies: list[tuple[datetime, Policy]] = field(default_factory=list)
    told: int = 0

    @property
    def policy(self) -> Policy:
        in_force = [policy for since, policy in self.policies if since <= self.now]
        return in_force[-1] if in_force else self.policies[0][1]

    def happen(self) -> None:
        """Anything at all, to anybody."""
        often = (self.pass_days, self.contact, self.buy)
        deeds = (self.settle, self.settle_some, self.set_back, self.void, self.archive, self.restore)
        deeds += (self.terminate, self.reinstate, self.publish)
        self.rng.choice((*often, *often, *deeds))(self.rng.choice(self.lives))

    def settle(self, _: Any = None) -> int:
        return standings.settle(self.shop.engine, self.shop.org, lambda: self.now)

    def settle_some(self, _: Life) -> None:
        with self.shop.working(self.now) as work:
            standings.settle_some(work, self.rng.randint(1, 9))

    def pass_days(self, _: Life) -> None:
        self.now += timedelta(days=self.rng.choice((1, 1, 2, 29, 90, 400)))

    def set_back(self, _: Life) -> None:
        self.now = max(self.newest, self.now - timedelta(days=self.rng.choice((1, 3, 60))))

    def contact(self, life: Life) -> None:
        if life.archived:
            return
        kind = self.rng.choice(("SURVEY", "CALL", "MESSAGE"))
        nps = self.rng.choice((0, 6, 7, 9, 10)) if kind == "SURVEY" else None
        way = "INBOUND" if kind == "SURVEY" else self.rng.choice(("INBOUND", "OUTBOUND"))
        touch = Touch(self._name(), kind, "PHONE", way, self.now, nps=nps)
        self._record(life, touchpoints.record_touchpoint, life.scribe.touch_row(touch))
        life.history.touches.append(touch)

    def buy(self, life: Life) -> None:
        if life.archived:
            return
        amount = self.rng.choice((0, 5_00, 120_00, 900_00))
        order = Order(self._name(), self.now, amount, amount)
        self._record(life, purchases.record_purchase, life.scribe.order_row(order, None))
        life.history.orders.append(order)

    def void(self, life: Life) -> None:
        orders = [order for order in life.history.orders if not order.voided and not order.refunds]
        if orders and not life.archived:
            order = self.rng.choice(orders)
            with self.shop.working(self.now) as work:
                replace(life.scribe, work=work).void(order)
            order.voided = True

    def archive(self, life: Life) -> None:
        if not life.archived:
            self._do(customers.archive_customer, {"customer": {"id": life.id}})
            life.archived = True

    def restore(self, _: Life) -> None:
        for life in self.lives:
            if life.archived:
                self._do(customers.restore_customer, {"id": life.id})
                life.archived = False

    def terminate(self, life: Life) -> None:
        if not life.archived:
            day = self.shop.today(self.now) + timedelta(days=self.rng.choice((-30, 0, 1, 40)))
            self._do(customers.terminate_customer, {"customer": {"id": life.id}, "terminated_on": day})
            life.history.terminated_on = day

    def reinstate(self, life: Life) -> None:
        if not life.archived and life.history.terminated_on:
            self._do(customers.reinstate_customer, {"customer": {"id": life.id}})
            life.history.terminated_on = None

    def publish(self, _: Life) -> None:
        change: dict[str, Any] = self.rng.choice(
            (
                {"new_days": self.rng.randint(1, 170)},
                {"churn_days": self.rng.randint(190, 500)},
                {"loyal_min_occasions": self.rng.randint(1, 6)},
                {"rfm_recency_cuts": tuple(sorted(self.rng.sample(range(500), 4)))},
            )
        )
        with self.shop.working(self.now) as work:
            publish_policy(work, {"set": change})
        since = max(self.now, self.policies[-1][0] + timedelta(microseconds=1))
        self.policies.append((since, replace(self.policies[-1][1], **change)))

    def _name(self) -> str:
        self.told += 1
        return f"later-{self.told}"

    def _record(self, life: Life, record: Any, row: Any) -> None:
        self._do(record, row)
        self.newest = max(self.newest, self.now)

    def _do(self, action: Any, given: Any) -> None:
        with self.shop.working(self.now) as work:
            action(work, given)

    # -------------------------------------------------------------- what is held against the oracle

    def judged(self) -> list[tuple[Life, str, float | None, int]]:
        """Every live customer with stage, score and net."""
        found = []
        for life in self.lives:
            if not life.archived:
                known = facts_of(life.history, self.now, self.shop.zone)
                said = judge(known, self.policy, self.shop.today(self.now))
                found.append((life, said["lifecycle.stage"], said["value.score"], known.net_minor))
        return found  # type: ignore[return-value]

    def ids(self, falls: bool, test: Callable[[str, float | None], bool]) -> list[str]:
        """Who passes, by score, with the unknown last and ties by id."""
        passing = [(score, life.id) for life, stage, score, _ in self.judged() if test(stage, score)]
        passing.sort(key=lambda one: one[1], reverse=falls)
        passing.sort(key=lambda one: one[0] or 0, reverse=falls)
        return [key for _, key in sorted(passing, key=lambda one: one[0] is None)]

    def walk(self, stage: str, direction: str, size: int, *, backward: bool = False) -> list[str]:
        """The ids of one stage, page by page."""
        found: list[str] = []
        at: dict[str, Any] = {}
        while True:
            asked = {"last": size} if backward else {"first": size}
            page = self.shop.ask(BY_SCORE, self.now, stage=stage, direction=direction, **asked, **at)["customers"]
            ids = [node["id"] for node in page["nodes"]]
            found = ids + found if backward else found + ids
            assert {node["lifecycle"]["stage"] for node in page["nodes"]} <= {stage}
            more, name = ("hasPreviousPage", "startCursor") if backward else ("hasNextPage", "endCursor")
            if not page["pageInfo"][more]:
                assert page["totalCount"] == len(found)
                return found
            at = {"before" if backward else "after": page["pageInfo"][name]}

    def check(self) -> None:
        """Pages, counts and groups say what the oracle says, and what is kept is right where it is settled."""
        judged = self.judged()
        wanted = [
            {
                "lifecycleStage": stage,
                "count": sum(each == stage for _, each, _, _ in judged),
                "factsNet": {"amount": money(sum(net for _, each, _, net in judged if each == stage), 2)},
            }
            for stage in STAGES
            if any(each == stage for _, each, _, _ in judged)
        ]
        said = self.shop.ask(BY_STAGE, self.now)
        assert said["customerGroups"]["rows"] == wanted
        total = money(sum(net for *_, net in judged), 2)
        assert said["customerGroups"]["all"] == {"count": len(judged), "factsNet": {"amount": total}}
        assert said["customers"]["totalCount"] == len(judged)
        stage, falls, backward = self.rng.choice(STAGES), self.rng.random() < 0.5, self.rng.random() < 0.4
        walked = self.walk(stage, "DESC" if falls else "ASC", self.rng.choice((1, 3, 50)), backward=backward)
        assert walked == self.ids(falls, lambda each, _: each == stage)
        assert self.wrong() == []

    def wrong(self) -> list[Any]:
        with Session(self.shop.engine.execution_options(reading=True)) as session:
            work = Work(session, operator(self.shop.org), self.now)
            return [*standings.wrongly_judged(work), *(["sums"] if standings.sums_differ(work) else [])]

    def rows(self) -> list[Any]:
        kept: Any = facts.table.c
        with Session(self.shop.engine.execution_options(reading=True)) as session:
            return list(session.execute(select(facts.table).where(kept.org_id == self.shop.org.id)))


def town(backend: str, seed: int, count: int = COUNT, at: House | None = None) -> Town:
    shop = (at or house(backend)).shop("Asia/Shanghai")
    told = histories(seed, count, shop.zone)
    ids = write(shop, told)
    lives = []
    for (name, key), history in zip(ids.items(), told, strict=True):
        scribe = Scribe(None, key, "EUR", f"{name}/{shop.org.id}")  # type: ignore[arg-type]
        scribe.work = Stand(shop)  # type: ignore[assignment]
        lives.append(Life(key, scribe, history))
    return Town(shop, lives, Random(seed), policies=[(LATER - timedelta(days=366), Policy())])


@dataclass
class Stand:
    """Stands for a work where a scribe only asks whose it is."""

    shop: Shop

    @property
    def org(self) -> Any:
        return self.shop.org


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
                assert [node["id"] for node in said["nodes"]] == wanted, where
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
