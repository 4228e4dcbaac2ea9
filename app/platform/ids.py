"""Public ids: three letters, an underscore, a UUIDv7 without dashes, and below an asOf the instant it was read at."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, SafeUUID

import uuid_utils

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Nobody asks how things stood before; a hundred years further back are still instants.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_SAFE = SafeUUID.unknown
# What UUID's own __setattr__ refuses.
_set_int, _set_is_safe = (vars(UUID)[name].__set__ for name in ("int", "is_safe"))
_FORM = re.compile(r"([a-z]{3})_([0-9a-f]{32})(?:@(-?[0-9]{1,18}))?", re.ASCII)


def new_id() -> UUID:
    """A UUIDv7: made here, not by the database, and in order of creation."""
    return numbered(uuid_utils.uuid7().int)


def numbered(number: int) -> UUID:
    """A key, as UUID makes it of a number, without looking which of its six ways it was given."""
    key = object.__new__(UUID)
    _set_int(key, number)
    _set_is_safe(key, _SAFE)
    return key


def public_id(prefix: str, key: UUID) -> str:
    """A live id as clients hold it."""
    return f"{prefix}_{key.int:032x}"


def microseconds(instant: datetime) -> int:
    """Since 1970, as whole numbers: what ids and cursors carry."""
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class PublicId(NamedTuple):
    """An id as clients hold it. `at`: the instant of the asOf it was read under."""

    prefix: str
    key: UUID
    at: datetime | None = None

    def __str__(self) -> str:
        return public_id(self.prefix, self.key) + (f"@{microseconds(self.at)}" if self.at else "")

    @classmethod
    def parse(cls, text: str) -> "PublicId | None":
        """None for anything that we cannot have issued."""
        found = _FORM.fullmatch(text)
        if not found:
            return None
        prefix, key, at = found.groups()
        try:
            instant = EPOCH + timedelta(microseconds=int(at)) if at else None
        except OverflowError:
            return None
        return cls(prefix, UUID(hex=key), instant) if instant is None or instant >= EARLIEST else None


def digits_of(text: str, prefix: str) -> str | None:
    """The row behind a live id of that kind, as both databases take a key; None for malformed, another kind's, or one
    that carries an instant."""
    found = _FORM.fullmatch(text)
    return found[2] if found and found[1] == prefix and not found[3] else None


def key_within(text: str, prefix: str) -> UUID:
    """The row behind a live id that we made ourselves. Raises ValueError for one of another kind."""
    if not text.startswith(prefix):
        raise ValueError(f"An id of {prefix} was meant, and not {text}.")
    return numbered(int(text[4:], 16))


def key_of(text: str, prefix: str) -> UUID | None:
    """The same as a key."""
    digits = digits_of(text, prefix)
    return None if digits is None else numbered(int(digits, 16))
