"""The domain said slowly in plain Python: what a policy makes of the facts.

The SQL is the only evaluator the product has. This folder is what it is held against, and it shares nothing with it: no
table, no expression, no constant. Every loop is the obvious one; nothing here may become clever.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.oracle.days import age, within
from tests.oracle.facts import Facts
from tests.oracle.printing import iso, plain, rounded


@dataclass(frozen=True)
class Policy:
    new_days: int = 90
    active_days: int = 180
    churn_days: int = 365
    loyal_min_occasions: int = 4
    loyal_min_span_days: int = 180
    complaint_sla_days: int = 14
    detractor_window_days: int = 180
    customer_min_occasions: int = 2
    customer_min_inbound: int = 1
    client_min_dialogues: int = 3
    client_min_needs: int = 1
    client_min_tailored: int = 1
    partner_min_cocreation: int = 2
    rfm_recency_cuts: tuple[int, ...] = (30, 90, 180, 365)
    rfm_frequency_cuts: tuple[int, ...] = (1, 2, 4, 8)
    rfm_monetary_cuts: tuple[int, ...] = (100_00, 300_00, 800_00, 2000_00)  # minor units of the reporting currency
    value_weights: tuple[str, ...] = ("0.20", "0.25", "0.35", "0.10", "0.10")  # R, F, M, engagement, advocacy


def judge(facts: Facts, policy: Policy, today: date) -> dict[str, object]:
    """Every judgement, by its GraphQL path, as the API prints it. Below a null object every leaf is None."""
    j = Judgement(facts, policy, today)
    buyer = facts.kept_orders > 0
    perceived = facts.quality is not None and facts.price is not None
    return {
        "lifecycle.stage": j.stage,
        "lifecycle.phase": j.phase,
        "lifecycle.recencyDays": j.recency,
        "lifecycle.tenureDays": j.tenure,
        "lifecycle.nextAction": j.next_action,
        "lifecycle.deliverable": j.deliverable,
        "relationship.tier": j.tier,
        "value.score": rounded(j.score, 4) if buyer else None,
        "value.rfm.recency": j.r if buyer else None,
        "value.rfm.frequency": j.f if buyer else None,
        "value.rfm.monetary": j.m if buyer else None,
        "value.rfm.cell": f"{j.r}{j.f}{j.m}" if buyer else None,
        "value.churnRisk": rounded(j.churn_risk, 6) if buyer else None,
        "value.health": rounded(j.health, 4) if buyer else None,
        "value.healthCoverage": rounded(j.health_coverage, 6),
        "value.behavior": j.behavior if buyer else None,
        "value.perceived.quality": plain(facts.quality) if perceived else None,
        "value.perceived.price": plain(facts.price) if perceived else None,
        "value.perceived.ratio": rounded(Fraction(facts.quality) / Fraction(facts.price), 4) if perceived else None,
        "value.perceived.answeredOn": iso(facts.perceived_day) if perceived else None,
    }


@dataclass(frozen=True)
class Judgement:
    """One customer's facts under one policy on one day. Measures that need a kept order may be asked only with one."""

    facts: Facts
    policy: Policy
    today: date

    def age(self, day: date) -> int:
        return age(day, self.today)

    def within(self, days: list[date], window: int) -> int:
        return within(days, window, self.today)

    # --- lifecycle

    @property
    def recency(self) -> int | None:
        return None if self.facts.last_day is None else self.age(self.facts.last_day)

    @property
    def tenure(self) -> int | None:
        return None if self.facts.first_day is None else self.age(self.facts.first_day)

    @property
    def ended(self) -> bool:
        """An explicit end that is in force: reached, and no kept order after that day."""
        end, last = self.facts.terminated_on, self.facts.last_day
        return end is not None and end <= self.today and (last is None or last <= end)

    @property
    def stage(self) -> str:
        facts, policy = self.facts, self.policy
        if self.ended:
            return "CHURNED"
        if facts.kept_orders == 0:
            return "PROSPECT"
        if self.recency > policy.churn_days:
            return "CHURNED"
        span = (facts.last_day - facts.first_day).days
        if facts.occasions >= policy.loyal_min_occasions and span >= policy.loyal_min_span_days:
            return "LOYAL"
        if self.tenure <= policy.new_days:
            return "NEW"
        return "ACTIVE"

    @property
    def complaint_overdue(self) -> bool:
        oldest = self.facts.oldest_open_complaint_day
        return oldest is not None and self.age(oldest) > self.policy.complaint_sla_days

    @property
    def recent_detractor(self) -> bool:
        nps, day = self.facts.nps, self.facts.nps_day
        return nps is not None and nps <= 6 and self.age(day) <= self.policy.detractor_window_days

    @property
    def declining(self) -> bool:
        return self.stage in ("NEW", "ACTIVE", "LOYAL") and (
            self.recency > self.policy.active_days or self.complaint_overdue or self.recent_detractor
        )

    @property
    def phase(self) -> str:
        if self.declining:
            return "DECLINE"
        if self.stage == "PROSPECT":
            return "SIGNING" if self.facts.committed else "DEVELOPMENT"
        return {"NEW": "SIGNING", "ACTIVE": "GROWTH", "LOYAL": "MATURITY", "CHURNED": "TERMINATION"}[self.stage]

    @property
    def next_action(self) -> str:
        no_need_record = self.within(self.facts.need_days, 365) == 0
        if self.facts.open_complaints > 0:
            return "RESOLVE_COMPLAINT"
        if self.stage == "CHURNED":
            return "WIN_BACK"
        if self.phase == "DECLINE":
            return "RECOVER_DISSATISFIED" if self.recent_detractor else "PREVENT_TERMINATION"
        if self.phase == "DEVELOPMENT":
            return "CONVERT_PROSPECT"
        if self.stage == "PROSPECT":
            return "CLOSE_FIRST_ORDER"
        if self.stage == "NEW" and self.facts.occasions <= 1:
            return "NURTURE_SECOND_PURCHASE"
        if self.stage in ("NEW", "ACTIVE"):
            return "CAPTURE_NEEDS" if no_need_record else "BUILD_SATISFACTION"
        if self.tier == "CLIENT":
            return "INVITE_COCREATION"
        if self.tier == "CUSTOMER" and no_need_record:
            return "CAPTURE_NEEDS"
        return "REWARD_LOYALTY"

    @property
    def deliverable(self) -> bool:
        came_back = any(day >= self.facts.terminated_on for day in self.facts.inbound_days) if self.ended else True
        return (self.facts.contactable and came_back) or self.next_action == "RESOLVE_COMPLAINT"

    # --- relationship

    @property
    def tier(self) -> str | None:
        facts, policy = self.facts, self.policy
        cocreations = self.within(facts.cocreation_days, 730)
        if facts.kept_orders == 0:
            return None
        known = self.within(facts.inbound_days, 365) >= policy.customer_min_inbound or facts.committed
        if not (facts.occasions >= policy.customer_min_occasions and known):
            return "BUYER"
        understood = (
            self.within(facts.need_days, 365) >= policy.client_min_needs
            and self.within(facts.dialogue_days, 365) >= policy.client_min_dialogues
            and facts.tailored_orders + cocreations >= policy.client_min_tailored
        )
        if not understood:
            return "CUSTOMER"
        trusted = not self.recent_detractor and not self.complaint_overdue
        return "PARTNER" if cocreations >= policy.partner_min_cocreation and trusted else "CLIENT"

    # --- value

    @property
    def r(self) -> int:
        return 5 - sum(self.recency > cut for cut in self.policy.rfm_recency_cuts)

    @property
    def f(self) -> int:
        return 1 + sum(self.facts.occasions > cut for cut in self.policy.rfm_frequency_cuts)

    @property
    def m(self) -> int:
        return 1 + sum(max(0, self.facts.net_minor) > cut for cut in self.policy.rfm_monetary_cuts)

    @property
    def engagement(self) -> Fraction:
        return min(Fraction(1), Fraction(self.within(self.facts.inbound_days, 90), 6))

    @property
    def promoter(self) -> bool:
        return self.facts.nps is not None and self.facts.nps >= 9

    @property
    def advocacy(self) -> Fraction:
        if self.facts.nps is not None and self.facts.nps <= 6:
            return Fraction(0)
        return Fraction(1) if self.promoter else Fraction(1, 2)

    @property
    def score(self) -> Fraction:
        grades = (Fraction(grade - 1, 4) for grade in (self.r, self.f, self.m))
        parts = (*grades, self.engagement, self.advocacy)
        weights = (Fraction(str(weight)) for weight in self.policy.value_weights)
        return 100 * sum(weight * part for weight, part in zip(weights, parts, strict=True))

    @property
    def churn_risk(self) -> Fraction:
        if self.stage == "CHURNED":
            return Fraction(1)
        recency, active, churn = self.recency, self.policy.active_days, self.policy.churn_days
        if recency == 0:
            base = Fraction(0)
        elif recency <= active:
            base = Fraction(recency, 2 * active)
        else:
            base = Fraction(1, 2) + Fraction(recency - active, 2 * (churn - active))
        overdue = Fraction(15, 100) if self.complaint_overdue else 0
        detractor = Fraction(10, 100) if self.recent_detractor else 0
        return 1 - (1 - base) * (1 - overdue) * (1 - detractor)

    @property
    def satisfaction(self) -> Fraction | None:
        known = []
        if self.facts.nps is not None:
            known.append(Fraction(self.facts.nps, 10))
        if self.facts.csat_mean is not None:
            known.append((Fraction(self.facts.csat_mean) - 1) / 4)
        return sum(known) / len(known) if known else None

    @property
    def service(self) -> Fraction:
        if self.facts.open_complaints == 0:
            return Fraction(1)
        return Fraction(0) if self.complaint_overdue else Fraction(1, 2)

    @property
    def _known_health(self) -> list[tuple[Fraction, Fraction]]:
        """Weight and value of each part that is known."""
        parts = (
            (Fraction(35, 100), 1 - self.churn_risk if self.facts.kept_orders > 0 else None),
            (Fraction(25, 100), self.satisfaction),
            (Fraction(20, 100), self.engagement),
            (Fraction(20, 100), self.service),
        )
        return [(weight, part) for weight, part in parts if part is not None]

    @property
    def health(self) -> Fraction:
        return 100 * sum(weight * part for weight, part in self._known_health) / self.health_coverage

    @property
    def health_coverage(self) -> Fraction:
        return sum(weight for weight, _ in self._known_health)

    @property
    def behavior(self) -> str:
        facts = self.facts
        lately = self.within(facts.occasion_days, 180)
        before = self.within(facts.occasion_days, 360) - lately
        speaks_for_us = self.within(facts.brand_days, 365) >= 2 or facts.converted_referrals > 0 or self.promoter
        if self.r >= 2 and self.m >= 4 and speaks_for_us:
            return "AMBASSADOR"
        if self.r >= 2 and self.f == 5:
            return "HIGH_FREQUENCY"
        if self.r >= 4 and 2 <= self.f <= 4 and (lately > before or self.engagement >= Fraction(1, 2)):
            return "GROWTH_POTENTIAL"
        return "OCCASIONAL"
