"""The keys of the organisation, as those who administer them see and change them."""

from typing import Any

import strawberry
from sqlalchemy import func, literal

from app.platform import keys
from app.platform.access import ApiKey as KeyTable
from app.query.kind import Moment, Raw, Text
from app.query.measure import measure
from app.query.shape import Shape
from schema.fields import column, entity, identity, measured
from schema.inputs import must, said
from schema.mutation import mutation, payload
from schema.node import Node
from schema.scalars import DateTime

api_keys = Shape("api_key", KeyTable.__table__, prefix=keys.PREFIX)


@measure(api_keys, Raw(), catalogued=False)
def scope_list(c: Any, p: Any) -> Any:
    """The stored names between commas as a list."""
    return literal('["') + func.replace(c.scopes, ",", '","') + literal('"]')


@entity(api_keys, order=(("created_at", False), ("id", False)))
@strawberry.type(description="A key to this API. What opens the door is shown when it is made, and never again.")
class ApiKey(Node):
    id: strawberry.ID = identity(keys.PREFIX)
    name: str | None = column(KeyTable.name, Text(), filter=False, description="Who it is for; null: none was given.")
    scopes: list[str] = measured(
        scope_list, filter=False, description="What it was given: scopes like customers:read, or bundles like read."
    )
    created_at: DateTime = column(KeyTable.created_at, Moment(), filter=False, description="When it was made.")
    expires_at: DateTime | None = column(
        KeyTable.expires_at, Moment(), filter=False, description="When it ends by itself; null: never."
    )
    revoked_at: DateTime | None = column(
        KeyTable.revoked_at,
        Moment(),
        filter=False,
        description="From when on it opens nothing; ahead while another takes its place; null: not revoked.",
    )


@strawberry.input(description="A new key.")
class ApiKeyCreateInput:
    name: str = must("Who it is for; 1 to 200 characters.")
    scopes: list[str] = must("What it may do; nothing that the key which makes it may not.")
    expires_at: DateTime | None = said("When it is to end by itself; never unless said.")


@strawberry.input(description="A key that is to open nothing any more.")
class ApiKeyRevokeInput:
    id: strawberry.ID = must("Which key.")


_SHOWN = (
    "The whole key, for `Authorization: Bearer`: shown this once, and kept nowhere. Null when it was refused, and to a "
    "repeat of the same request."
)
create = mutation(
    keys.create_api_key,
    ApiKeyCreateInput,
    payload("ApiKeyCreatePayload", "A new key.", {"key": ApiKey}, {"secret": (str | None, _SHOWN)}),
    "Make a key.",
    unkept=frozenset({"secret"}),
)
revoke = mutation(
    keys.revoke_api_key,
    ApiKeyRevokeInput,
    payload("ApiKeyRevokePayload", "A key that opens nothing any more.", {"key": ApiKey}),
    "Revoke a key, for good; running servers know it within a second.",
)
