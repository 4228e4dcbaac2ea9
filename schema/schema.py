"""The schema, finished: types from strawberry, and for each field where its value is found."""

from typing import Any

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_introspection_type,
)
from graphql.utilities.print_schema import print_schema_definition
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from app.customers.measures import customers
from app.policy.tables import Policy as PolicyTable
from app.purchases.measures import purchases
from app.query.shape import Shape
from app.query.statement import World
from app.touchpoints.measures import touchpoints
from schema import stored
from schema.about import ABOUT
from schema.changes import Subscription
from schema.computed import resolver
from schema.coverage import covered
from schema.errors import InputError, InsufficientPointsError, StaleVersionError, TakenError, UserError
from schema.fields import Computed, Further, source_of
from schema.given import snake
from schema.mutation import idempotent
from schema.mutations import Mutation
from schema.plan import python_class
from schema.queries import Query
from schema.scalars import SCALARS

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[InputError, TakenError, StaleVersionError, InsufficientPointsError],
    directives=[idempotent],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[lambda: ParserCache(maxsize=1000), lambda: ValidationCache(maxsize=1000)],
)


def _by_key(row: Any, info: Any, **_: Any) -> Any:
    """The statement's JSON uses the response keys."""
    return row[info.path.key]


def _by_name(row: Any, info: Any, **_: Any) -> Any:
    """What a mutation or the request itself answers is told by name."""
    return row.get(snake(info.field_name), row.get(info.field_name, _EMPTY.get(info.field_name)))


# What a refused mutation says besides its userErrors.
_EMPTY = dict.fromkeys(
    ("created", "updated", "unchanged", "recorded", "alreadyRecorded", "refused", "notAttempted"), 0
) | {
    "rows": [],
    "outcome": "REFUSED",
}


def _finish(graphql: GraphQLSchema) -> None:
    """Let rows be dictionaries: each field finds its value there, unless it resolves itself."""
    roots = {graphql.query_type, graphql.mutation_type, graphql.subscription_type}
    for of in graphql.type_map.values():
        if isinstance(of, GraphQLInputObjectType) and python_class(of).__strawberry_definition__.is_one_of:
            # Strawberry leaves it to a rule of its own; graphql-core then refuses a document before it runs.
            of.is_one_of = True
        if isinstance(of, GraphQLInterfaceType):
            of.resolve_type = getattr(python_class(of), "resolve_type", None)
        if not isinstance(of, GraphQLObjectType) or is_introspection_type(of) or of in roots:
            continue
        of.is_type_of = None
        cls = python_class(of)
        by_name = getattr(cls, "by_name", False) or issubclass(cls, UserError)
        for field in of.fields.values():
            definition = field.extensions["strawberry-definition"]
            if by_name and definition.base_resolver is None:
                field.resolve = _by_name
            elif isinstance(source := source_of(field), Computed):
                field.resolve = resolver(source, get_named_type(field.type))
            elif not by_name and not isinstance(source, Further):
                field.resolve = _by_key


graphql_schema: GraphQLSchema = schema._schema
graphql_schema.description = ABOUT.strip()
_finish(graphql_schema)
# What happened is handed over as the root of the answer that tells of it.
for _told in graphql_schema.subscription_type.fields.values():  # type: ignore[union-attr]
    _told.resolve = lambda root, _info, **_: root
stored.types.update(graphql_schema.type_map)
# What each part of it needs of a key; a part of which nobody said so is no part of a schema.
coverage = covered(graphql_schema)


def contract() -> str:
    """Its text. Strawberry would leave out what it says of itself."""
    return f"{print_schema_definition(graphql_schema)}\n\n{schema.as_str()}"


def _shapes() -> dict[str, Shape]:
    found = {shape.name: shape for shape in (customers, touchpoints, purchases)}
    for of in graphql_schema.type_map.values():
        entity = (
            getattr(python_class(of), "entity", None)
            if isinstance(of, GraphQLObjectType) and not is_introspection_type(of)
            else None
        )
        if entity is not None:
            found[entity.shape.name] = entity.shape
    return found


world = World(_shapes(), PolicyTable.__table__)
