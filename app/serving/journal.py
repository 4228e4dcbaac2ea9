"""Where what is known of requests goes: a few times a second, to the log, the figures and the traces."""

import asyncio
import logging

from app.platform.records import Records
from app.serving.lines import Lines
from app.serving.metrics import Metrics
from app.serving.traces import Traces

EVERY_SECONDS = 0.2
log = logging.getLogger("guanxi.server")


class Journal:
    """Takes the records of one process."""

    def __init__(self, records: Records, lines: Lines, metrics: Metrics, traces: Traces | None) -> None:
        self._records, self._lines, self.metrics, self._traces = records, lines, metrics, traces
        records.traced = traces is not None

    def look(self) -> None:
        """Take what is over by now."""
        records, dropped = self._records.take(), self._records.dropped
        self._records.dropped = 0
        self._lines.take(records)
        self.metrics.take(records, dropped)
        if self._traces is not None:
            self._traces.take(records)

    async def go(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                self.look()
            except Exception as failure:  # noqa: BLE001 - a full disk is no reason not to answer
                log.error("counting failed: %s", type(failure).__name__)

    def close(self) -> None:
        self.look()
        self._lines.close()
        self.metrics.close()
        if self._traces is not None:
            self._traces.close()
