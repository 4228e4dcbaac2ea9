"""The metric catalogue: made from the measures, and from where the schema shows them."""

import re
from functools import lru_cache
from typing import Any

import strawberry
from graphql import get_named_type

from app.query.measure import Measure
from schema.errors import camel
from schema.fields import Money, PartOf, Value, source_of
from schema.groups import CustomerDimension
from schema.types import CustomerOrderField


@strawberry.type(description="One measure, and how it may be selected, filtered, sorted and grouped by.")
class Metric:
    key: str = strawberry.field(description="Its name: the path below Customer.")
    name: str = strawberry.field(description="For people.")
    source_term: str | None = strawberry.field(description="The term of the Chinese source texts, where they have one.")
    definition: str = strawberry.field(description="How it is computed, in words; thresholds by their names in Policy.")
    unit: str | None = strawberry.field(description="What it is counted in, if in anything.")
    facts: list[str] = strawberry.field(
        description="The stored facts that it rests on, as selected where they are shown."
    )
    rules: list[str] = strawberry.field(description="The ids of the rules that may decide it.")
    selected_as: str = strawberry.field(description="The path below Customer.")
    filtered_as: str | None = strawberry.field(description="The path in CustomerWhere.")
    ordered_as: CustomerOrderField | None = strawberry.field(description="The sort key.")
    grouped_as: CustomerDimension | None = strawberry.field(description="The dimension of customerGroups.")


Metric.by_name = True  # type: ignore[attr-defined]


@lru_cache(maxsize=4)
def catalogue(schema: Any) -> list[dict[str, Any]]:
    """Every measure that Customer shows, in the order of its fields."""
    shown = _shown(schema.type_map["Customer"], ())
    paths = {value.node: ".".join(path) for path, value in shown}
    return [
        _metric(path, value, value.measure, paths)
        for path, value in shown
        if value.measure is not None and value.measure.catalogued
    ]


def _shown(of: Any, prefix: tuple[str, ...]) -> list[tuple[tuple[str, ...], Value]]:
    found: list[tuple[tuple[str, ...], Value]] = []
    for name, field in of.fields.items():
        source, path = source_of(field), (*prefix, name)
        if isinstance(source, Money):
            found.append((path, source.value))
        elif isinstance(source, Value):
            found.append((path, source))
        elif isinstance(source, PartOf):
            found += _shown(get_named_type(field.type), path)
    return found


def _metric(path: tuple[str, ...], value: Value, measure: Measure, paths: dict[str, str]) -> dict[str, Any]:
    dotted = ".".join(path)
    constant = "_".join(
        "".join(f"_{letter}" if letter.isupper() else letter for letter in part) for part in path
    ).upper()
    return {
        "key": dotted,
        "name": measure.name,
        "source_term": measure.term,
        "definition": measure.definition,
        "unit": measure.unit,
        "facts": sorted({paths.get(fact) or _named(fact) for fact in measure.shape.facts_of(measure.key)}),
        "rules": measure.rule_ids(),
        "selected_as": dotted,
        "filtered_as": dotted if value.filter else None,
        "ordered_as": constant if value.sort else None,
        "grouped_as": constant if value.group else None,
    }


def _named(fact: str) -> str:
    """A fact that is not shown by itself: inbound_1 to inbound_6 are the days of inbound."""
    return camel(re.sub(r"_\d$", "", fact))
