"""What can be asked."""

from functools import partial
from typing import Any

import strawberry

from app.query import question as q
from schema import asks
from schema.asks import Ask
from schema.attribution import ATTRIBUTION, PERIOD, AttributionRow, ChannelQuality, attribution, channel_quality
from schema.audience import ARGUMENTS as AUDIENCE
from schema.audience import AudiencePreview, preview
from schema.campaigns import Campaign, CampaignConnection
from schema.catalogue import Metric, catalogue
from schema.charge import RateLimit, rate_limit
from schema.context import asked
from schema.enums import ArchivedScope
from schema.fields import PAGING, REQUIRED, asking
from schema.filters import listing
from schema.given import NeedsMore
from schema.groups import CustomerDimension, CustomerGroupOrder, CustomerGroups, groups
from schema.inputs import CustomerFactsInput, CustomerLookup, PolicySetInput, PurchaseLookup, TouchpointLookup
from schema.keys import ApiKey
from schema.loyalty import LoyaltyAccount, LoyaltyAccountConnection, LoyaltyProgram
from schema.loyalty_inputs import LoyaltyAccountLookup
from schema.node import Node
from schema.relationships import Relationship
from schema.roots import answered, asks_node, asks_nodes, by_ids, organization
from schema.scalars import CurrencyCode, DateTime
from schema.scores import CustomerValue, Lifecycle, Policy
from schema.segments import Segment
from schema.types import (
    Customer,
    CustomerConnection,
    Purchase,
    PurchaseConnection,
    Touchpoint,
    TouchpointConnection,
)


@strawberry.type(
    description="Whose data this is. Days, and the money of facts and sums, are in its time zone and currency."
)
class Organization(Node):
    id: strawberry.ID = strawberry.field(description="Opaque; take only what was issued.")
    name: str = strawberry.field(description="As it was created.")
    time_zone: str = strawberry.field(description="Of the IANA database, like Europe/Paris.")
    reporting_currency: CurrencyCode = strawberry.field(description="ISO 4217, like EUR.")


@strawberry.type(description="Who asks.")
class Viewer:
    organization: Organization = strawberry.field(description="Whose data is seen.")
    scopes: list[str] = strawberry.field(
        description="What the key was given: scopes like customers:read, or bundles of them like read."
    )


@strawberry.type(description="The judgements that the policy makes of those facts.")
class CustomerScenario:
    lifecycle: Lifecycle = strawberry.field(description="Where such a customer would stand.")
    relationship: Relationship = strawberry.field(description="How close such a customer would be.")
    value: CustomerValue = strawberry.field(description="What such a customer would be worth.")


Organization.by_name = Viewer.by_name = True  # type: ignore[attr-defined]

AS_OF = (
    DateTime | None,
    None,
    (
        "Everything below as of that instant; not in the future. Names, profiles and rewards are as they are now, and what "
        "was recorded later of that time is in it. Points and levels stay as they were read."
    ),
)
ARCHIVED = (ArchivedScope, ArchivedScope.EXCLUDE, "Whether archived customers are among them.")


async def _node(info: strawberry.Info, id: str) -> Any:
    return (await by_ids(info, [id]))[0]


async def _nodes(info: strawberry.Info, ids: list[str]) -> Any:
    return await by_ids(info, ids)


async def _viewer(info: strawberry.Info) -> Any:
    request = asked(info)
    return {"organization": organization(request), "scopes": sorted(request.caller.scopes)}


async def _rate_limit(info: strawberry.Info) -> Any:
    return await rate_limit(info)


async def _catalogue(info: strawberry.Info) -> Any:
    asked(info).require(info)
    return catalogue(info._raw_info.schema)


async def _scenario(info: strawberry.Info, **_: Any) -> Any:
    try:
        return await answered(info, asks.scenario)
    except NeedsMore:
        in_force = await asked(info).policy_columns()
        return await answered(info, partial(asks.scenario, in_force=in_force))


