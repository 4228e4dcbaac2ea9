"""Whether requests can be answered here: not while the server stops, nor while the database is away or behind."""

import asyncio
import time
from contextlib import suppress

from anyio.to_thread import run_sync
from sqlalchemy.exc import DBAPIError

from app.platform.database import connect
from app.platform.migrations import Standing, standing
from app.platform.refusals import OperatorError

# What was found is good for so long: however often it is asked, the database is asked once a second.
GOOD_SECONDS, PATIENT_SECONDS = 1.0, 2.0
STOPPING = "The server is stopping."
AWAY = "The database cannot be reached."
BEHIND = "The database is not up to date: run guanxi migrate."


class Ready:
    """`stopping`: it has been told to stop."""

    def __init__(self, url: str) -> None:
        self.stopping = False
        # Which migrations a database has had is the operator's to see, not theirs whom it serves.
        self._engine = connect(url)
        self._found: str | None = None
        self._until = 0.0
        self._looking: asyncio.Task[str | None] | None = None

    async def why_not(self) -> str | None:
        """None: it is."""
        if self.stopping:
            return STOPPING
        if self._until < time.monotonic():
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(run_sync(self._look, abandon_on_cancel=True))
            done, _ = await asyncio.wait([self._looking], timeout=PATIENT_SECONDS)
            self._found = self._looking.result() if done else AWAY
            self._until = time.monotonic() + GOOD_SECONDS
        return self._found

    def _look(self) -> str | None:
        try:
            return BEHIND if standing(self._engine) is Standing.BEHIND else None
        except (DBAPIError, OperatorError, OSError):
            return AWAY

    async def close(self) -> None:
        if self._looking is not None:
            # It is let go only where the database does not answer: its thread reads until then.
            await asyncio.wait([self._looking], timeout=PATIENT_SECONDS)
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        self._engine.dispose()
