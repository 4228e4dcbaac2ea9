"""Filters at random, each with the obvious Python loop that says who passes.

The filters are those that the schema has; for every kind of comparison there is one slow sentence here of what it
means.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type

from schema.schema import graphql_schema
from tests.conftest import NOW
from tests.oracle.printing import instant_text
from tests.query.shop import ORG, Person, public

Says = Callable[[Any], bool]
Made = tuple[dict[str, Any], Says]
TODAY = NOW.astimezone(ORG.zone).date()
PARTS = (
    "",
    "e",
    "É",
    "é",
    "明",
    "小明",
    "%",
    "_",
    "%s",
    "\\",
    '"',
    "'",
    "s",
    "ss",
    "ß",
    "\n",
    "\u2028",
    "😀",
    "{0}",
    ":org",
    "A",
    "o'b",
    "fr",
    "Hans",
    "i̇",
    "+33",
    "x",
)


def where_of(name: str) -> dict[str, Any]:
    kind: Any = graphql_schema.type_map[name]
    return {key: get_named_type(field.type) for key, field in kind.fields.items()}


def plain_paths(name: str, prefix: str = "") -> dict[str, Any]:
    """The comparisons of a where type and of its parts, by path: the filter's type. Not those of related rows."""
    found: dict[str, Any] = {}
    for key, of in where_of(name).items():
        if key in ("AND", "OR", "NOT") or not isinstance(of, GraphQLInputObjectType):
            continue
        path = f"{prefix}.{key}" if prefix else key
        # Who belongs to a segment is asked in tests/segments.
        if of.name == "SegmentFilter":
            continue
        if of.name.endswith("Filter"):
            found[path] = of
        elif not {"AND", "some"} & set(of.fields) or of.name in ("ExternalRefWhere", "LoyaltyLevelWhere"):
            found |= plain_paths(of.name, path)
    return found