def _root(returns: Any, arguments: dict[str, Any], resolve: Any, description: str) -> Any:
    return strawberry.field(resolver=asking(returns, arguments, resolve), description=description)


# What each root field asks that takes one statement; the others are answered by graphql-core alone.
ROOTS: dict[str, Ask] = {
    "node": asks_node,
    "nodes": asks_nodes,
    "policy": asks.policy,
    "policies": asks.every,
    "customer": asks.customer,
    "customers": asks.customers,
    "customerGroups": groups,
    "customerScenario": asks.scenario,
    "touchpoint": asks.one_by("tou", q.All(())),
    "touchpoints": asks.rows,
    "purchase": asks.one_by("pur", q.Compare("voided_at", "is_null")),
    "purchases": asks.rows,
    "segment": asks.by_id("seg"),
    "segments": asks.every,
    "loyaltyPrograms": asks.every,
    "loyaltyAccount": asks.account,
    "loyaltyAccounts": asks.rows,
    "campaign": asks.by_id("cam"),
    "campaigns": asks.rows,
    "audiencePreview": preview,
    "attribution": attribution,
    "channelQuality": channel_quality,
    "apiKeys": asks.every,
}


def _asking(name: str) -> Any:
    async def resolve(info: strawberry.Info, **_: Any) -> Any:
        return await answered(info, ROOTS[name])

    return resolve


_SEARCH = "Words in name, email, phone and external references, best match first; several must all be found; a blank text asks for everybody."


