"""Whether what failed is the database: gone, starting, full or without a connection to spare. Nothing is wrong then
with what was asked, and it may be asked again.

Of a change that was being committed nobody knows whether it was done. That is said, for only whoever sent an
idempotency key with it can safely send it again.
"""

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneToSpare

from app.platform.piped import Failed

# Of SQLSTATE: no connection, no room or memory, stopped or starting, the disk; and a transaction that was undone while
# its server stood still.
_CLASSES = ("08", "53", "57P", "58", "25P03")
_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


class Away(Exception):
    """The database cannot be used now. `unknown`: whether it has done what it was told last is not known."""

    def __init__(self, *, unknown: bool = False) -> None:
        super().__init__("The database is away.")
        self.unknown = unknown


def away(failure: BaseException | None) -> Away | None:
    """What a failure says of the database, if it is about that."""
    if isinstance(failure, Away):
        return failure
    return Away() if _is_away(failure) else None


def _is_away(failure: BaseException | None) -> bool:
    match failure:
        case DBAPIError():
            return failure.connection_invalidated or _is_away(failure.orig)
        case NoneToSpare():
            return True
        case sqlite3.Error():
            return (getattr(failure, "sqlite_errorcode", 0) & 0xFF) in _SQLITE
        case psycopg.Error():
            # The driver's own words for a connection that was cut have no state.
            lost = failure.sqlstate is None and isinstance(failure, psycopg.OperationalError)
            return lost or _says_so(failure.sqlstate)
        case Failed():
            return _says_so(failure.state)
    return False


def _says_so(state: str | None) -> bool:
    return state is not None and state.startswith(_CLASSES)
