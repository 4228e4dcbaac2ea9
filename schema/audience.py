"""Audiences: who would be addressed for a purpose on a channel, and the stored question asked again at launch."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import strawberry
from graphql import GraphQLObjectType, get_named_type

from app.campaigns.audience import CHANNEL, PURPOSE, Audience, Preview
from app.platform.work import Work
from app.query import question as q
from app.segments.lookup import definitions
from schema.campaigns import Exclusion
from schema.enums import Channel, ConsentPurpose
from schema.fields import REQUIRED
from schema.filters import listing
from schema.given import Parameters, Values
from schema.plan import Planner, under
from schema.segment_filter import stored_test
from schema.selection import Selected
from schema.types import Customer


@strawberry.type(description="Whom an audience reaches; matched = reachable + all that is excluded.")
class AudiencePreview:
    matched: int = strawberry.field(description="Whom the test finds, archived customers included.")
    excluded: list[Exclusion] = strawberry.field(
        description="Who is left out, each for the first reason that holds, in the order in which they are applied."
    )
    reachable: int = strawberry.field(description="Who would be enrolled by a launch now.")
    sample: list[Customer] = strawberry.field(description="Up to ten of those who can be reached, oldest first.")


ARGUMENTS: dict[str, Any] = {
    "where": (listing("Customer")["where"][0], REQUIRED, "Whom it is for."),
    "channel": (Channel, REQUIRED, "Through what they would be contacted."),
    "purpose": (ConsentPurpose, REQUIRED, "For what."),
}


def preview(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Mapping[str, Any]) -> q.Question:
    """The funnel of an audience."""
    where = planner.test_of(Customer, given, selected.key)
    planner.values.put(PURPOSE, given["purpose"].value)
    planner.values.put(CHANNEL, given["channel"].value)
    fields = planner.walked(selected.key, lambda: [_selected(planner, selected, of)])
    clock = planner.clock

    def made(found: q.Fields) -> Preview:
        told, samples = found[0]
        return Preview(where or q.All(()), told, samples, clock)

    question: q.Question = fields.asked((where, clock), made)
    return question


def _selected(planner: Planner, selected: Selected, of: GraphQLObjectType) -> tuple[Any, Any]:
    """What is selected of the funnel, and of the customers in its samples."""
    fields: list[q.Told] = []
    samples: list[tuple[str, q.Items]] = []
    for each in planner.below(selected.nodes, of):
        if each.name == "__typename":
            fields.append(q.Told(each.key, of.name))
            continue
        inner: Any = get_named_type(of.fields[each.name].type)
        if each.name == "sample":
            samples.append((each.key, planner.items(inner, each.nodes, under(selected.key, each))))
        below = planner.told(inner, each.nodes) if each.name == "excluded" else ()
        fields.append(q.Told(each.key, each.name, below))
    return tuple(fields), tuple(samples)


def audience_of(work: Work, text: str) -> Audience:
    """A stored CustomerWhere, to be asked at the clock of the work; raises BadInput."""
    values = Values(Parameters(work.org, work.now))
    where = stored_test(
        Customer, text, "audience", values, partial(definitions, work.session.connection(), work.org.id)
    )
    return Audience(where, values.given, values.leaves - values.idle)
