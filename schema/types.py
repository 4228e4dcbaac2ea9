"""Customers, touchpoints and purchases as they are read: they lead to each other, so they are told together."""

from typing import Annotated, Any

import strawberry

from app.campaigns.measures import campaigns, members
from app.customers.measures import average_order_minor, consents, contactable, customers, last_words, net_minor
from app.customers.tables import Customer as CustomerTable
from app.loyalty.measures import POINTS, accounts
from app.platform.days import day_of
from app.platform.refusals import BadInput
from app.purchases import measures as bought
from app.purchases.measures import lines, purchases, refunds
from app.purchases.tables import Purchase as PurchaseTable
from app.purchases.tables import PurchaseLine as LineTable
from app.purchases.tables import Refund as RefundTable
from app.query.kind import Day, Exact, Flag, Id, Minor, Moment, Name, Plain, Raw, Text, Whole
from app.query.question import Compare, Relation, Where
from app.touchpoints import measures as contacts
from app.touchpoints.measures import touchpoints
from app.touchpoints.tables import Touchpoint as TouchpointTable
from schema.campaigns import Campaign, CampaignMember, CampaignMemberConnection
from schema.consents import EVERY_WORD, Consent, ConsentConnection
from schema.enums import (
    Channel,
    CustomerKind,
    Direction,
    PurchaseStatus,
    TouchpointKind,
)
from schema.fields import (
    Value,
    column,
    entity,
    fact,
    fact_value,
    identity,
    live,
    measured,
    money,
    one,
    part,
    related,
    rows,
    same,
    valued,
)
from schema.filters import listing, make, order_type, paths
from schema.given import Extra, Values
from schema.loyalty import LoyaltyAccount, LoyaltyAccountConnection
from schema.node import ExternalRef, Money, Node, refs_of
from schema.pages import connection
from schema.relationships import Relationship
from schema.scalars import JSON, Date, DateTime, Decimal, SafeInt
from schema.scores import CustomerValue, Lifecycle
from schema.segment_filter import in_segments

Person = Annotated["Customer", strawberry.lazy("schema.types")]
Contact = Annotated["Touchpoint", strawberry.lazy("schema.types")]


MINOR = Minor()


OWN_REF = {
    "system": "ref_system",
    "system_folded": "ref_system_folded",
    "value": "ref_value",
    "value_folded": "ref_value_folded",
}


OF_CUSTOMER = {"customer_id": (Value("customer_id", Id(prefix="cus"), False), None, "The customer's id.")}
OF_CAMPAIGN = {"campaign_id": (Value("campaign_id", Id(prefix="cam"), True), None, "The id of the campaign it names.")}


@entity(touchpoints, order=(("occurred_at", True),), extra=OF_CUSTOMER | OF_CAMPAIGN)
@strawberry.type(description="One contact, on any channel, by either side. 接触点")
class Touchpoint(Node):
    id: strawberry.ID = identity("tou")
    live_id: strawberry.ID = live("tou")
    customer: Person = one(Relation(customers, "customer_id", "id"), filter=True, description="Whose it is.")
    kind: TouchpointKind = column(TouchpointTable.kind, Name(enum=TouchpointKind), description="What kind of contact.")
    channel: Channel = column(TouchpointTable.channel, Name(enum=Channel), description="Through what.")
    direction: Direction = column(TouchpointTable.direction, Name(enum=Direction), description="Who spoke.")
    occurred_at: DateTime = column(TouchpointTable.occurred_at, Moment(), sort=True, description="When it took place.")
    recorded_at: DateTime = column(TouchpointTable.recorded_at, Moment(), sort=True, description="When we were told.")
    subject: str | None = column(TouchpointTable.subject, Text(), filter=False, description="At most 200 characters.")
    body: str | None = column(TouchpointTable.body, Text(), filter=False, description="At most 10,000 characters.")
    sentiment: float | None = measured(contacts.sentiment, filter=False, description="-1 to 1; null: unknown.")
    nps: int | None = column(TouchpointTable.nps, Whole(), description="The answer 0 to 10 of a survey.")
    csat: int | None = column(TouchpointTable.csat, Whole(), description="The answer 1 to 5 of a survey.")
    relative_quality: Decimal | None = measured(
        contacts.relative_quality,
        filter=False,
        description="A survey's answer on quality relative to the competitor; 1 = parity.",
    )
    relative_price: Decimal | None = measured(
        contacts.relative_price,
        filter=False,
        description="A survey's answer on price relative to the competitor; 1 = parity.",
    )
    resolved_at: DateTime | None = column(
        TouchpointTable.resolved_at, Moment(), description="Set on a complaint once it is resolved."
    )
    resolution: str | None = column(
        TouchpointTable.resolution, Text(), filter=False, description="How a complaint was settled."
    )
    in_reply_to: Contact | None = one(
        Relation(touchpoints, "in_reply_to", "id"), description="The touchpoint that this one answers."
    )
    campaign: Campaign | None = one(
        Relation(campaigns, "campaign_id", "id"), description="The campaign that it was made for, or answers."
    )
    external_ref: ExternalRef | None = part(
        unless="ref_value", nodes=OWN_REF, description="Another system's name for it."
    )
    attributes: JSON = column(
        TouchpointTable.attributes, Raw(), filter=False, description="Whatever else is to be kept."
    )