@strawberry.type(description="What can be asked.")
class Query:
    node: Node | None = _root(
        Node | None,
        {"id": (strawberry.ID, REQUIRED, "Of whatever has one.")},
        _node,
        "Whatever has that id; null for all others alike.",
    )
    nodes: list[Node | None] = _root(
        list[Node | None],
        {"ids": (list[strawberry.ID], REQUIRED, "At most 100.")},
        _nodes,
        "Whatever has those ids, in their order; null for all others.",
    )
    viewer: Viewer = _root(Viewer, {}, _viewer, "Who asks.")
    rate_limit: RateLimit = _root(RateLimit, {}, _rate_limit, "What may still be asked with this key.")
    metric_catalog: list[Metric] = _root(
        list[Metric], {}, _catalogue, "Every measure: what it means, and how it is asked."
    )
    policy: Policy | None = _root(
        Policy | None,
        {"version": (int | None, None, "That one; left out, the one in force.")},
        _asking("policy"),
        "In force now, or that version.",
    )
    policies: list[Policy] = _root(list[Policy], {}, _asking("policies"), "Every version, oldest first.")
    customer: Customer | None = _root(
        Customer | None,
        {"by": (CustomerLookup, REQUIRED, "Who is meant."), "as_of": AS_OF},
        _asking("customer"),
        "One customer; null when there is none.",
    )
    customers: CustomerConnection = _root(  # type: ignore[valid-type]
        CustomerConnection,
        {
            **PAGING,
            **listing("Customer"),
            "search": (str | None, None, _SEARCH),
            "archived": ARCHIVED,
            "as_of": AS_OF,
        },
        _asking("customers"),
        "Customers, oldest first unless ordered otherwise.",
    )
    customer_groups: CustomerGroups = _root(
        CustomerGroups,
        {
            "by": (list[CustomerDimension], REQUIRED, "Which dimensions."),
            "where": (listing("Customer")["where"][0], None, "Only those that pass."),
            "order_by": (list[CustomerGroupOrder] | None, None, "By these, then by the keys."),
            "first": (int | None, None, "At most so many groups, 1 to 1,000."),
            "archived": ARCHIVED,
            "as_of": AS_OF,
        },
        _asking("customerGroups"),
        "Customers counted and summed by any set of dimensions. No dimension: no rows, only all.",
    )
    customer_scenario: CustomerScenario = _root(
        CustomerScenario,
        {
            "facts": (CustomerFactsInput, REQUIRED, "What is known of the customer."),
            "policy": (PolicySetInput | None, None, "What of the policy in force is to be otherwise."),
        },
        _scenario,
        "What would be said of a customer of whom just this is known, under today's policy or a proposed one.",
    )
    touchpoint: Touchpoint | None = _root(
        Touchpoint | None,
        {"by": (TouchpointLookup, REQUIRED, "Which one.")},
        _asking("touchpoint"),
        "One touchpoint; null when there is none.",
    )
    touchpoints: TouchpointConnection = _root(  # type: ignore[valid-type]
        TouchpointConnection,
        {**PAGING, **listing("Touchpoint")},
        _asking("touchpoints"),
        "Touchpoints, latest first unless ordered otherwise.",
    )
    purchase: Purchase | None = _root(
        Purchase | None,
        {"by": (PurchaseLookup, REQUIRED, "Which one.")},
        _asking("purchase"),
        "One purchase; null when there is none.",
    )
    purchases: PurchaseConnection = _root(  # type: ignore[valid-type]
        PurchaseConnection,
        {**PAGING, **listing("Purchase")},
        _asking("purchases"),
        "Purchases, latest first unless ordered otherwise.",
    )
    segment: Segment | None = _root(
        Segment | None,
        {"id": (strawberry.ID, REQUIRED, "Which one.")},
        _asking("segment"),
        "One segment; null when there is none.",
    )
    segments: list[Segment] = _root(list[Segment], {}, _asking("segments"), "Every segment, by name.")
    loyalty_programs: list[LoyaltyProgram] = _root(
        list[LoyaltyProgram], {}, _asking("loyaltyPrograms"), "Every programme, oldest first."
    )
    loyalty_account: LoyaltyAccount | None = _root(
        LoyaltyAccount | None,
        {"by": (LoyaltyAccountLookup, REQUIRED, "Which one."), "as_of": AS_OF},
        _asking("loyaltyAccount"),
        "One account; null when there is none, or was none by then.",
    )
    loyalty_accounts: LoyaltyAccountConnection = _root(  # type: ignore[valid-type]
        LoyaltyAccountConnection,
        {**PAGING, **listing("LoyaltyAccount"), "as_of": AS_OF},
        _asking("loyaltyAccounts"),
        "Accounts, closed ones included, oldest first unless ordered otherwise. Below an asOf those that were opened by then.",
    )
    campaign: Campaign | None = _root(
        Campaign | None,
        {"id": (strawberry.ID, REQUIRED, "The campaign's id.")},
        _asking("campaign"),
        "One campaign; null when there is none.",
    )
    campaigns: CampaignConnection = _root(  # type: ignore[valid-type]
        CampaignConnection,
        {**PAGING, **listing("Campaign")},
        _asking("campaigns"),
        "Campaigns, latest first unless ordered otherwise.",
    )
    audience_preview: AudiencePreview = _root(
        AudiencePreview,
        AUDIENCE,
        _asking("audiencePreview"),
        "Whom a campaign would reach, and who is left out and why, before anything is sent.",
    )
    attribution: list[AttributionRow] = _root(
        list[AttributionRow],
        ATTRIBUTION,
        _asking("attribution"),
        "Whose touches the kept purchases of a period are credited to, largest revenue first. Rows sum to the whole net "
        "revenue of the period that is converted into the reporting currency. Periods that meet add up.",
    )
    channel_quality: list[ChannelQuality] = _root(
        list[ChannelQuality],
        PERIOD,
        _asking("channelQuality"),
        "Which channel brings better customers: those acquired in a period, by the channel of their first touch; most "
        "customers first. A channel that only cost has a row too.",
    )
    api_keys: list[ApiKey] = _root(
        list[ApiKey], {}, _asking("apiKeys"), "Every key of the organisation, those that ended included, oldest first."
    )
