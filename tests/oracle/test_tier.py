"""How close a customer is to us, by the oracle."""

from dataclasses import replace

import pytest

from tests.oracle.facts import Facts
from tests.oracle.given import (
    DETRACTOR,
    OVERDUE,
    PAST_DETRACTOR,
    WITHIN_SLA,
    buyer,
    client,
    customer,
    days_ago,
    partner,
    verdict,
)
from tests.oracle.judgements import Policy


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        (Facts(committed=True), None),
        (buyer(0), "BUYER"),
        (buyer(1000), "BUYER"),
        (customer(), "CUSTOMER"),
        (replace(customer(), occasions=1), "BUYER"),
        (customer(inbound_days=days_ago(366)), "BUYER"),
        (customer(inbound_days=days_ago(366), committed=True), "CUSTOMER"),
        (client(), "CLIENT"),
        (client(need_days=days_ago(366)), "CUSTOMER"),
        (client(dialogue_days=days_ago(366, 365, 0)), "CUSTOMER"),
        (client(tailored_orders=0), "CUSTOMER"),
        (client(tailored_orders=0, cocreation_days=days_ago(730)), "CLIENT"),
        (client(tailored_orders=0, cocreation_days=days_ago(731)), "CUSTOMER"),
        (client(inbound_days=[]), "BUYER"),  # the ladder is cumulative
        (partner(), "PARTNER"),
        (partner(cocreation_days=days_ago(731, 730)), "CLIENT"),
        (partner(**DETRACTOR), "CLIENT"),
        (partner(**PAST_DETRACTOR), "PARTNER"),
        (partner(**OVERDUE), "CLIENT"),
        (partner(**WITHIN_SLA), "PARTNER"),
        (partner(need_days=days_ago(-5)), "PARTNER"),  # what lies ahead counts as today
        (partner(contactable=False), "PARTNER"),  # consent is no part of it
    ],
)
def test_each_tier_needs_everything_below_it(facts, tier):
    assert verdict(facts, "relationship.tier") == tier


def test_tailored_orders_and_cocreations_count_together():
    policy = Policy(client_min_tailored=3)
    assert verdict(client(tailored_orders=2, cocreation_days=days_ago(1)), "relationship.tier", policy) == "CLIENT"
    assert verdict(client(tailored_orders=1, cocreation_days=days_ago(1)), "relationship.tier", policy) == "CUSTOMER"


def test_minimums_of_zero_ask_for_nothing():
    policy = Policy(
        customer_min_occasions=0,
        customer_min_inbound=0,
        client_min_dialogues=0,
        client_min_needs=0,
        client_min_tailored=0,
        partner_min_cocreation=0,
    )
    assert verdict(buyer(0), "relationship.tier", policy) == "PARTNER"


def test_at_most_six_count_in_a_window():
    at_most = replace(client(), dialogue_days=days_ago(*range(9)))
    assert verdict(at_most, "relationship.tier", Policy(client_min_dialogues=6)) == "CLIENT"
    assert verdict(at_most, "relationship.tier", Policy(client_min_dialogues=7)) == "CUSTOMER"