TouchpointConnection, TouchpointEdge = connection(Touchpoint)


# ------------------------------------------------------------------ purchases


@entity(lines)
@strawberry.type(description="One line of a purchase.")
class PurchaseLine:
    sku: str | None = column(
        LineTable.sku, Text(), folded=LineTable.sku_folded, description="The seller's number of what was bought."
    )
    name: str = column(LineTable.name, Text(), folded=LineTable.name_folded, description="What was bought.")
    category: str | None = column(
        LineTable.category, Text(), folded=LineTable.category_folded, description="Of what was bought."
    )
    quantity: Decimal = column(
        LineTable.quantity_e6, Exact(decimals=6), filter=False, description="How many, or how much."
    )
    unit_price: Money | None = money(
        LineTable.unit_minor, own=True, filter=False, description="Null when only the line's total was told."
    )
    total: Money = money(LineTable.total_minor, own=True, filter=False, description="Of the line.")


@entity(refunds)
@strawberry.type(description="Money given back for a purchase.")
class Refund(Node):
    id: strawberry.ID = identity("ref")
    amount: Money = money(RefundTable.amount_minor, own=True, filter=False, description="In the purchase's currency.")
    refunded_at: DateTime = column(
        RefundTable.refunded_at, Moment(), filter=False, description="When it was given back."
    )
    reason: str | None = column(RefundTable.reason, Text(), filter=False, description="Why.")
    external_ref: ExternalRef | None = part(
        unless="ref_value", nodes=OWN_REF, filter=False, description="Another system's name for it."
    )


@entity(
    purchases,
    order=(("purchased_at", True),),
    extra=OF_CUSTOMER
    | OF_CAMPAIGN
    | {
        "currency": (Value("currency", Plain(), False), None, "The purchase's own currency, like EUR."),
    },
)
@strawberry.type(description="What a customer bought, at one time.")
class Purchase(Node):
    id: strawberry.ID = identity("pur")
    live_id: strawberry.ID = live("pur")
    customer: Person = one(Relation(customers, "customer_id", "id"), filter=True, description="Who bought.")
    purchased_at: DateTime = column(PurchaseTable.purchased_at, Moment(), sort=True, description="When it was bought.")
    recorded_at: DateTime = column(PurchaseTable.recorded_at, Moment(), sort=True, description="When we were told.")
    status: PurchaseStatus = measured(bought.status, description="What is left of it.")
    channel: Channel = column(PurchaseTable.channel, Name(enum=Channel), description="Where it was bought.")
    promotional: bool = column(PurchaseTable.promotional, Flag(), description="Whether it was bought in a promotion.")
    gross: Money = money(PurchaseTable.gross_minor, own=True, filter=False, description="The sum of its lines.")
    refunded: Money = money(PurchaseTable.refunded_minor, own=True, filter=False, description="The sum of its refunds.")
    net: Money = money(
        bought.net,
        filter=False,
        own=True,
        description="Gross less refunded; of a voided purchase too, whose money counts nowhere else.",
    )
    gross_reporting: Money | None = money(
        PurchaseTable.gross_reporting,
        sort=True,
        description="Converted at the purchase's own day's rate; null while no rate is known.",
    )
    net_reporting: Money | None = money(
        bought.net_reporting,
        sort=True,
        description="Converted at the purchase's own day's rate; null while no rate is known.",
    )
    refunds: list[Refund] = rows(
        Relation(refunds, "id", "purchase_id", order=("refunded_at", "id")), description="Oldest first."
    )
    lines: list[PurchaseLine] = rows(
        Relation(lines, "id", "purchase_id", order=("position",)), filter=True, description="As they were recorded."
    )
    tailored_to: Contact | None = one(
        Relation(touchpoints, "tailored_to", "id"), description="The need that this order was made to fit."
    )
    campaign: Campaign | None = one(
        Relation(campaigns, "campaign_id", "id"),
        description="The campaign that the buyer named, like by its code. Conversions do not rest on it.",
    )
    external_ref: ExternalRef | None = part(
        unless="ref_value", nodes=OWN_REF, description="Another system's name for it."
    )
    points_earned: SafeInt = valued(
        "points_earned",
        POINTS,
        description="Loyalty points that it earned, less what refunds took back; of all programmes.",
    )


