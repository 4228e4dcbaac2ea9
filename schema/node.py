"""What every row with an id shares, and the small types that several capabilities use."""

from typing import Any

import strawberry

from app.customers.measures import references
from app.customers.tables import CustomerRef
from app.query.kind import Text
from app.query.question import Relation
from schema.fields import column, entity
from schema.scalars import CurrencyCode, Decimal


@strawberry.interface(
    description="Below an asOf, every node's id also carries that instant, so that a normalising cache keeps then and now apart. Such an id is as "
    "opaque as any: node, nodes and lookups re-read it at that instant, filters take it as the live one, mutations answer NOT_FOUND."
)
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque; take only what was issued.")

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        """Rows come as dictionaries that say what they are."""
        named: str = value["__typename"]
        return named


@strawberry.type(description="An exact amount: minor units inside, a decimal string outside.")
class Money:
    amount: Decimal = strawberry.field(description='With as many decimals as the currency has, like "120.00".')
    currency: CurrencyCode = strawberry.field(description="ISO 4217, like EUR.")


@entity(references)
@strawberry.type(
    description="Another system's name for a record; unique per (system, value) among what is live in the organisation."
)
class ExternalRef:
    system: str = column(
        CustomerRef.system, Text(), folded=CustomerRef.system_folded, description="Which system, like pos."
    )
    value: str = column(CustomerRef.value, Text(), folded=CustomerRef.value_folded, description="Its name there.")


def refs_of(parent: str = "id") -> Relation:
    return Relation(references, parent, "customer_id", order=("system",), selective=True)
