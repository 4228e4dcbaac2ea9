"""A shop in which time passes and things happen, held against the oracle whenever somebody looks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.customers import actions as customers
from app.customers.facts import facts
from app.platform.work import Work, operator
from app.purchases import actions as purchases
from app.scores import standings
from app.scores.actions import publish_policy
from app.scores.lifecycle import LifecycleStage
from app.touchpoints import actions as touchpoints
from tests.histories import Scribe, histories, write
from tests.house import FULL, LATER, House, Shop, house
from tests.oracle.facts import facts_of
from tests.oracle.history import History, Order, Touch
from tests.oracle.judgements import Policy, judge
from tests.oracle.printing import money

COUNT = 120 if FULL else 30
STAGES = [stage.name for stage in LifecycleStage]

BY_SCORE = """query($stage: LifecycleStage!, $direction: OrderDirection!, $first: Int, $after: String, $last: Int,
  $before: String) { customers(where: {lifecycle: {stage: {eq: $stage}}}, first: $first, after: $after, last: $last,
  before: $before, orderBy: [{field: VALUE_SCORE, direction: $direction}])
  { totalCount nodes { id value { score } lifecycle { stage } }
    pageInfo { hasNextPage endCursor hasPreviousPage startCursor } } }"""
BY_STAGE = """{ customerGroups(by: [LIFECYCLE_STAGE]) { rows { lifecycleStage count factsNet { amount } }
  all { count factsNet { amount } } } customers { totalCount } }"""


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
    """Everybody in it, its clock and its policies."""

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