def nested(path: str, inner: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        inner = {key: inner}
    return inner  # type: ignore[no-any-return]


def fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def value_of(row: Any, path: str) -> Any:
    if path in ("id", "customerId"):
        return row.id if path == "id" else row.customer.id
    values = row.values
    return values[path] if path in values else values[f"{path}.amount"]


# ------------------------------------------------------------------ what each operator means


def compared(operator: str, value: Any, given: Any) -> bool:
    """Two-valued: nothing can be said to compare with what is unknown."""
    if operator == "isNull":
        return (value is None) is given
    if operator == "in":
        return value is not None and value in given
    if operator == "notIn":
        return not (value is not None and value in given)
    if value is None:
        return False
    return {
        "eq": lambda: value == given,
        "gte": lambda: value >= given,
        "gt": lambda: value > given,
        "lte": lambda: value <= given,
        "lt": lambda: value < given,
        "contains": lambda: fold(given) in fold(value),
        "startsWith": lambda: fold(value).startswith(fold(given)),
    }[operator]()


def within_days(value: Any, days: int, of: str) -> bool:
    if value is None:
        return False
    if of == "DateTimeFilter":
        return NOW - timedelta(days=days) <= datetime.fromisoformat(value) <= NOW
    return TODAY - timedelta(days=days) <= date.fromisoformat(value) <= TODAY


def has_birthday(birthday: str | None, days: int) -> bool:
    if birthday is None:
        return False
    born = date.fromisoformat(birthday)
    for ahead in range(days + 1):
        day = TODAY + timedelta(days=ahead)
        if (day.month, day.day) == (born.month, born.day):
            return True
        no_29th = (day + timedelta(days=1)).month == 3
        if (born.month, born.day) == (2, 29) and (day.month, day.day) == (2, 28) and no_29th:
            return True
    return False


# ------------------------------------------------------------------ filters at random


@dataclass
class Related:
    """A row together with the one it belongs to."""

    row: Any
    customer: Person

    @property
    def id(self) -> UUID:
        return self.row.id  # type: ignore[no-any-return]

    @property
    def values(self) -> dict[str, Any]:
        return self.row.values  # type: ignore[no-any-return]


class Filters:
    """Makes filters of these people. `leaves` is how many comparisons one may have."""

    def __init__(self, rng: Random, people: list[Person], strangers: Iterable[UUID] = (), leaves: int = 24) -> None:
        self.rng, self.people, self.leaves = rng, people, leaves
        self.strangers = list(strangers) or [UUID(int=1)]
        self.pool: dict[str, list[Any]] = {
            "Customer": list(people),
            "Touchpoint": [row for person in people for row in touches_of(person)],
            "Purchase": [row for person in people for row in purchases_of(person)],
            "Consent": [row for person in people for row in words_of(person)],
            "LoyaltyAccount": [row for person in people for row in accounts_of(person)],
            "ExternalRef": [row for person in people for row in refs_of(person)],
            "PurchaseLine": [row for person in people for bought in purchases_of(person) for row in lines_of(bought)],
        }

    def where(self, of: str = "Customer", depth: int = 5) -> Made:
        """One where object, which itself counts as one of `depth`."""
        rng = self.rng
        made = [self._one(of, depth) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)) if depth < 5 else rng.randint(1, 3))]
        given: dict[str, Any] = {}
        says: list[Says] = []
        for one, said in made:
            if not set(_leaves(one)) & set(_leaves(given)) and not set(one) & set(given):
                given |= one
                says.append(said)
        return given, lambda row: all(said(row) for said in says)

    def _one(self, of: str, depth: int) -> Made:
        hops = RELATED[of] if depth > 1 else {}
        choice = self.rng.random()
        if depth > 1 and choice < 0.45:
            return self._logic(of, depth)
        if hops and choice < 0.65:
            return self._related(self.rng.choice(list(hops)), of, depth)
        return self.leaf(of)

    def _logic(self, of: str, depth: int) -> Made:
        key = self.rng.choice(("AND", "OR", "NOT"))
        if key == "NOT":
            given, says = self.where(of, depth - 1)
            return {"NOT": given}, lambda row: not says(row)
        made = [self.where(of, depth - 1) for _ in range(self.rng.choice((0, 1, 2, 2, 3)))]
        every = all if key == "AND" else any
        return {key: [given for given, _ in made]}, lambda row: every(says(row) for _, says in made)

    def _related(self, key: str, of: str, depth: int) -> Made:
        target, rows = RELATED[of][key]
        given, says = self.where(target, depth - 1)
        if key == "customer":
            return {key: given}, lambda row: says(row.customer)
        if self.rng.random() < 0.5:
            return {key: {"some": given}}, lambda row: any(says(each) for each in rows(row))
        return {key: {"none": given}}, lambda row: not any(says(each) for each in rows(row))

    def leaf(self, of: str) -> Made:
        paths = plain_paths(f"{of}Where")
        if of == "Customer" and self.rng.random() < 0.08:
            return self._birthday()
        path = self.rng.choice(list(paths))
        return self.comparison(of, path, paths[path], self.rng.choice(list(paths[path].fields)))

    def _birthday(self) -> Made:
        days = self.rng.choice((0, 1, 30, 257, 258, 259, 366))
        return {"birthdayInDays": days}, lambda row: has_birthday(row.values["birthday"], days)

    def comparison(self, of: str, path: str, filter_type: Any, operator: str) -> Made:
        """One comparison of one path; thresholds are mostly values that occur."""
        self.leaves -= 1
        if self.leaves < 0:
            return {}, lambda _: True
        said, given = self._given(of, path, filter_type, operator)
        if operator == "withinDays":
            return nested(path, {operator: given}), lambda row: within_days(
                value_of(row, path), given, filter_type.name
            )
        if filter_type.name == "DecimalFilter":
            exact = None if operator == "isNull" else Decimal(given)

            def says(row: Any) -> bool:
                value = value_of(row, path)
                return compared(operator, value if value is None else Decimal(value), given if exact is None else exact)

            return nested(path, {operator: given}), says
        return nested(path, {operator: said}), lambda row: compared(operator, value_of(row, path), given)

    def _given(self, of: str, path: str, filter_type: Any, operator: str) -> tuple[Any, Any]:
        """As it is sent, and as it is compared."""
        rng = self.rng
        if operator == "isNull":
            unknown = rng.random() < 0.5
            return unknown, unknown
        if operator == "withinDays":
            days = rng.choice((0, 1, 30, 90, 400, 36_500))
            return days, days
        if operator in ("contains", "startsWith"):
            part = rng.choice(PARTS)
            return part, part
        if operator in ("in", "notIn"):
            made = [self._value(of, path, filter_type) for _ in range(rng.choice((0, 1, 2, 5)))]
            return [said for said, _ in made], [given for _, given in made]
        return self._value(of, path, filter_type)

    def _value(self, of: str, path: str, filter_type: Any) -> tuple[Any, Any]:
        rng = self.rng
        if filter_type.name == "IDFilter":
            return self._id(of, path)
        element = get_named_type(filter_type.fields["eq"].type) if "eq" in filter_type.fields else None
        if isinstance(element, GraphQLEnumType):
            name = rng.choice(list(element.values))
            return name, name
        occurring = [value for value in (value_of(row, path) for row in self.pool[of]) if value is not None]
        value = rng.choice(occurring) if occurring else None
        match filter_type.name:
            case "BooleanFilter":
                said: Any = rng.random() < 0.5
            case "IntFilter" | "SafeIntFilter":
                said = (value or 0) + rng.choice((0, 0, 0, 1, -1, 2**31 - 1 - (value or 0)))
            case "FloatFilter":
                said = rng.choice(
                    (value or 0.0, (value or 0) + 0.00001, (value or 0) - 1e-9, 0.5, 72.5, -1e300, 1e300, 0)
                )
            case "DecimalFilter":
                known = Decimal(value or 0)
                said = f"{rng.choice((known, known + Decimal('0.001'), Decimal('-1e-12'), Decimal(10**20 - 1))):f}"
            case "DateTimeFilter":
                at = datetime.fromisoformat(value) if value else NOW
                at += rng.choice((timedelta(), timedelta(), timedelta(microseconds=1), -timedelta(days=3)))
                said = instant_text(at)
            case "DateFilter":
                day = date.fromisoformat(value) if value else TODAY
                said = (day + timedelta(days=rng.choice((0, 0, 1, -1)))).isoformat()
            case _:
                said = rng.choice((value or "", (value or "").swapcase(), (value or "x")[:1], "no such", "%", ""))
        return said, said

    def _id(self, of: str, path: str) -> tuple[str, Any]:
        """Somebody's, sometimes as it was read at an instant; nobody's; another type's; next door's; or nothing of
        ours."""
        prefix = {"customerId": "cus", "programId": "lpr", "campaignId": "cam"}.get(path) or PREFIXES[of]
        key = value_of(self.rng.choice(self.pool[of]), path) or self.strangers[0]
        return self.rng.choice(
            (
                (public(prefix, key), key),
                (public(prefix, key), key),
                (f"{public(prefix, key)}@1700000000000000", key),
                (public(prefix, UUID(int=5)), None),
                (public("pol", key), None),
                (public(prefix, self.rng.choice(self.strangers)), None),
                (self.rng.choice(("", "x", "' OR 1=1 --", f"{prefix}_{key}", public(prefix, key).upper())), None),
            )
        )


