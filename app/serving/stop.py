"""A server that is told to stop says so first, goes on answering for a while, and only then closes its door.

While it says so, whoever balances load takes it from his list, and each answer asks its client to come over another
connection. Then no new connection is taken; what was taken and has not asked yet is waited for a moment, so that
nobody finds the door shut in the midst of a request. A worker whose parent was killed is told by nobody: it stops by
itself, at once, since whoever takes the parent's place wants its port.
"""

import asyncio
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# A connection that was taken has sent its request by then.
TAKEN_SECONDS = 0.3
log = logging.getLogger("guanxi.server")


@contextmanager
def told_to_stop(stop: Callable[[], None], notice: float) -> Iterator[None]:
    """Have it called when the server is told to stop, and let it stop `notice` seconds later: it waits for what is
    open, and only then ends the lifespan. Ctrl+C waits for nobody, nor does being told twice, nor the loss of whoever
    would tell."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), dict[int, Any]()
    told_before = False

    def told(number: int, frame: Any) -> None:
        nonlocal told_before
        loop.call_soon_threadsafe(stop)
        if number == signal.SIGTERM and notice and not told_before:
            told_before = True
            loop.call_soon_threadsafe(loop.call_later, notice, _shut, before[number])
            loop.call_soon_threadsafe(loop.call_later, notice + TAKEN_SECONDS, before[number], number, None)
        else:
            before[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        # Where nobody stops gracefully there is nothing to add.
        if callable(handler):
            before[number] = handler
            signal.signal(number, told)
    parent = multiprocessing.parent_process()
    end_of_parent = parent.sentinel if parent is not None else None

    def alone(end: int) -> None:
        loop.remove_reader(end)
        log.warning("the process that started this worker is gone: it stops")
        stop()
        before[signal.SIGTERM](signal.SIGTERM, None)

    if end_of_parent is not None and signal.SIGTERM in before:
        loop.add_reader(end_of_parent, alone, end_of_parent)
    try:
        yield
    finally:
        if end_of_parent is not None:
            loop.remove_reader(end_of_parent)
        for each, handler in before.items():
            if signal.getsignal(each) is told:
                signal.signal(each, handler)


def _shut(handler: Any) -> None:
    """Take no new connection. The handler is uvicorn's, of the server that listens."""
    for listening in getattr(getattr(handler, "__self__", None), "servers", ()):
        listening.close()


def leaving(send: Any) -> Any:
    """Answers that ask the client to come over another connection."""

    async def said(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return said