PurchaseConnection, PurchaseEdge = connection(Purchase)


# ------------------------------------------------------------------ customers


def _counted(key: str, said: str, **flags: Any) -> Any:
    return fact(customers, key, Whole(), description=said, **flags)


@strawberry.type(description="What is known, before any judgement. Days are in the organisation's time zone.")
class CustomerFacts:
    kept_orders: int = _counted("kept_orders", "Orders neither voided nor refunded whole.", sort=True, average=True)
    occasions: int = _counted("occasions", "Distinct days with at least one kept order.", sort=True, average=True)
    first_purchase_on: Date | None = fact(customers, "first_day", Day(), description="The day of the first kept order.")
    last_purchase_on: Date | None = fact(
        customers, "last_day", Day(), sort=True, description="The day of the last kept order."
    )
    unconverted_orders: int = _counted(
        "unconverted_orders", "Kept orders for which no exchange rate was known: counted, but not in the money."
    )
    gross: Money = money(
        fact_value(customers, "gross_minor", MINOR),
        description="Of all orders but voided ones, in the reporting currency.",
    )
    refunded: Money = money(fact_value(customers, "refunded_minor", MINOR), description="In the reporting currency.")
    net: Money = money(
        net_minor, sort=True, average=True, description="Gross less refunded, in the reporting currency."
    )
    average_order_value: Money | None = money(
        average_order_minor, description="Net by kept, converted order; null without one."
    )
    touchpoints: int = _counted("touchpoints", "Contacts on any channel, by either side.")
    last_touchpoint_at: DateTime | None = fact(
        customers, "last_touchpoint_at", Moment(), sort=True, description="The latest contact."
    )
    inbound_last_90_days: int = measured(contacts.inbound_90)
    nps: int | None = _counted("nps", "The latest answer, 0 to 10.")
    csat: float | None = measured(contacts.csat)
    open_complaints: int = _counted("open_complaints", "Complaints that are not resolved.")
    committed: bool = measured(contacts.committed)
    contactable: bool = measured(contactable)


MOST_AHEAD = 366


def _birthday(value: Any, path: str, values: Values) -> Where:
    """A birthday in the next so many days; one on 29 February is kept on the 28th where there is no 29th."""
    if not 0 <= value <= MOST_AHEAD:
        raise BadInput(f"birthdayInDays is 0 to {MOST_AHEAD}.")
    days = [day_of(values.today + n) for n in range(value + 1)]
    wanted = {day.month * 100 + day.day for day in days}
    if any((day.month, day.day) == (2, 28) and day_of(values.today + n + 1).day == 1 for n, day in enumerate(days)):
        wanted.add(229)
    return Compare("birthday_month_day", "in", values.put(path, sorted(wanted)))


@entity(
    customers,
    order=(("created_at", False),),
    extra={
        "birthday_in_days": (
            Extra(_birthday),
            int,
            "Has a birthday in the next so many days, today included; 0 to 366.",
        ),
        "segment": in_segments(lambda: Customer),
    },
)
@strawberry.type(description="A person or a company that buys, or might. 客户")
class Customer(Node):
    id: strawberry.ID = identity("cus")
    live_id: strawberry.ID = live("cus")
    as_of: DateTime | None = same("as_of", "The instant this was read at; null: now.")
    version: int = column(
        CustomerTable.version,
        Whole(),
        filter=False,
        description="Rises by one with every change of the profile (not with purchases or touchpoints); give it back as expectedVersion.",
    )
    created_at: DateTime = column(
        CustomerTable.created_at, Moment(), sort=True, description="When we first knew of it."
    )
    updated_at: DateTime = column(CustomerTable.updated_at, Moment(), sort=True, description="Of the profile.")
    archived_at: DateTime | None = column(
        CustomerTable.archived_at, Moment(), filter=False, description="Null: not archived."
    )
    kind: CustomerKind = column(
        CustomerTable.kind, Name(enum=CustomerKind), group=True, description="A person or a company."
    )
    name: str = column(
        CustomerTable.name, Text(), folded=CustomerTable.name_folded, sort=True, description="At most 200 characters."
    )
    email: str | None = column(
        # An address is stored as email_of() gives it: quoted local parts, which might need escapes, are refused there.
        CustomerTable.email,
        Plain(),
        folded=CustomerTable.email_folded,
        description="Not unique: families share them.",
    )
    phone: str | None = column(CustomerTable.phone, Plain(), description="E.164, like +8613800138000. Not unique.")
    birthday: Date | None = column(CustomerTable.birthday, Day(), description="The day of birth.")
    city: str | None = column(
        CustomerTable.city, Text(), folded=CustomerTable.city_folded, group=True, description="Where they live."
    )
    region: str | None = column(
        CustomerTable.region, Text(), folded=CustomerTable.region_folded, group=True, description="Province or state."
    )
    country: str | None = column(CustomerTable.country, Plain(), group=True, description="ISO 3166-1 alpha-2, like CN.")
    language: str | None = column(CustomerTable.language, Plain(), group=True, description="BCP 47, like zh-Hans.")
    external_refs: list[ExternalRef] = rows(
        refs_of(), filter=True, description="One a system; an archived customer shows those it had."
    )
    attributes: JSON = column(CustomerTable.attributes, Raw(), filter=False, description="Whatever else is to be kept.")
    suppressed: bool = column(
        CustomerTable.suppressed, Flag(), description="Never contacted for marketing, whatever was consented."
    )
    terminated_on: Date | None = column(
        CustomerTable.terminated_day,
        Day(),
        filter=False,
        description="The day on which the relationship was ended by word, if it was.",
    )
    facts: CustomerFacts = part(description="What is known, before any judgement.")
    lifecycle: Lifecycle = part(description="Where the customer stands.")
    relationship: Relationship = part(description="How close the customer is.")
    value: CustomerValue = part(description="What the customer is worth.")
    consents: list[Consent] = rows(
        Relation(consents, "id", "customer_id", last_words, ("purpose", "channel")),
        filter=True,
        description="The last word on each purpose and channel.",
    )
    consent_history: ConsentConnection = related(  # type: ignore[valid-type]
        ConsentConnection, EVERY_WORD, description="Every word, latest first."
    )
    touchpoints: TouchpointConnection = related(  # type: ignore[valid-type]
        TouchpointConnection,
        Relation(touchpoints, "id", "customer_id"),
        arguments=listing("Touchpoint"),
        filter=True,
        description="The timeline, latest first unless ordered otherwise.",
    )
    purchases: PurchaseConnection = related(  # type: ignore[valid-type]
        PurchaseConnection,
        Relation(purchases, "id", "customer_id"),
        arguments=listing("Purchase"),
        filter=True,
        description="What was bought, latest first unless ordered otherwise.",
    )

    loyalty_accounts: LoyaltyAccountConnection = related(  # type: ignore[valid-type]
        LoyaltyAccountConnection,
        Relation(accounts, "id", "customer_id"),
        filter=True,
        description="Memberships in loyalty programmes, closed ones included, oldest first.",
    )
    campaign_memberships: CampaignMemberConnection = related(  # type: ignore[valid-type]
        CampaignMemberConnection,
        Relation(members, "id", "customer_id", order=("-enrolled_at",)),
        description="The campaigns that enrolled the customer, in either arm, latest first.",
    )


CustomerConnection, CustomerEdge = connection(Customer)


CampaignOrder, CampaignOrderField = order_type(Campaign, paths(Campaign, "sort"))
LoyaltyAccountOrder, LoyaltyAccountOrderField = order_type(LoyaltyAccount, paths(LoyaltyAccount, "sort"))
CustomerOrder, CustomerOrderField = order_type(Customer, paths(Customer, "sort"))
TouchpointOrder, TouchpointOrderField = order_type(Touchpoint, paths(Touchpoint, "sort"))
PurchaseOrder, PurchaseOrderField = order_type(Purchase, paths(Purchase, "sort"))
make(Customer, Touchpoint, Purchase, LoyaltyAccount, Campaign, CampaignMember)
