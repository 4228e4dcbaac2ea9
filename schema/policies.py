"""Who may see what: the one table of which scope each thing needs that a caller can name.

A type belongs to a capability. What may be about a person (a text, a day, anything at all) is named in it one by one,
as personal or as plain: one that is not named is nobody's, and the schema is not built. Filters, sort keys, group keys
and aggregates are named by the path that selects them, and need what is needed along it. `schema/access.py` holds a
document to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.platform.scopes import ADMIN, ANY, PERSONAL, POINTS

Scopes = tuple[str, ...]


@dataclass(frozen=True)
class Of:
    """What the fields of a type need: its `scope`, none for what belongs to whatever leads to it, and of `personal` ones
    one more. `plain`: texts and days that need no more; `*`: all of them. `also`: what one field needs besides."""

    scope: str | None
    plain: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    also: Mapping[str, Scopes] = field(default_factory=dict)


def _of(scope: str | None, plain: str = "", personal: str = "", **also: Scopes) -> Of:
    return Of(scope, frozenset(plain.split()), frozenset(personal.split()), also)


CUSTOMERS, TOUCHPOINTS, PURCHASES = "customers:read", "touchpoints:read", "purchases:read"
LOYALTY, CAMPAIGNS, SEGMENTS, POLICY = "loyalty:read", "campaigns:read", "segments:read", "policy:read"

# Names are needed by all who serve customers. What was written freely about a person is as personal as an address, and
# so is a filter that was saved: it may hold either.
TYPES: dict[str, Of] = {
    "Customer": _of(CUSTOMERS, "name city region country language terminatedOn", "email phone birthday attributes"),
    "CustomerFacts": _of(CUSTOMERS, "firstPurchaseOn lastPurchaseOn"),
    "Lifecycle": _of(CUSTOMERS),
    "Relationship": _of(CUSTOMERS),
    "CustomerValue": _of(CUSTOMERS),
    "Rfm": _of(CUSTOMERS, "cell"),
    "PerceivedValue": _of(CUSTOMERS, "answeredOn"),
    "CustomerScenario": _of(CUSTOMERS),
    "CustomerGroups": _of(CUSTOMERS),
    "CustomerChanged": _of(CUSTOMERS, "event"),
    "Consent": _of(CUSTOMERS, "source policyText"),
    "Touchpoint": _of(TOUCHPOINTS, "", "subject body resolution attributes"),
    "Purchase": _of(PURCHASES),
    "PurchaseLine": _of(PURCHASES, "sku name category"),
    "Refund": _of(PURCHASES, "", "reason"),
    "LoyaltyProgram": _of(LOYALTY, "name pointsName"),
    "LoyaltyLevel": _of(LOYALTY, "name benefits"),
    "LoyaltyLevelProgress": _of(LOYALTY, "by"),
    "LoyaltyLiability": _of(LOYALTY),
    "LedgerBalance": _of(LOYALTY),
    "Reward": _of(LOYALTY, "name"),
    "LoyaltyAccount": _of(LOYALTY, "number"),
    "PointsBalance": _of(LOYALTY),
    "ExpiringPoints": _of(LOYALTY, "expiresOn"),
    "PointsEntry": _of(LOYALTY, "effectiveOn", "reason"),
    "PointsReservation": _of(LOYALTY),
    "Redemption": _of(LOYALTY),
    "Campaign": _of(CAMPAIGNS, "name", "audience"),
    "CampaignLaunch": _of(CAMPAIGNS, "audienceHash"),
    "CampaignMember": _of(CAMPAIGNS),
    "CampaignResult": _of(CAMPAIGNS, "windowEndsOn sentence"),
    "CampaignArmResult": _of(CAMPAIGNS),
    "Exclusion": _of(CAMPAIGNS),
    "Lift": _of(CAMPAIGNS),
    "AudiencePreview": _of(CAMPAIGNS),
    # Sums over what everybody bought.
    "AttributionRow": _of(CAMPAIGNS, conversions=(PURCHASES,), revenue=(PURCHASES,)),
    "ChannelQuality": _of(
        CAMPAIGNS,
        customers=(CUSTOMERS,),
        cac=(CUSTOMERS,),
        repurchaseRate=(CUSTOMERS, PURCHASES),
        netPerCustomer=(CUSTOMERS, PURCHASES),
    ),
    "Segment": _of(SEGMENTS, "name description", "where", count=(CUSTOMERS,), profile=(CUSTOMERS,)),
    "SegmentProfile": _of(SEGMENTS, "value"),
    "Policy": _of(POLICY),
    "ValueWeights": _of(POLICY),
    "ApiKey": _of(ADMIN, "name scopes"),
    # Parts of others, and what tells nothing of anybody.
    **{
        name: _of(None, "*")
        for name in (
            *("Money", "MoneyInterval", "FloatInterval", "ExternalRef", "PageInfo", "Node"),
            *("Explanation", "ExplanationReason", "ExplanationStep", "Metric", "Organization", "Viewer", "RateLimit"),
            *("UserError", "InputError", "TakenError", "StaleVersionError", "InsufficientPointsError"),
        )
    },
}
# Types whose fields are named by paths below another: groups and their means.
PATHED = {"CustomerGroup": "Customer", "CustomerMeasures": "Customer"}
COUNTED = frozenset({"count", "avg", "min", "max"})
# Texts of payloads beside their rows.
SHOWN: dict[str, frozenset[str]] = {"ApiKeyCreatePayload": frozenset({"secret"})}
# Whoever reached a row has its id already, or learns no more by it.
IDENTITY = frozenset({"id", "liveId"})

# Filters without a field of the type, beside its scope.
FILTERS: dict[str, dict[str, Scopes]] = {
    "Customer": {"birthdayInDays": (PERSONAL,), "segment": (SEGMENTS,)},
    "Touchpoint": {"customerId": (), "campaignId": ()},
    "Purchase": {"customerId": (), "campaignId": (), "currency": ()},
    "LoyaltyAccount": {"programId": (), "customerId": (), "expiringWithinDays": ()},
    "CampaignMember": {"customerId": ()},
}
# By what somebody is looked up, in questions and in changes alike: to find out whose an address is, is to read it.
LOOKUPS: dict[str, dict[str, Scopes]] = {
    "CustomerLookup": {"id": (), "externalRef": (), "email": (PERSONAL,), "phone": (PERSONAL,)},
    "TouchpointLookup": {"id": (), "externalRef": ()},
    "PurchaseLookup": {"id": (), "externalRef": ()},
    "LoyaltyAccountLookup": {"id": (), "number": ()},
}
# Arguments of plain values. A search looks into email and phone too.
ARGUMENTS: dict[str, Scopes] = {
    **dict.fromkeys(("first", "last", "after", "before"), ()),
    **dict.fromkeys(("id", "ids", "asOf", "version", "margin", "withinDays"), ()),
    **dict.fromkeys(("from", "to", "lookBackDays"), ()),
    "search": (PERSONAL,),
}
# Inputs of questions that say nothing of what is stored.
TYPED = frozenset({"CustomerFactsInput", "PolicySetInput", "ValueWeightsInput", "ExternalRefInput"})
# Sorted by a field of an enum, whose values are what has a policy.
ORDERED = frozenset({"Campaign", "Customer", "CustomerGroup", "LoyaltyAccount", "Purchase", "Touchpoint"})
# Sort keys that no path selects.
SORTED: dict[str, dict[str, Scopes]] = {"CustomerGroupOrderField": {"KEYS": (), "COUNT": ()}}


def _each(**fields: str) -> dict[str, str]:
    return {name: scope.replace("_", ":") for scope, names in fields.items() for name in names.split()}


# What a root field needs to be asked at all; FORBIDDEN without it. None: nothing.
ROOTS: dict[str, str | None] = {
    **dict.fromkeys(("viewer", "rateLimit")),
    **dict.fromkeys(("node", "nodes", "metricCatalog"), ANY),
    **_each(
        customers_read="customer customers customerGroups customerScenario",
        touchpoints_read="touchpoint touchpoints",
        purchases_read="purchase purchases",
        loyalty_read="loyaltyPrograms loyaltyAccount loyaltyAccounts",
        campaigns_read="campaign campaigns audiencePreview attribution channelQuality",
        segments_read="segment segments",
        policy_read="policy policies",
        admin="apiKeys",
    ),
}
MUTATIONS: dict[str, str] = _each(
    customers_write="customerCreate customerUpdate customerUpsert customersUpsert customerArchive customerRestore"
    " customerTerminate customerReinstate consentRecord",
    touchpoints_write="touchpointRecord touchpointsRecord touchpointRetract complaintResolve",
    purchases_write="purchaseRecord purchasesRecord purchaseRefund purchaseVoid",
    loyalty_write="loyaltyProgramCreate loyaltyProgramUpdate rewardCreate rewardUpdate loyaltyAccountOpen",
    # To close an account forfeits what is in it.
    points_write="loyaltyAccountClose pointsEarn pointsRedeem redemptionReverse pointsReserve reservationCapture"
    " reservationVoid pointsAdjust pointsTransfer",
    campaigns_write="campaignCreate campaignUpdate campaignLaunch campaignCostRecord campaignComplete campaignCancel",
    segments_write="segmentCreate segmentUpdate segmentDelete",
    policy_write="policyPublish",
    admin="apiKeyCreate apiKeyRevoke",
)
SUBSCRIPTIONS: dict[str, str] = _each(customers_read="customerChanged")
# What an event tells of, by its first word: it is told to those who may read that.
EVENTS: dict[str, str] = _each(
    customers_read="customer consent",
    touchpoints_read="touchpoint complaint",
    purchases_read="purchase",
    loyalty_read="points loyalty_account redemption reservation",
)
OPERATIONS: dict[str, Mapping[str, str | None]] = {
    "Query": ROOTS,
    "Mutation": MUTATIONS,
    "Subscription": SUBSCRIPTIONS,
}


def read_scope(write_scope: str) -> str:
    """The scope that reads what this one writes: whoever wrote a row is shown that row."""
    return {POINTS: LOYALTY, ADMIN: ADMIN}.get(write_scope, write_scope.replace(":write", ":read"))
