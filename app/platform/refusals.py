"""An expected no: what the caller could mend, as one exception that carries every problem at once.

    Refused                     problems of the input; nothing was done
    Forbidden                   the key lacks a scope
    Unauthenticated             no key, an unknown or a revoked one
    BadInput                    a request that cannot be asked (a foreign cursor, a page of 0)
    OperatorError               a command line that could not do what it was told; one plain sentence

Anything else that is raised is a bug and stays an exception.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """What a program can test in a refusal."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    AMBIGUOUS = "AMBIGUOUS"
    TAKEN = "TAKEN"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    STALE_VERSION = "STALE_VERSION"
    WRONG_STATE = "WRONG_STATE"
    ARCHIVED = "ARCHIVED"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    NO_CONSENT = "NO_CONSENT"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    RESERVATION_CLOSED = "RESERVATION_CLOSED"
    EXCEEDS_RESERVATION = "EXCEEDS_RESERVATION"
    EXCEEDS_REDEMPTION = "EXCEEDS_REDEMPTION"
    EXCEEDS_PURCHASE = "EXCEEDS_PURCHASE"
    IDEMPOTENCY_KEY_REQUIRED = "IDEMPOTENCY_KEY_REQUIRED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `path` leads into the arguments in snake_case; `node` is the public id of what stands in
    the way; of points `needed` and `available`."""

    code: Code
    message: str
    path: Path = ()
    node: str | None = None
    needed: int | None = None
    available: int | None = None

    def under(self, *prefix: str | int) -> "Problem":
        return replace(self, path=(*prefix, *self.path))


class Refused(Exception):
    """Nothing was done, for these reasons."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class Forbidden(Exception):
    """The key may not do this."""


class Unauthenticated(Exception):
    """Nobody we know is asking."""


class BadInput(Exception):
    """The question itself is wrong; it is refused before anything runs."""


class OperatorError(Exception):
    """A command could not do what it was told."""


@dataclass
class Problems:
    """Gathers what is wrong, so that the caller hears all of it at once."""

    found: list[Problem] = field(default_factory=list)
    prefix: Path = ()

    def add(self, code: Code, message: str, *path: str | int, node: str | None = None) -> None:
        self.found.append(Problem(code, message, (*self.prefix, *path), node))

    def extend(self, problems: Iterable[Problem]) -> None:
        self.found.extend(problem.under(*self.prefix) for problem in problems)

    def under(self, *path: str | int) -> "Problems":
        """The same gathering, one step deeper in the arguments."""
        return Problems(self.found, (*self.prefix, *path))

    @contextmanager
    def gathering(self, *path: str | int) -> Iterator[None]:
        """What is refused inside is gathered here instead of ending the check."""
        try:
            yield
        except Refused as refused:
            self.under(*path).extend(refused.problems)

    def stop(self) -> None:
        """Refuse now if anything was found."""
        if self.found:
            raise Refused(*self.found)

    def __bool__(self) -> bool:
        return bool(self.found)


def refuse(code: Code, message: str, *path: str | int, node: str | None = None) -> Any:
    raise Refused(Problem(code, message, path, node))
