"""Subscription: hints of what has changed, to be read anew."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import strawberry

from schema.roots import by_ids
from schema.scalars import DateTime
from schema.types import Customer


async def _customer(self: Any, info: strawberry.Info) -> Customer:
    # An archived one is told of too: that it was archived, above all.
    [found] = await by_ids(info, [self["customer_id"]], even_hidden=True)
    return found  # type: ignore[no-any-return]


@strawberry.type(description="Something happened that concerns a customer.")
class CustomerChanged:
    by_name = True

    customer: Customer = strawberry.field(
        resolver=_customer, description="As it is when this is told, which may be after further changes."
    )
    event: str = strawberry.field(description='What happened, as a dotted past tense, like "purchase.recorded".')
    occurred_at: DateTime = strawberry.field(description="When it was recorded.")


_IDS = "Of these customers alone, up to 100; null: of all. Unknown ids match nothing."


async def _changed(
    ids: Annotated[list[strawberry.ID] | None, strawberry.argument(description=_IDS)] = strawberry.UNSET,
) -> AsyncGenerator[CustomerChanged, None]:
    # Fed by schema/streams.py, which bounds it alike on each transport.
    never: tuple[CustomerChanged, ...] = ()
    for each in never:
        yield each


@strawberry.type(
    description="What a client is told without asking again, over graphql-transport-ws or server-sent events."
)
class Subscription:
    customer_changed = strawberry.subscription(
        resolver=_changed,
        description="Hints, at most once, in order for each customer: read anew what they name. A client that was cut off reads what it needs, and subscribes again.",
    )
