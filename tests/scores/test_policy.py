"""A policy's versions follow one another, and only a consistent one is published."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from math import ceil
from random import Random
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from app.customers.facts import facts
from app.customers.tables import Customer
from app.platform.access import Org
from app.platform.audit import AuditEntry
from app.platform.ids import key_of, new_id
from app.platform.refusals import Code, Problems, Refused
from app.platform.work import Work
from app.policy.tables import Policy
from app.scores.actions import cuts_from_base, publish_policy
from app.scores.policy import defaults, proposed
from tests.conftest import NOW, Begin

DEFAULTS = defaults(2)
TODAY = 20_619  # NOW's day


def publish(work: Work, *, expected: int | None = None, from_base: bool = False, **change: Any) -> Policy:
    published = publish_policy(work, {"expected_version": expected, "rfm_cuts_from_base": from_base, "set": change})
    key = key_of(published["policy"], "pol")
    return work.session.scalars(select(Policy).where(Policy.org_id == work.org.id, Policy.id == key)).one()


def problems_of(exponent: int = 2, **change: Any) -> set[tuple[str, tuple[str | int, ...]]]:
    problems = Problems().under("set")
    proposed(problems, DEFAULTS, change, exponent)
    return {(problem.code.value, problem.path) for problem in problems.found}


def refusal(work: Work, **said: Any) -> list[tuple[Code, tuple[str | int, ...]]]:
    with pytest.raises(Refused) as refused:
        publish(work, **said)
    return [(problem.code, problem.path) for problem in refused.value.problems]


# ---------------------------------------------------------------------------------------------- what it may say


def test_every_problem_is_told_at_once() -> None:
    assert problems_of(
        new_days=-1,
        churn_days=100,
        loyal_min_occasions=0,
        client_min_needs=7,
        partner_min_cocreation=None,
        marketing_cap_days=367,
        marketing_cap_total=-1,
        rfm_recency_cuts=[30, 10, 50],
        rfm_frequency_cuts=[-1, 2, 3, 4],
        rfm_monetary_cuts=[Decimal(1), Decimal("1.005"), Decimal(2), Decimal(3)],
        value_weights={"recency": 1.5, "frequency": 0.1234567, "monetary": 0.0, "engagement": 0.0, "advocacy": 0.0},
    ) == {
        ("OUT_OF_RANGE", ("set", "new_days")),
        ("INVALID", ("set", "churn_days")),
        ("OUT_OF_RANGE", ("set", "loyal_min_occasions")),
        ("OUT_OF_RANGE", ("set", "client_min_needs")),
        ("REQUIRED", ("set", "partner_min_cocreation")),
        ("OUT_OF_RANGE", ("set", "marketing_cap_days")),
        ("OUT_OF_RANGE", ("set", "marketing_cap_total")),
        ("INVALID", ("set", "rfm_recency_cuts")),
        ("OUT_OF_RANGE", ("set", "rfm_frequency_cuts", 0)),
        ("INVALID", ("set", "rfm_monetary_cuts", 1)),
        ("OUT_OF_RANGE", ("set", "value_weights", "recency")),
        ("INVALID", ("set", "value_weights", "frequency")),
    }


@pytest.mark.parametrize(
    ("change", "blamed"),
    [
        ({"new_days": 181}, "new_days"),
        ({"active_days": 89}, "active_days"),
        ({"active_days": 365}, "active_days"),
        ({"churn_days": 180}, "churn_days"),
        ({"active_days": 40, "new_days": 50}, "active_days"),
        ({"active_days": 400, "churn_days": 400}, "churn_days"),
    ],
)
def test_days_stay_in_their_order(change: dict[str, int], blamed: str) -> None:
    assert problems_of(**change) == {("INVALID", ("set", blamed))}


def test_days_may_meet_where_they_may() -> None:
    assert problems_of(new_days=5, active_days=5, churn_days=6) == set()
    assert problems_of(new_days=0, active_days=1, churn_days=36_500) == set()


def test_weights_are_taken_as_they_are_written() -> None:
    tenths = {"recency": 0.1, "frequency": 0.2, "monetary": 0.3, "engagement": 0.3, "advocacy": 0.1}
    assert problems_of(value_weights=tenths) == set()
    assert problems_of(value_weights={**tenths, "advocacy": 0.100001}) == {("INVALID", ("set", "value_weights"))}


def test_money_has_the_decimals_of_its_currency() -> None:
    half = [Decimal("0.5"), Decimal(1), Decimal(1), Decimal("2000.0")]
    columns = proposed(Problems(), DEFAULTS, {"rfm_monetary_cuts": half}, 2)
    assert [columns[f"monetary_cut_{n}"] for n in (1, 2, 3, 4)] == [50, 100, 100, 200_000]
    assert problems_of(exponent=0, rfm_monetary_cuts=half) == {("INVALID", ("set", "rfm_monetary_cuts", 0))}


def test_caps_alone_may_be_unset() -> None:
    capped = proposed(Problems(), DEFAULTS, {"marketing_cap_total": 4, "marketing_cap_per_channel": 0}, 2)
    uncapped = proposed(Problems(), capped, {"marketing_cap_total": None}, 2)
    assert (uncapped["marketing_cap_total"], uncapped["marketing_cap_per_channel"]) == (None, 0)


def test_what_is_left_out_stays() -> None:
    problems = Problems()
    assert proposed(problems, DEFAULTS, {"churn_days": 400}, 2) == {**DEFAULTS, "churn_days": 400}
    assert proposed(problems, DEFAULTS, {}, 2) == DEFAULTS
    assert not problems


# ---------------------------------------------------------------------------------------------- publishing


def test_an_organisation_begins_with_the_defaults(new_org: Callable[..., Org], begin: Begin) -> None:
    for currency, first_cut in (("EUR", 100_00), ("JPY", 100), ("KWD", 100_000)):
        with begin(org=new_org(currency=currency)) as work:
            first = work.session.scalars(select(Policy).where(Policy.org_id == work.org.id)).one()
        assert (first.version, first.churn_days, first.monetary_cut_1) == (1, 365, first_cut)
        assert (first.recency_cut_4, first.frequency_cut_4, first.weight_monetary_e6) == (365, 8, 350_000)


def test_versions_follow_one_another(begin: Begin) -> None:
    with begin() as work:
        second = publish(work, expected=1, churn_days=400)
        third = publish(work)  # in the same instant, and with no change
    with begin(now=NOW - timedelta(days=1)) as work:
        fourth = publish(work, active_days=200)
    assert [second.version, third.version, fourth.version] == [2, 3, 4]
    assert [third.churn_days, fourth.churn_days, fourth.active_days] == [400, 400, 200]
    assert second.published_at == NOW
    assert third.published_at == NOW + timedelta(microseconds=1)
    assert fourth.published_at == NOW + timedelta(microseconds=2)
    with begin() as work:
        told = work.session.scalars(
            select(AuditEntry.subject).where(AuditEntry.org_id == work.org.id, AuditEntry.event == "policy.published")
        ).all()
    assert f"pol_{second.id.hex}" in told
    assert len(told) == 4


def test_a_stale_version_is_told_with_all_the_rest(begin: Begin) -> None:
    with begin() as work:
        second = publish(work)
    with pytest.raises(Refused) as refused, begin() as work:
        publish(work, expected=1, churn_days=0)
    stale, churn = refused.value.problems
    assert (stale.code, stale.path, stale.node) == (Code.STALE_VERSION, ("expected_version",), f"pol_{second.id.hex}")
    assert (churn.code, churn.path) == (Code.INVALID, ("set", "churn_days"))


def test_publishers_wait_for_each_other(begin: Begin, engine: Engine) -> None:
    def publish_five() -> None:
        for _ in range(5):
            with begin() as work:
                publish(work)

    threads = [Thread(target=publish_five) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with begin() as work:
        rows = work.session.scalars(select(Policy).where(Policy.org_id == work.org.id).order_by(Policy.version)).all()
    assert [row.version for row in rows] == list(range(1, 22))
    instants = [row.published_at for row in rows]
    assert instants == sorted(set(instants))


# ---------------------------------------------------------------------------------------------- cuts from the base


def bought(work: Work, last_day: int, occasions: int, gross: int, refunded: int = 0, *, archived: bool = False) -> None:
    key = new_id()
    plain = {"version": 1, "created_at": NOW, "updated_at": NOW, "kind": "PERSON", "name": "A", "name_folded": "a"}
    rest = {"attributes": "{}", "suppressed": False, "archived_at": NOW if archived else None}
    work.insert(Customer, [{"id": key, **plain, **rest}])
    known = {"kept_orders": occasions, "occasions": occasions, "last_day": last_day if occasions else None}
    money = {"gross_minor": gross, "refunded_minor": refunded}
    work.session.execute(insert(facts.table).values(org_id=work.org.id, customer_id=key, **known, **money))


def test_cuts_are_values_that_somebody_has(begin: Begin, new_org: Callable[..., Org]) -> None:
    with begin() as work:
        for n in range(1, 8):
            bought(work, TODAY - n, occasions=n, gross=n * 100, refunded=50)
        bought(work, TODAY + 1, occasions=1, gross=0, refunded=500)  # ahead of the clock, and more came back than went
        bought(work, TODAY, occasions=0, gross=9_999_999)
        bought(work, TODAY, occasions=99, gross=9_999_999, archived=True)
    with begin(org=new_org("Another")) as other:
        bought(other, TODAY - 5000, occasions=5000, gross=5_000_000)
    with begin() as work:
        row = publish(work, from_base=True, churn_days=366)
    # Eight customers: the values at ranks 2, 4, 5 and 7.
    assert [row.recency_cut_1, row.recency_cut_2, row.recency_cut_3, row.recency_cut_4] == [1, 3, 4, 6]
    assert [row.frequency_cut_1, row.frequency_cut_2, row.frequency_cut_3, row.frequency_cut_4] == [1, 3, 4, 6]
    assert [row.monetary_cut_1, row.monetary_cut_2, row.monetary_cut_3, row.monetary_cut_4] == [50, 250, 350, 550]
    assert (row.cuts_computed_at, row.cuts_from_customers, row.churn_days) == (NOW, 8, 366)
    with begin() as work:
        assert publish(work, new_days=10).cuts_from_customers == 8
        assert publish(work, rfm_recency_cuts=[1, 2, 3, 4]).cuts_from_customers is None


def test_cuts_are_taken_or_listed_not_both(begin: Begin) -> None:
    with begin() as work:
        bought(work, TODAY, occasions=1, gross=100)
        assert refusal(work, from_base=True, rfm_recency_cuts=[1, 2, 3, 4], rfm_monetary_cuts=[]) == [
            (Code.INVALID, ("set", "rfm_monetary_cuts")),
            (Code.INVALID, ("set", "rfm_recency_cuts")),
            (Code.INVALID, ("set", "rfm_monetary_cuts")),
        ]


def test_an_empty_base_has_no_cuts(begin: Begin) -> None:
    with begin() as work:
        assert refusal(work, from_base=True) == [(Code.WRONG_STATE, ("rfm_cuts_from_base",))]


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 9, 23])
def test_cuts_are_those_of_a_plain_loop(begin: Begin, size: int) -> None:
    dice = Random(size)
    people = [(dice.randint(0, 900), dice.randint(1, 12), dice.randint(-500, 5000)) for _ in range(size)]
    with begin() as work:
        for recency, occasions, net in people:
            bought(work, TODAY - recency, occasions, gross=max(net, 0), refunded=max(-net, 0))
        cuts, customers = cuts_from_base(work)
    assert customers == size
    for place, kind in enumerate(("recency", "frequency", "monetary")):
        values = sorted(max(0, person[place]) for person in people)
        assert [cuts[f"{kind}_cut_{k}"] for k in (1, 2, 3, 4)] == [values[ceil(k * size / 5) - 1] for k in (1, 2, 3, 4)]
