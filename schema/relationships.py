"""The API of closeness."""

import strawberry

from app.relationships import measures
from schema.enums import RelationshipTier
from schema.explanation import Explanation
from schema.fields import explained, measured


@strawberry.type(description="How close the customer is.")
class Relationship:
    tier: RelationshipTier | None = measured(measures.tier, sort=True, group=True)
    why: Explanation = explained(
        None, Explanation, {"": measures.tier}, description="The rule, the reasons, and what would move it."
    )
