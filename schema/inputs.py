"""Input types, named as the contract names them. What is left out is left out: it never reaches an action."""

from decimal import Decimal as Exactly
from typing import Any

import strawberry
from strawberry import UNSET

from schema.enums import BatchOnError, Channel, ConsentPurpose, ConsentState, CustomerKind, Direction, TouchpointKind
from schema.scalars import JSON, CurrencyCode, Date, DateTime, Decimal


def said(description: str, default: object = UNSET) -> Any:
    """An input field that may be left out."""
    return strawberry.field(description=description, default=default)


def must(description: str) -> Any:
    """An input field that may not."""
    return strawberry.field(description=description)


@strawberry.input(description="An exact amount.")
class MoneyInput:
    amount: Decimal = must('A decimal string, like "120.00"; no more decimals than the currency has.')
    currency: CurrencyCode = must("ISO 4217, like EUR.")


@strawberry.input(description="Another system's name for a record.")
class ExternalRefInput:
    system: str = must("Which system, like pos; at most 100 characters.")
    value: str = must("Its name there; at most 200 characters.")


# ------------------------------------------------------------------ customers


@strawberry.input(
    one_of=True,
    description="By email or phone: the one live customer that has it; none or several is null (in a mutation: NOT_FOUND, AMBIGUOUS). To find "
    "whether there are several, ask customers(where:).",
)
class CustomerLookup:
    id: strawberry.ID | None = said("Its id.")
    external_ref: ExternalRefInput | None = said("Another system's name for it.")
    email: str | None = said("Its email.")
    phone: str | None = said("Its phone, E.164.")


_NAME, _EMAIL, _PHONE = (
    "1 to 200 characters.",
    "Checked for its form, not for delivery.",
    "International, like +8613800138000.",
)
_COUNTRY, _LANGUAGE = "ISO 3166-1 alpha-2, like CN.", "BCP 47, like zh-Hans."
_REFS = "Added, or in place of the one of the same system."
_ATTRIBUTES = "At most 16 KiB and 5 levels; merged by top-level key, a null value removes its key."
_SUPPRESSED = "Never contact for marketing, whatever was consented."


@strawberry.input(description="A new customer.")
class CustomerCreateInput:
    kind: CustomerKind = said("A person unless said.", CustomerKind.PERSON)
    name: str = must(_NAME)
    email: str | None = said(_EMAIL)
    phone: str | None = said(_PHONE)
    birthday: Date | None = said("The day of birth.")
    city: str | None = said("Where they live.")
    region: str | None = said("Province or state.")
    country: str | None = said(_COUNTRY)
    language: str | None = said(_LANGUAGE)
    external_refs: list[ExternalRefInput] | None = said("One a system.")
    attributes: JSON | None = said("At most 16 KiB and 5 levels.")
    suppressed: bool | None = said(_SUPPRESSED)


@strawberry.input(
    description="What is left out stays (or is empty in a new one); null empties. Attributes merge by top-level key, a null value removes its key. "
    "External references are added, or replace the one of the same system."
)
class CustomerSetInput:
    kind: CustomerKind | None = said("A person or a company.")
    name: str | None = said(_NAME)
    email: str | None = said(_EMAIL)
    phone: str | None = said(_PHONE)
    birthday: Date | None = said("The day of birth.")
    city: str | None = said("Where they live.")
    region: str | None = said("Province or state.")
    country: str | None = said(_COUNTRY)
    language: str | None = said(_LANGUAGE)
    external_refs: list[ExternalRefInput] | None = said(_REFS)
    external_refs_remove: list[ExternalRefInput] | None = said("These are let go.")
    attributes: JSON | None = said(_ATTRIBUTES)
    suppressed: bool | None = said(_SUPPRESSED)


_WHO = "Who is meant."
_EXPECTED = "The version this was read at; STALE_VERSION when it is no longer true."


@strawberry.input(description="A change of a customer's profile.")
class CustomerUpdateInput:
    customer: CustomerLookup = must(_WHO)
    expected_version: int | None = said(_EXPECTED)
    set: CustomerSetInput = must("What to change.")


@strawberry.input(
    description="Creates (a name is needed then) or sets. An archived customer's reference is free: a new one is created."
)
class CustomerUpsertInput:
    external_ref: ExternalRefInput = must("By which it is known.")
    expected_version: int | None = said(_EXPECTED)
    set: CustomerSetInput = must("What is to be so.")


_ON_ERROR = "What happens to the rest when a row is refused."


@strawberry.input(description="Many customers, at most 200.")
class CustomersUpsertInput:
    rows: list[CustomerUpsertInput] = must("At most 200.")
    on_error: BatchOnError = said(_ON_ERROR, BatchOnError.REJECT_ALL)


@strawberry.input(description="Hides a customer and frees its external references.")
class CustomerArchiveInput:
    customer: CustomerLookup = must(_WHO)
    expected_version: int | None = said(_EXPECTED)


@strawberry.input(description="Shows an archived customer again.")
class CustomerRestoreInput:
    id: strawberry.ID = must("An archived customer is found by id alone.")
    expected_version: int | None = said(_EXPECTED)


