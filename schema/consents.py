"""What customers agreed to, as it is read."""

import strawberry

from app.customers.measures import consents
from app.customers.tables import Consent as ConsentTable
from app.query.kind import Moment, Name, Text
from app.query.question import Relation
from schema.enums import Channel, ConsentPurpose, ConsentState
from schema.fields import column, entity, identity
from schema.node import Node
from schema.pages import connection
from schema.scalars import DateTime


@entity(consents, order=(("at", True),))
@strawberry.type(description="One word on one purpose and channel; the last one holds, the history stays.")
class Consent(Node):
    id: strawberry.ID = identity("con")
    purpose: ConsentPurpose = column(ConsentTable.purpose, Name(enum=ConsentPurpose), description="What for.")
    channel: Channel = column(ConsentTable.channel, Name(enum=Channel), description="Through what.")
    state: ConsentState = column(ConsentTable.state, Name(enum=ConsentState), description="Granted or withdrawn.")
    at: DateTime = column(ConsentTable.at, Moment(), filter=False, description="When it was given.")
    source: str | None = column(
        ConsentTable.source, Text(), filter=False, description="Where it was given, like a form or a call."
    )
    policy_text: str | None = column(
        ConsentTable.policy_text, Text(), filter=False, description="The text that was agreed to."
    )


ConsentConnection, ConsentEdge = connection(Consent)
# Said here: among the fields of a customer, `consents` is the field.
EVERY_WORD = Relation(consents, "id", "customer_id")
