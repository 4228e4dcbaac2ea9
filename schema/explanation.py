"""Why a judgement came out so."""

import strawberry

from schema.scalars import Date


@strawberry.type(description="One thing that was looked at: what was observed, and what it was held against.")
class ExplanationReason:
    rule: str = strawberry.field(description="The id of the test.")
    sentence: str = strawberry.field(description="To be read aloud.")
    fact: str = strawberry.field(
        description="The fact behind it; what is observed may be made of it, like a span of days or a grade."
    )
    observed: str | None = strawberry.field(description="What it was; null: unknown, or nothing to tell.")
    threshold: str | None = strawberry.field(description="What it was held against; null: nothing.")
    met: bool = strawberry.field(description="Whether the test held.")


@strawberry.type(description="Something that would move the judgement.")
class ExplanationStep:
    to: str = strawberry.field(description="What it would be then.")
    sufficient: bool = strawberry.field(
        description="Whether this step alone is enough; otherwise all of them are needed."
    )
    sentence: str = strawberry.field(description="To be read aloud.")
    fact: str = strawberry.field(description="The fact that would change.")
    needed: str = strawberry.field(description="How much of it is missing.")
    by: Date | None = strawberry.field(
        description="The last day on which the step still works, when there is one; told for the tier and the phase."
    )


@strawberry.type(description="Why a judgement came out so: enough to read aloud to the customer, and to dispute.")
class Explanation:
    rule: str = strawberry.field(
        description="The id of the rule that decided: one of the measure's rules in the metric catalogue."
    )
    policy_version: int = strawberry.field(description="The version of the policy that was in force.")
    reasons: list[ExplanationReason] = strawberry.field(description="What was looked at, in the order of the rules.")
    next: list[ExplanationStep] = strawberry.field(
        description="What would move it to the next better value, smallest first."
    )