@strawberry.input(description="The end of a relationship, by word of either side.")
class CustomerTerminateInput:
    customer: CustomerLookup = must(_WHO)
    expected_version: int | None = said(_EXPECTED)
    terminated_on: Date = must("The day; it may lie ahead.")
    reason: str | None = said("At most 1,000 characters.")


@strawberry.input(description="The relationship goes on after all.")
class CustomerReinstateInput:
    customer: CustomerLookup = must(_WHO)
    expected_version: int | None = said(_EXPECTED)


@strawberry.input(description="A word on one purpose and channel.")
class ConsentRecordInput:
    customer: CustomerLookup = must(_WHO)
    purpose: ConsentPurpose = must("What for.")
    channel: Channel = must("Through what.")
    state: ConsentState = must("Granted or withdrawn.")
    at: DateTime | None = said("When it was given; now unless said.")
    source: str | None = said("Where it was given, like a form or a call.")
    policy_text: str | None = said("The text that was agreed to.")


# ------------------------------------------------------------------ touchpoints


@strawberry.input(one_of=True, description="Which touchpoint.")
class TouchpointLookup:
    id: strawberry.ID | None = said("Its id.")
    external_ref: ExternalRefInput | None = said("Another system's name for it.")


_REPEAT = "A repeat with equal content is ALREADY_RECORDED; with other content TAKEN."


@strawberry.input(description="A contact.")
class TouchpointRecordInput:
    customer: CustomerLookup = must("Whose it is.")
    kind: TouchpointKind = must("What kind of contact.")
    channel: Channel = must("Through what.")
    direction: Direction = must("Who spoke.")
    occurred_at: DateTime | None = said("Now unless said; at most 5 minutes ahead.")
    subject: str | None = said("At most 200 characters.")
    body: str | None = said("At most 10,000 characters.")
    sentiment: float | None = said("-1 to 1.")
    nps: int | None = said("The answer 0 to 10 of a survey.")
    csat: int | None = said("The answer 1 to 5 of a survey.")
    relative_quality: Decimal | None = said("A survey's answer; 1 = parity with the competitor, above 0.")
    relative_price: Decimal | None = said("A survey's answer; 1 = parity with the competitor, above 0.")
    in_reply_to: TouchpointLookup | None = said("The touchpoint of the same customer that it answers.")
    campaign_id: strawberry.ID | None = said(
        "The campaign it came of. To speak in its name takes a member of its treatment arm who consents, then and now."
    )
    external_ref: ExternalRefInput | None = said(_REPEAT)
    attributes: JSON | None = said("At most 16 KiB and 5 levels.")


@strawberry.input(description="Many contacts, at most 200.")
class TouchpointsRecordInput:
    rows: list[TouchpointRecordInput] = must("At most 200.")
    on_error: BatchOnError = said(_ON_ERROR, BatchOnError.REJECT_ALL)


@strawberry.input(description="A touchpoint that was recorded by mistake.")
class TouchpointRetractInput:
    touchpoint: TouchpointLookup = must("Which one.")
    reason: str = must("For the audit trail.")


@strawberry.input(description="A complaint that is settled.")
class ComplaintResolveInput:
    touchpoint: TouchpointLookup = must("Which complaint.")
    resolved_at: DateTime | None = said("Now unless said.")
    resolution: str | None = said("How it was settled.")


# ------------------------------------------------------------------ purchases


@strawberry.input(one_of=True, description="Which purchase.")
class PurchaseLookup:
    id: strawberry.ID | None = said("Its id.")
    external_ref: ExternalRefInput | None = said("Another system's name for it.")


@strawberry.input(one_of=True, description="A line's price: of one, or of the whole line.")
class LinePriceInput:
    unit: Decimal | None = said("Of one; the total is rounded half away from zero.")
    total: Decimal | None = said("Of the line.")


@strawberry.input(description="One line of a purchase.")
class PurchaseLineInput:
    sku: str | None = said("The seller's number of what was bought.")
    name: str = must("What was bought.")
    category: str | None = said("Of what was bought.")
    quantity: Decimal = said("Above 0, at most six decimals; 1 unless said.", Exactly(1))
    price: LinePriceInput = must("In the purchase's currency.")


@strawberry.input(description="What a customer bought, at one time.")
class PurchaseRecordInput:
    customer: CustomerLookup = must("Who bought.")
    purchased_at: DateTime | None = said("Now unless said; at most 5 minutes ahead.")
    currency: CurrencyCode = must("ISO 4217, like EUR.")
    lines: list[PurchaseLineInput] = must("1 to 200.")
    channel: Channel = said("Where it was bought.", Channel.OTHER)
    promotional: bool = said("Whether it was bought in a promotion.", False)
    tailored_to: TouchpointLookup | None = said("The need of the same customer that it was made to fit.")
    campaign_id: strawberry.ID | None = said("The campaign it came of.")
    external_ref: ExternalRefInput | None = said(_REPEAT)


@strawberry.input(description="Many purchases, at most 200.")
class PurchasesRecordInput:
    rows: list[PurchaseRecordInput] = must("At most 200.")
    on_error: BatchOnError = said(_ON_ERROR, BatchOnError.REJECT_ALL)


