"""Facts made up: of who bought so many days ago, and of who is closer than that."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.facts import Facts
from tests.oracle.judgements import Policy, judge

TODAY = date(2026, 7, 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)  # noon in Shanghai


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def days_ago(*ages: int) -> list[date]:
    return sorted(ago(age) for age in ages)


def buyer(last: int = 0, first: int | None = None, occasions: int = 1, **known) -> Facts:
    first = last if first is None else first
    return Facts(kept_orders=occasions, occasions=occasions, first_day=ago(first), last_day=ago(last), **known)


def loyal(last: int = 0, **known) -> Facts:
    return buyer(last, first=last + 180, occasions=4, **known)


def verdict(facts: Facts, path: str, policy: Policy | None = None):
    return judge(facts, policy or Policy(), TODAY)[path]


OVERDUE = {"open_complaints": 1, "oldest_open_complaint_day": ago(15)}
WITHIN_SLA = {"open_complaints": 1, "oldest_open_complaint_day": ago(14)}
DETRACTOR = {"nps": 6, "nps_day": ago(180)}
PAST_DETRACTOR = {"nps": 6, "nps_day": ago(181)}


def customer(**known) -> Facts:
    return buyer(0, occasions=2, **{"inbound_days": days_ago(365), **known})


def client(**known) -> Facts:
    close = {"need_days": days_ago(365), "dialogue_days": days_ago(365, 365, 0), "tailored_orders": 1}
    return customer(**{**close, **known})


def partner(**known) -> Facts:
    return client(**{"cocreation_days": days_ago(730, 730), **known})