def _leaves(given: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in given.items():
        here = f"{prefix}.{key}"
        found += [
            here,
            *(_leaves(value, here) if isinstance(value, dict) and key not in ("NOT", "some", "none") else ()),
        ]
    return found


def touches_of(person: Person) -> list[Related]:
    return [Related(row, person) for row in person.shown]


def purchases_of(person: Person) -> list[Related]:
    return [Related(row, person) for row in person.purchases]


def accounts_of(person: Person) -> list[Related]:
    return [Related(row, person) for row in person.books]


def words_of(person: Person) -> list[Related]:
    return [Related(row, person) for row in person.last_words]


@dataclass
class Valued:
    values: dict[str, Any]


def refs_of(person: Person) -> list[Valued]:
    return [Valued(dict(ref)) for ref in person.refs]


def lines_of(bought: Related) -> list[Valued]:
    return [Valued({key: line[key] for key in ("sku", "name", "category")}) for line in bought.row.lines]


RELATED: dict[str, dict[str, tuple[str, Any]]] = {
    "Customer": {
        "touchpoints": ("Touchpoint", touches_of),
        "purchases": ("Purchase", purchases_of),
        "consents": ("Consent", words_of),
        "loyaltyAccounts": ("LoyaltyAccount", accounts_of),
        "externalRefs": ("ExternalRef", refs_of),
    },
    "Touchpoint": {"customer": ("Customer", None)},
    "Purchase": {"customer": ("Customer", None), "lines": ("PurchaseLine", lines_of)},
    "LoyaltyAccount": {"customer": ("Customer", None)},
    "Consent": {},
    "ExternalRef": {},
    "PurchaseLine": {},
}
PREFIXES = {"Customer": "cus", "Touchpoint": "tou", "Purchase": "pur", "Consent": "con", "LoyaltyAccount": "acc"}
