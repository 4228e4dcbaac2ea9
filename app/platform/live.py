"""Tells subscribers what has changed: one reader for all of a process, fed from the outbox.

Each organisation that somebody listens to has a feed, which goes on where it stopped. It looks when something was
committed, here or elsewhere, and otherwise every second. What a subscriber has not taken yet waits in a short line of
his own; who lets it fill is given a moment, and then dropped. Nothing is held open for him meanwhile: what was not
handed out yet stands in the outbox.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Set
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from app.platform.away import Away
from app.platform.outbox import AT_ONCE, Change, listen, outbox_of

LONGEST_LINE = 100
POLL_SECONDS, BEGIN_SECONDS = 1.0, 5.0
# Of many commits together one look, and one message to others.
PAUSE_SECONDS = 0.05
# What a subscriber may make the others of his organisation wait, of each part that is read.
PATIENCE_SECONDS = 1.0
log = logging.getLogger("guanxi.live")


class TooSlow(Exception):
    """The subscriber was dropped."""


class Stopping(Exception):
    """The server stops: ask another, or again later."""


class Subscriber:
    """Hears of these customers of an organisation; None: of all. `dropped` is called when it is: it may be stuck
    elsewhere than in `next`."""

    def __init__(self, org_id: UUID, ids: Set[UUID] | None, dropped: Callable[[], None]) -> None:
        self.org_id, self._ids, self._dropped = org_id, ids, dropped
        self._line: deque[Change] = deque()
        self._came, self._left = asyncio.Event(), asyncio.Event()
        self._ended: type[Exception] | None = None

    async def next(self, seconds: float) -> Change | None:
        """The next change; None when none came for so long. Raises TooSlow or Stopping."""
        if not self._line and self._ended is None:
            self._came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), seconds)
        if self._ended is not None:
            raise self._ended
        if not self._line:
            return None
        self._left.set()
        return self._line.popleft()

    def wants(self, change: Change) -> bool:
        return self._ended is None and (self._ids is None or change.customer_id in self._ids)

    async def has_room(self, seconds: float) -> bool:
        """Whether there is room in its line, after so long at most."""
        if len(self._line) >= LONGEST_LINE and self._ended is None and seconds > 0:
            self._left.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), seconds)
        return len(self._line) < LONGEST_LINE

    def put(self, change: Change) -> None:
        self._line.append(change)
        self._came.set()

    def end(self, why: type[Exception]) -> None:
        self._ended = why
        self._line.clear()
        self._came.set()
        self._left.set()
        self._dropped()


class _Feed:
    """What one organisation's subscribers are told."""

    def __init__(self, live: "Live", org_id: UUID) -> None:
        self._live, self._org_id = live, org_id
        self.subscribers: set[Subscriber] = set()
        self.due = asyncio.Event()
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._go())

    async def _go(self) -> None:
        place = None
        while True:
            try:
                if place is None:
                    place = await self._live.outbox.now(self._org_id)
                    if not self.begun.done():
                        self.begun.set_result(None)
                self.due.clear()
                changes, after = await self._live.outbox.after(self._org_id, place)
                await self._hand_out(changes)
                place = after
            except Exception as failure:  # noqa: BLE001 - it goes on where it stopped
                log.error("reading the outbox failed: %s", type(failure).__name__)
                await self._live.outbox.close()
                await asyncio.sleep(POLL_SECONDS)
                continue
            if len(changes) < AT_ONCE:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.due.wait(), POLL_SECONDS)

    async def _hand_out(self, changes: list[Change]) -> None:
        if changes:
            late = (datetime.now(UTC) - min(each.at for each in changes)).total_seconds()
            self._live.lag = max(self._live.lag, late)
        waited: dict[Subscriber, float] = {}
        for change in changes:
            for each in [each for each in self.subscribers if each.wants(change)]:
                began = time.monotonic()
                if not await each.has_room(PATIENCE_SECONDS - waited.get(each, 0.0)):
                    self.subscribers.discard(each)
                    each.end(TooSlow)
                    continue
                waited[each] = waited.get(each, 0.0) + time.monotonic() - began
                each.put(change)
            await asyncio.sleep(0)


class Live:
    """The subscribers of this process to one database. `lag`: how late they heard at the most, in seconds; who
    reads it sets it back."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self.outbox = outbox_of(url, self._heard)
        self._feeds: dict[UUID, _Feed] = {}
        self._committed: set[UUID] = set()
        self._something: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._teller: asyncio.Task[None] | None = None
        self.stopping = False
        self.lag = 0.0

    @property
    def subscribers(self) -> int:
        return sum(len(feed.subscribers) for feed in self._feeds.values())

    def start(self) -> None:
        """Hear of what this process commits, and tell others."""
        if self._teller is None:
            self._loop, self._something = asyncio.get_running_loop(), asyncio.Event()
            self._teller = asyncio.create_task(self._tell(self._something))
            listen(self._engine, self._was_committed)

    async def subscribe(
        self, org_id: UUID, ids: Set[UUID] | None = None, dropped: Callable[[], None] = lambda: None
    ) -> Subscriber:
        """Whatever is committed from now on will be heard. Raises Stopping."""
        if self.stopping:
            raise Stopping
        self.start()
        subscriber = Subscriber(org_id, ids, dropped)
        feed = self._feeds.get(org_id)
        if feed is None:
            feed = self._feeds[org_id] = _Feed(self, org_id)
        feed.subscribers.add(subscriber)
        try:
            await asyncio.wait_for(asyncio.shield(feed.begun), BEGIN_SECONDS)
        except BaseException as failure:
            self.unsubscribe(subscriber)
            if isinstance(failure, TimeoutError):
                raise Away from None
            raise
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        feed = self._feeds.get(subscriber.org_id)
        if feed is not None:
            feed.subscribers.discard(subscriber)
            if not feed.subscribers:
                del self._feeds[subscriber.org_id]
                feed.task.cancel()

    def stop(self) -> None:
        """Send everybody away, and take nobody any more."""
        self.stopping = True
        for feed in self._feeds.values():
            for each in list(feed.subscribers):
                each.end(Stopping)

    async def close(self) -> None:
        self.stop()
        listen(self._engine, None)
        tasks = [feed.task for feed in self._feeds.values()] + ([self._teller] if self._teller else [])
        self._feeds.clear()
        self._teller = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.outbox.close()

    # -------------------------------------------------------------- what was committed

    def _was_committed(self, org_id: UUID) -> None:
        """Called by the thread that did it. One that is in the set already will be looked at after this."""
        if org_id not in self._committed and self._loop is not None and self._something is not None:
            self._committed.add(org_id)
            with suppress(RuntimeError):  # the loop is closed: nobody listens
                self._loop.call_soon_threadsafe(self._something.set)

    async def _tell(self, something: asyncio.Event) -> None:
        while True:
            await something.wait()
            something.clear()
            orgs: list[UUID] = []
            while self._committed:
                orgs.append(self._committed.pop())
            for org_id in orgs:
                self._heard(org_id)
            try:
                await self.outbox.tell(orgs)
            except Exception as failure:  # noqa: BLE001 - others look by themselves
                log.error("telling of commits failed: %s", type(failure).__name__)
                await self.outbox.close()
            await asyncio.sleep(PAUSE_SECONDS)

    def _heard(self, org_id: UUID | None) -> None:
        for key, feed in self._feeds.items():
            if org_id is None or key == org_id:
                feed.due.set()
