"""Figures for Prometheus. What happens is counted plainly where it happens, and carried over a few times a second: the
library, which keeps them for several processes alike in files, is too slow for each request.
"""

import os
import re
from bisect import bisect_left
from collections import Counter as Count
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.platform.records import Record
from app.serving.lines import FOLDER

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
GROUPS = (1, 2, 4, 8, 16, 32, 64)
_LIVE = re.compile(r"gauge_live\w+_(\d+)\.db")

# By name, and by the values of their labels: what has been counted up to now.
Totals = Mapping[tuple[str, str], int]


class Metrics:
    """`totals`: hits and misses of the caches, by (cache, result). `gauges`: by (what, state), how many there are now
    in this process. `groups`: how many changes each group of the writer held, since it was asked last. `lag`: seconds
    since it was asked last, by which subscribers were late."""

    def __init__(
        self,
        totals: Callable[[], Totals],
        gauges: Callable[[], Mapping[tuple[str, str], float]],
        groups: Callable[[], Count[int]],
        lag: Callable[[], float],
    ) -> None:
        self._totals, self._gauges, self._groups, self._lag = totals, gauges, groups, lag
        self._before: dict[tuple[str, str], int] = {}
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "guanxi_requests", "Operations answered.", ["transport", "lane", "status"], registry=registry
        )
        self._seconds = Histogram(
            "guanxi_request_seconds", "How long they took.", ["transport", "lane"], buckets=SECONDS, registry=registry
        )
        self._refused = Counter("guanxi_errors", "Operations with an error of this code.", ["code"], registry=registry)
        self._cost = Counter("guanxi_cost_points", "Points of cost that were charged.", registry=registry)
        self._statements = Counter("guanxi_statements", "Statements run for operations.", registry=registry)
        self._caches = Counter(
            "guanxi_cache_lookups", "What was looked up: hit or miss.", ["cache", "result"], registry=registry
        )
        self._unwritten = Counter("guanxi_unrecorded_requests", "Operations not counted here.", registry=registry)
        self._now = Gauge(
            "guanxi_in_use",
            "Connections to the database, and subscriptions, by state.",
            ["what", "state"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._late = Gauge(
            "guanxi_outbox_lag_seconds",
            "By how much subscribers heard later than it was done, at the most of late.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._written = Histogram(
            "guanxi_write_group_size", "Changes written in one commit.", buckets=GROUPS, registry=registry
        )

    def take(self, records: Sequence[Record], dropped: int) -> None:
        """Count these operations, and look at what is in use now."""
        alike: dict[tuple[str, str, int], list[float]] = {}
        cost = statements = 0
        codes = Count[str]()
        for each in records:
            labels = each.transport, each.lane, each.status
            if labels in alike:
                alike[labels].append(each.ended - each.began)
            else:
                alike[labels] = [each.ended - each.began]
            cost += each.cost
            statements += each.statements
            if each.codes:
                codes.update(each.codes)
        for (transport, lane, status), seconds in alike.items():
            self._requests.labels(transport, lane, str(status)).inc(len(seconds))
            _observe(self._seconds.labels(transport, lane), SECONDS, seconds)
        for code, number in codes.items():
            self._refused.labels(code).inc(number)
        self._cost.inc(cost)
        self._statements.inc(statements)
        self._unwritten.inc(dropped)
        self._look()

    def _look(self) -> None:
        for labels, number in self._totals().items():
            more = number - self._before.get(labels, 0)
            if more > 0 or labels not in self._before:
                self._caches.labels(*labels).inc(max(0, more))
            self._before[labels] = number
        for labels, each in self._gauges().items():
            self._now.labels(*labels).set(each)
        _observe(self._written, GROUPS, list(self._groups().elements()))
        self._late.set(self._lag())

    def text(self) -> bytes:
        """Of all processes of this server."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        _forget_the_dead(Path(folder))
        whole = CollectorRegistry()
        MultiProcessCollector(whole, folder)  # type: ignore[no-untyped-call]
        return generate_latest(whole)

    @staticmethod
    def close() -> None:
        """What this process has in use is nothing any more; what it counted stays."""
        if FOLDER in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def _observe(histogram: Any, bounds: Sequence[float], seen: Sequence[float]) -> None:
    """All of them together: one by one, as the library offers it, costs as much as all the rest of this."""
    for place, number in Count([bisect_left(bounds, each) for each in seen]).items():
        histogram._buckets[place].inc(number)
    if seen:
        histogram._sum.inc(sum(seen))


def _forget_the_dead(folder: Path) -> None:
    """One that was killed could not say that it uses nothing any more."""
    for pid in {int(found[1]) for each in folder.iterdir() if (found := _LIVE.fullmatch(each.name))}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass
