"""Kinds of values: how each is compared, bound as a parameter and written as JSON."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, case
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words
from app.query import sql
from app.query.fact import constant


@dataclass(frozen=True)
class Kind:
    """The name is that of its filter."""

    name: str

    @property
    def type(self) -> TypeEngine[Any]:
        return BigInteger()

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        """As it reads in a sentence; unknown stays unknown."""
        return sql.whole_text(value)

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        """JSON text, as parts of a template."""
        return [sql.or_null(self.text(value), nullable)]


def _quoted(value: ColumnElement[str], nullable: bool) -> list[str | ColumnElement[Any]]:
    # Only for text that needs no escape: ids, enums, numbers, days.
    if not nullable:
        return ['"', value, '"']
    return [sql.Quoted(value)]


@dataclass(frozen=True)
class Text(Kind):
    name: str = "Text"

    @property
    def type(self) -> TypeEngine[Any]:
        return Words()

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return value

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return [sql.JsonString(value)]


@dataclass(frozen=True)
class Plain(Text):
    """Text that needs no escape: codes, languages, telephone numbers, email addresses."""

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(value, nullable)


@dataclass(frozen=True)
class Raw(Text):
    """Text that is JSON already."""

    name: str = "Raw"

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return [sql.or_null(value, nullable)]


@dataclass(frozen=True)
class Id(Kind):
    """A key; printed with its prefix and, below an asOf, with the instant (the compiler adds that), unless it is to
    stay `live`."""

    name: str = "Id"
    prefix: str = ""
    live: bool = False

    @property
    def type(self) -> TypeEngine[Any]:
        return Key()


@dataclass(frozen=True)
class Name(Kind):
    """An enumeration whose names are stored."""

    name: str = "Enum"
    enum: type[Enum] = Enum

    @property
    def type(self) -> TypeEngine[Any]:
        return Words()

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return value

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(value, nullable)


@dataclass(frozen=True)
class Position(Kind):
    """An enumeration computed as the position of its name, so that it sorts by meaning."""

    name: str = "Enum"
    enum: type[Enum] = Enum

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return case({constant(n): sql.text(member.name) for n, member in enumerate(self.enum)}, value=value)

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(self.text(value), nullable)

    def of(self, name: str) -> int:
        return list(self.enum.__members__).index(name)


@dataclass(frozen=True)
class Whole(Kind):
    name: str = "Int"


@dataclass(frozen=True)
class Code(Kind):
    """A whole number that is a code, and so is told as text."""

    name: str = "String"

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(self.text(value), nullable)


@dataclass(frozen=True)
class Flag(Kind):
    name: str = "Boolean"

    @property
    def type(self) -> TypeEngine[Any]:
        return Boolean()

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sql.flag_text(value)


@dataclass(frozen=True)
class Fixed(Kind):
    """A number kept as a whole number of 10^-decimals and printed as a floating one."""

    name: str = "Float"
    decimals: int = 4

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sql.trimmed(value, self.decimals, keep_one=True)


@dataclass(frozen=True)
class Exact(Kind):
    """The same, printed as a decimal string."""

    name: str = "Decimal"
    decimals: int = 6

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sql.trimmed(value, self.decimals, keep_one=False)

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(self.text(value), nullable)


@dataclass(frozen=True)
class Day(Kind):
    name: str = "Date"

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sql.DayText(value)

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(self.text(value), nullable)


@dataclass(frozen=True)
class Moment(Kind):
    name: str = "DateTime"

    @property
    def type(self) -> TypeEngine[Any]:
        return Instant()

    def text(self, value: ColumnElement[Any]) -> ColumnElement[str]:
        return sql.InstantText(value)

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        return _quoted(self.text(value), nullable)


@dataclass(frozen=True)
class Minor(Kind):
    """Minor units of the reporting currency, whose decimals only the request knows; or of the row's own: the nodes
    of its decimals and of 10^decimals."""

    name: str = "Money"
    exponent: str | None = None
    unit: str | None = None

    def json(self, value: ColumnElement[Any], nullable: bool) -> list[str | ColumnElement[Any]]:
        raise TypeError("The compiler prints money: only it knows the decimals.")