@strawberry.input(description="Money given back, converted at the purchase's own exchange rate.")
class PurchaseRefundInput:
    purchase: PurchaseLookup = must("For which purchase.")
    amount: MoneyInput = must("In the purchase's currency; not more than is left.")
    refunded_at: DateTime | None = said("Now unless said.")
    reason: str | None = said("Why.")
    external_ref: ExternalRefInput | None = said(_REPEAT)


@strawberry.input(description="A purchase that was recorded by mistake.")
class PurchaseVoidInput:
    purchase: PurchaseLookup = must("Which one.")
    reason: str = must("For the audit trail.")


# ------------------------------------------------------------------ policy, scenario


@strawberry.input(description="They sum to 1.")
class ValueWeightsInput:
    recency: float = must("0 to 1.")
    frequency: float = must("0 to 1.")
    monetary: float = must("0 to 1.")
    engagement: float = must("0 to 1.")
    advocacy: float = must("0 to 1.")


@strawberry.input(description="What is left out stays as it is.")
class PolicySetInput:
    new_days: int | None = said("At most activeDays.")
    active_days: int | None = said("Less than churnDays.")
    churn_days: int | None = said("At most 36,500.")
    loyal_min_occasions: int | None = said("1 to 1,000.")
    loyal_min_span_days: int | None = said("0 to 36,500.")
    complaint_sla_days: int | None = said("0 to 36,500.")
    detractor_window_days: int | None = said("0 to 36,500.")
    customer_min_occasions: int | None = said("1 to 1,000.")
    customer_min_inbound: int | None = said("0 to 6.")
    client_min_dialogues: int | None = said("0 to 6.")
    client_min_needs: int | None = said("0 to 6.")
    client_min_tailored: int | None = said("0 to 6.")
    partner_min_cocreation: int | None = said("0 to 6.")
    rfm_recency_cuts: list[int] | None = said("Four, in days, not descending.")
    rfm_frequency_cuts: list[int] | None = said("Four, in occasions, not descending.")
    rfm_monetary_cuts: list[Decimal] | None = said("Four, in the reporting currency, not descending.")
    value_weights: ValueWeightsInput | None = said("They sum to 1.")
    marketing_cap_per_channel: int | None = said("Null: no cap.")
    marketing_cap_total: int | None = said("Null: no cap.")
    marketing_cap_days: int | None = said("1 to 366.")


@strawberry.input(description="A new version of the policy.")
class PolicyPublishInput:
    expected_version: int | None = said("The version this builds on.")
    rfm_cuts_from_base: bool = said(
        "Take the three RFM cuts from today's base (inverted-CDF quintiles of those with a kept order) instead of lists.",
        False,
    )
    set: PolicySetInput = strawberry.field(description="What is to be otherwise.", default_factory=PolicySetInput)


_DAYS = "Days ago, at most 6 are looked at; negative is ahead of the clock."


def days(description: str) -> list[int]:
    made: list[int] = strawberry.field(description=f"{description} {_DAYS}", default_factory=list)
    return made


@strawberry.input(
    description="Facts typed in by hand, to see what the policy would say of them. What is left out is zero or unknown."
)
class CustomerFactsInput:
    kept_orders: int = said("Orders neither voided nor refunded whole.", 0)
    occasions: int | None = said("Left out: as many as keptOrders.")
    first_purchase_days_ago: int | None = said("Needed when there are orders; negative is ahead of the clock.")
    last_purchase_days_ago: int | None = said("Needed when there are orders; negative is ahead of the clock.")
    occasion_days_ago: list[int] = days("The latest occasions, at most 6; so with every list of days here.")
    gross: Decimal = said("In the reporting currency.", Exactly(0))
    refunded: Decimal = said("In the reporting currency.", Exactly(0))
    inbound_days_ago: list[int] = days("Inbound touchpoints.")
    dialogue_days_ago: list[int] = days("Dialogues.")
    need_days_ago: list[int] = days("Needs confirmed.")
    co_creation_days_ago: list[int] = days("Co-creations and converted referrals.")
    brand_activity_days_ago: list[int] = days("Brand activities.")
    tailored_orders: int = said("Kept orders tailored to a need.", 0)
    converted_referrals: int = said("Referrals that became buyers.", 0)
    nps_answer: int | None = said("The latest answer, 0 to 10.")
    nps_days_ago: int | None = said("0 unless said.")
    csat_mean: float | None = said("1 to 5.")
    csat_count: int = said("How many answers; 1 when there is a mean.", 0)
    relative_quality: Decimal | None = said("1 = parity.")
    relative_price: Decimal | None = said("1 = parity.")
    open_complaints: int = said("Complaints that are not resolved.", 0)
    oldest_open_complaint_days_ago: int | None = said("0 unless said, when there are any.")
    committed: bool = said("Accepted a quote, signed a contract, or has an open loyalty account.", False)
    contactable: bool = said("A granted marketing consent, and not suppressed.", False)
    terminated_days_ago: int | None = said("The end by word; negative is ahead of the clock.")
