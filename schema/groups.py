"""customerGroups: any set of dimensions, one row per combination that occurs."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLObjectType, get_named_type

from app.platform.refusals import BadInput
from app.query import question as q
from schema.enums import OrderDirection, described, named_enum
from schema.filters import paths, say_paths
from schema.given import where_of
from schema.node import Money
from schema.plan import Planner, with_archived
from schema.scalars import Decimal
from schema.selection import Selected
from schema.types import Customer

MOST_GROUPS = 1_000


class CustomerGroupOrderField(Enum):
    KEYS = "KEYS"
    COUNT = "COUNT"
    FACTS_NET = "FACTS_NET"


described(
    CustomerGroupOrderField,
    "What groups can be sorted by.",
    KEYS="Their keys, in the order of by.",
    COUNT="How many they are.",
    FACTS_NET="Their net.",
)

DIMENSIONS = paths(Customer, "group")
MEASURES = paths(Customer, "average")
_members = named_enum("CustomerDimension", DIMENSIONS)
CustomerDimension: Any = strawberry.enum(
    _members, description="What customers can be grouped by: each is the path that selects it."
)
say_paths(CustomerDimension, Customer, "group")


def _made(name: str, fields: dict[str, tuple[Any, str]], description: str) -> type:
    body: dict[str, Any] = {key: strawberry.field(description=said) for key, (_, said) in fields.items()}
    annotations = {key: type_ for key, (type_, _) in fields.items()}
    return strawberry.type(
        type(name, (), {"__module__": __name__, "__annotations__": annotations, **body}), description=description
    )


def _type_of(value: Any) -> Any:
    return getattr(value.kind, "enum", str) | None


CustomerMeasures = _made(
    "CustomerMeasures",
    {
        name.lower(): (
            (Decimal if value.kind.name == "Money" else float) | None,
            f"Of {name.lower().replace('_', ' ')}.",
        )
        for name, value in MEASURES.items()
    },
    "Over the members for whom it is known; null when for none. Averages are rounded half away from zero, those of whole numbers to four decimals.",
)
CustomerGroup = _made(
    "CustomerGroup",
    {
        name.lower(): (_type_of(value), "The key; null is unknown, or none, or not asked for.")
        for name, value in DIMENSIONS.items()
    }
    | {
        "count": (int, "How many customers."),
        "facts_net": (Money, "The sum of their net."),
        "avg": (CustomerMeasures, "Means."),
        "min": (CustomerMeasures, "The least."),
        "max": (CustomerMeasures, "The greatest."),
    },
    "One combination of keys. A key that was asked for and is null is unknown, or none; keys that were not asked for are null.",
)


@strawberry.type(
    description="The groups, at most 1,000; all is the row over everyone asked about, groups left out included."
)
class CustomerGroups:
    rows: list[CustomerGroup] = strawberry.field(description="One a combination that occurs; none without a dimension.")  # type: ignore[valid-type]
    all: CustomerGroup = strawberry.field(description="Over everyone asked about.")  # type: ignore[valid-type]
    complete: bool = strawberry.field(description="Whether rows holds every group.")


@strawberry.input(description="A sort key of groups; ties are broken by the keys.")
class CustomerGroupOrder:
    field: CustomerGroupOrderField = strawberry.field(description="The sort key.")
    direction: OrderDirection = strawberry.field(description="ASC unless said.", default=OrderDirection.ASC)


_ORDERS = {"KEYS": "keys", "COUNT": "count", "FACTS_NET": "sum.net_minor"}


def groups(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Mapping[str, Any]) -> q.Question:
    """One statement for rows and all."""
    planner.set_as_of(given.get("asOf"))
    size = given.get("first")
    size = MOST_GROUPS if size is None else size
    if not 1 <= size <= MOST_GROUPS:
        raise BadInput(f"first is 1 to {MOST_GROUPS:,}.")
    keys = tuple(dict.fromkeys(DIMENSIONS[each.name].node for each in given["by"]))
    where = given.get("where")
    test = where_of(Customer, where, f"{selected.key}_where", planner.values) if where is not None else None
    orders = tuple(
        q.Order(_ORDERS[each["field"].name], each["direction"].name == "DESC") for each in given.get("orderBy") or ()
    )
    fields = planner.walked(
        selected.key, lambda: [_field(planner, each, of) for each in planner.below(selected.nodes, of)]
    )
    planner.values.put("groups_size", size)
    test = with_archived(given["archived"].name, test)
    return q.Groups("customer", keys, fields, orders, test, planner.clock)


def _field(planner: Planner, selected: Selected, of: GraphQLObjectType) -> q.Told:
    if selected.name in ("rows", "all"):
        inner: Any = get_named_type(of.fields[selected.name].type)
        below = planner.below(selected.nodes, inner)
        return q.Told(selected.key, selected.name, tuple(_leaf(planner, each, inner) for each in below))
    return q.Told(selected.key, of.name if selected.name == "__typename" else selected.name)


def _leaf(planner: Planner, selected: Selected, of: Any) -> q.Told:
    name = selected.name
    if name == "__typename":
        return q.Told(selected.key, of.name)
    if name == "count":
        return q.Told(selected.key, "count")
    inner: Any = get_named_type(of.fields[name].type)
    if name in ("avg", "min", "max"):
        return q.Told(
            selected.key, "object", tuple(_measure(name, each, inner) for each in planner.below(selected.nodes, inner))
        )
    if name == "factsNet":
        parts = {"amount": "sum.net_minor", "currency": "currency"}
        below = planner.below(selected.nodes, inner)
        return q.Told(
            selected.key, "object", tuple(q.Told(each.key, parts.get(each.name, inner.name)) for each in below)
        )
    return q.Told(selected.key, f"key:{DIMENSIONS[_upper(name)].node}")


def _measure(aggregate: str, selected: Selected, of: Any) -> q.Told:
    if selected.name == "__typename":
        return q.Told(selected.key, of.name)
    return q.Told(selected.key, f"{aggregate}.{MEASURES[_upper(selected.name)].node}")


def _upper(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()
