"""A filter that is kept: as the JSON that was given, and from that JSON what the planner is given of any other filter.

    text = input_json(type_, coerced)                         to be stored; `plain` hands an action each where so
    test = where_of(Customer, where_from_json(text), path, values)

What is stored names fields as the API does, so a measure that appears later needs nothing here.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from graphql import GraphQLInputObjectType, GraphQLList, Undefined, get_nullable_type
from graphql.utilities import coerce_input_value

from app.platform.database import instant_text
from app.platform.refusals import BadInput

CUSTOMERS = "CustomerWhere"
# The finished schema's types: it is made of those who import this, and says here what they are.
types: dict[str, Any] = {}


def input_json(type_: Any, coerced: Any) -> str:
    """An input as it was given: GraphQL names, enums by name, instants in UTC; nothing that was left out."""
    return orjson.dumps(_given(type_, coerced)).decode()


def where_from_json(text: str) -> Mapping[str, Any]:
    """A stored filter of customers as graphql-core coerces one that is sent. Raises BadInput for what is none (any
    more)."""
    return where_from(orjson.loads(text))


def where_from(given: Any) -> Mapping[str, Any]:
    """The same of what the JSON says."""
    found = coerce_input_value(given, types[CUSTOMERS])
    if found is Undefined or found is None:
        raise BadInput("This stored filter cannot be asked any more.")
    return found  # type: ignore[no-any-return]


def is_where(type_: Any) -> bool:
    """Whether such an input is a filter of customers, which is stored whole."""
    return bool(type_.name == CUSTOMERS)


def _given(type_: Any, value: Any) -> Any:
    type_ = get_nullable_type(type_)
    if value is None:
        return None
    if isinstance(type_, GraphQLList):
        return [_given(type_.of_type, each) for each in value]
    if isinstance(type_, GraphQLInputObjectType):
        fields = type_.fields
        return {name: _given(fields[name].type, each) for name, each in value.items()}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case Enum():
            return value.name
        case dt.datetime():
            return instant_text(value)
        case dt.date():
            return value.isoformat()
        case Decimal():
            # Never with an exponent, which a Decimal is not written with.
            return format(value, "f")
        case _:
            return value
