"""What can be done. Each field is one transaction; its action stands in the capability of the same name."""

from collections.abc import Callable
from typing import Any

import strawberry

from app.customers import actions as customers
from app.loyalty import actions as loyalty
from app.loyalty import programs
from app.loyalty.looks import before_buying, before_earning, before_spending
from app.purchases import actions as purchases
from app.purchases import refunds
from app.purchases.rules import needs_key
from app.scores import actions as scores
from app.touchpoints import actions as touchpoints
from schema import campaign_mutations as campaigns
from schema import inputs, keys, segments
from schema import loyalty_inputs as points
from schema.consents import Consent
from schema.enums import RowOutcome, UpsertOutcome
from schema.loyalty import LoyaltyAccount, LoyaltyProgram, Reward
from schema.loyalty_book import PointsEntry, PointsReservation, Redemption
from schema.mutation import mutation, payload
from schema.scores import Policy
from schema.segments import Segment
from schema.types import Customer, Purchase, Refund, Touchpoint

_OUTCOME = "What became of it."
_NEEDS_KEY = "Needs an idempotency key."


def _of_customer(name: str, said: str, **values: Any) -> type:
    return payload(f"Customer{name}Payload", said, {"customer": Customer}, values)


def _batch(name: str, row: type, counts: dict[str, str]) -> type:
    values = {"rows": (list[row], "By index, as given.")} | {key: (int, said) for key, said in counts.items()}  # type: ignore[valid-type]
    return payload(name, "A batch: every row answers, and the counts sum to the rows given.", {}, values)


def _row(name: str, outcome: Any, **rows: Any) -> type:
    return payload(name, "One row of a batch.", rows, {"index": (int, "From 0."), "outcome": (outcome, _OUTCOME)})


_RECORDED = {
    "recorded": "Recorded now.",
    "already_recorded": "Recorded before, with equal content.",
    "refused": "See their userErrors.",
    "not_attempted": "Not done, since another was refused.",
}
_UPSERTED = {
    "created": "There was none.",
    "updated": "Something changed.",
    "unchanged": "All was so already.",
    "refused": "See their userErrors.",
    "not_attempted": "Not done, since another was refused.",
}

Updated = _of_customer("Update", "A changed customer.")
CustomersUpserted = _batch(
    "CustomersUpsertPayload", _row("CustomerUpsertRow", UpsertOutcome, customer=Customer), _UPSERTED
)
ConsentRecorded = payload("ConsentRecordPayload", "A recorded word.", {"customer": Customer, "consent": Consent})
TouchpointRecorded = payload(
    "TouchpointRecordPayload", "A recorded contact.", {"touchpoint": Touchpoint}, {"outcome": (RowOutcome, _OUTCOME)}
)
TouchpointsRecorded = _batch(
    "TouchpointsRecordPayload", _row("TouchpointRow", RowOutcome, touchpoint=Touchpoint), _RECORDED
)
TouchpointRetracted = payload(
    "TouchpointRetractPayload",
    "A contact taken back; it is shown this once.",
    {"touchpoint": Touchpoint, "customer": Customer},
    even_hidden=True,
)
ComplaintResolved = payload("ComplaintResolvePayload", "A settled complaint.", {"touchpoint": Touchpoint})
PurchaseRecorded = payload(
    "PurchaseRecordPayload", "A recorded purchase.", {"purchase": Purchase}, {"outcome": (RowOutcome, _OUTCOME)}
)
PurchasesRecorded = _batch("PurchasesRecordPayload", _row("PurchaseRow", RowOutcome, purchase=Purchase), _RECORDED)
PurchaseRefunded = payload(
    "PurchaseRefundPayload",
    "A recorded refund.",
    {"purchase": Purchase, "refund": Refund},
    {"outcome": (RowOutcome, _OUTCOME)},
)
PurchaseVoided = payload("PurchaseVoidPayload", "A voided purchase.", {"purchase": Purchase})
ProgramCreated = payload("LoyaltyProgramCreatePayload", "A new programme.", {"program": LoyaltyProgram})
ProgramUpdated = payload("LoyaltyProgramUpdatePayload", "A changed programme.", {"program": LoyaltyProgram})
RewardCreated = payload("RewardCreatePayload", "A new reward.", {"reward": Reward})
RewardUpdated = payload("RewardUpdatePayload", "A changed reward.", {"reward": Reward})
AccountOpened = payload("LoyaltyAccountOpenPayload", "A new account.", {"account": LoyaltyAccount})
AccountClosed = payload("LoyaltyAccountClosePayload", "A closed account.", {"account": LoyaltyAccount})


_ENTRIES = {"account": LoyaltyAccount, "entries": list[PointsEntry]}
_REDEMPTION = {"account": LoyaltyAccount, "redemption": Redemption}
_RESERVATION = {"account": LoyaltyAccount, "reservation": PointsReservation}


def _moving(
    action: Any,
    input_type: type,
    rows: dict[str, Any],
    said: str,
    before: Callable[[Any], Any] | None = None,
) -> Any:
    """A mutation that moves points: it never goes without a key. `before`: what to read of the account first."""
    answer = payload(input_type.__name__.replace("Input", "Payload"), "What was moved, and where it stands.", rows)
    return mutation(
        action, input_type, answer, f"{said} {_NEEDS_KEY}", needs_key=lambda _: True, looks=_of_account(before)
    )


def _of_account(before: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return lambda given: before(given["account"]) if before else ()


SegmentCreated = payload("SegmentCreatePayload", "A new segment.", {"segment": Segment})
SegmentUpdated = payload("SegmentUpdatePayload", "A changed segment.", {"segment": Segment})
SegmentDeleted = payload(
    "SegmentDeletePayload", "A segment that is gone; it is shown this once.", {"segment": Segment}, even_hidden=True
)
PolicyPublished = payload("PolicyPublishPayload", "The new version.", {"policy": Policy})


def _batch_needs_key(given: Any) -> bool:
    return any(needs_key(row) for row in given["rows"])


@strawberry.type(description="What can be done. Every field takes @idempotent; one that is refused undoes only itself.")
class Mutation:
    customer_create = mutation(
        customers.create_customer,
        inputs.CustomerCreateInput,
        _of_customer("Create", "A new customer."),
        "Create a customer.",
    )
    customer_update = mutation(
        customers.update_customer, inputs.CustomerUpdateInput, Updated, "Change a customer's profile."
    )
    customer_upsert = mutation(
        customers.upsert_customer,
        inputs.CustomerUpsertInput,
        _of_customer("Upsert", "A customer as it was to be.", outcome=(UpsertOutcome, _OUTCOME)),
        "Create a customer or change it, by external reference.",
    )
    customers_upsert = mutation(
        customers.upsert_customers, inputs.CustomersUpsertInput, CustomersUpserted, "Upsert up to 200 customers."
    )
    customer_archive = mutation(
        customers.archive_customer,
        inputs.CustomerArchiveInput,
        _of_customer("Archive", "A hidden customer."),
        "Hide a customer and free its external references. Nothing is deleted.",
    )
    customer_restore = mutation(
        customers.restore_customer,
        inputs.CustomerRestoreInput,
        _of_customer("Restore", "A customer shown again."),
        "Show an archived customer again; TAKEN when a reference went to another since.",
    )
    customer_terminate = mutation(
        customers.terminate_customer,
        inputs.CustomerTerminateInput,
        _of_customer("Terminate", "A customer whose relationship ended."),
        "The relationship ended, by word of either side; a kept order after that day reopens it.",
    )
    customer_reinstate = mutation(
        customers.reinstate_customer,
        inputs.CustomerReinstateInput,
        _of_customer("Reinstate", "A customer whose relationship goes on."),
        "Take a termination back.",
    )
    consent_record = mutation(
        customers.record_consent, inputs.ConsentRecordInput, ConsentRecorded, "Record a word on a purpose and channel."
    )
    touchpoint_record = mutation(
        touchpoints.record_touchpoint,
        inputs.TouchpointRecordInput,
        TouchpointRecorded,
        "Record a contact.",
        light=True,
    )
    touchpoints_record = mutation(
        touchpoints.record_touchpoints, inputs.TouchpointsRecordInput, TouchpointsRecorded, "Record up to 200 contacts."
    )
    touchpoint_retract = mutation(
        touchpoints.retract_touchpoint,
        inputs.TouchpointRetractInput,
        TouchpointRetracted,
        "Recorded by mistake: as if it had never been, but for the audit trail.",
    )
    complaint_resolve = mutation(
        touchpoints.resolve_complaint, inputs.ComplaintResolveInput, ComplaintResolved, "Settle a complaint."
    )
    purchase_record = mutation(
        purchases.record_purchase,
        inputs.PurchaseRecordInput,
        PurchaseRecorded,
        "Record a purchase. Needs an idempotency key or an externalRef.",
        needs_key=needs_key,
        looks=lambda given: before_buying(given["customer"]),
    )
    purchases_record = mutation(
        purchases.record_purchases,
        inputs.PurchasesRecordInput,
        PurchasesRecorded,
        "Record up to 200 purchases. Every row needs an externalRef, or the field an idempotency key.",
        needs_key=_batch_needs_key,
    )
    purchase_refund = mutation(
        refunds.refund_purchase,
        inputs.PurchaseRefundInput,
        PurchaseRefunded,
        "Record money given back. Needs an idempotency key or an externalRef. More than is left is refused with EXCEEDS_PURCHASE.",
        needs_key=needs_key,
    )
    purchase_void = mutation(
        refunds.void_purchase,
        inputs.PurchaseVoidInput,
        PurchaseVoided,
        "Recorded by mistake: as if it had never been, but for the audit trail.",
    )
    policy_publish = mutation(
        scores.publish_policy,
        inputs.PolicyPublishInput,
        PolicyPublished,
        "Publish a new version of the policy; it holds from now on.",
    )
    segment_create = mutation(
        segments.create, segments.SegmentCreateInput, SegmentCreated, "Save a filter of customers under a name."
    )
    segment_update = mutation(
        segments.update,
        segments.SegmentUpdateInput,
        SegmentUpdated,
        "Change a segment: whoever asks for it finds the others from now on, and a campaign that was launched keeps its members.",
    )
    segment_delete = mutation(
        segments.delete,
        segments.SegmentDeleteInput,
        SegmentDeleted,
        "Delete a segment and free its name; a filter that still names it finds nobody by it.",
    )
    loyalty_program_create = mutation(
        programs.create_program, points.LoyaltyProgramCreateInput, ProgramCreated, "Create a loyalty programme."
    )
    loyalty_program_update = mutation(
        programs.update_program,
        points.LoyaltyProgramUpdateInput,
        ProgramUpdated,
        "Change a programme's terms. They hold from now on; what was earned keeps its rule.",
    )
    reward_create = mutation(programs.create_reward, points.RewardCreateInput, RewardCreated, "Create a reward.")
    reward_update = mutation(programs.update_reward, points.RewardUpdateInput, RewardUpdated, "Change a reward.")
    loyalty_account_open = mutation(
        loyalty.open_account,
        points.LoyaltyAccountOpenInput,
        AccountOpened,
        "Make a customer a member: purchases in the programme's currency that are recorded from then on earn, whatever their day.",
    )
    loyalty_account_close = mutation(
        loyalty.close_account,
        points.LoyaltyAccountCloseInput,
        AccountClosed,
        "Close an account. Refused while points are reserved or owed; what is available is forfeited, as an entry.",
    )
    points_earn = _moving(
        loyalty.earn_points,
        points.PointsEarnInput,
        _ENTRIES,
        "Issue points otherwise than by a purchase.",
        before_earning,
    )
    points_redeem = _moving(
        loyalty.redeem_points,
        points.PointsRedeemInput,
        _REDEMPTION,
        "Spend points, or take a reward for them.",
        before_spending,
    )
    redemption_reverse = _moving(
        loyalty.reverse_redemption,
        points.RedemptionReverseInput,
        _REDEMPTION,
        "Give points of a redemption back, into the lots they came from, with their days.",
    )
    points_reserve = _moving(
        loyalty.reserve_points,
        points.PointsReserveInput,
        _RESERVATION,
        "Hold points for a while.",
        before_spending,
    )
    reservation_capture = _moving(
        loyalty.capture_reservation,
        points.ReservationCaptureInput,
        _RESERVATION,
        "Spend some or all of what is held, once; the rest returns.",
    )
    reservation_void = _moving(
        loyalty.void_reservation, points.ReservationVoidInput, _RESERVATION, "Let go of what is held."
    )
    points_adjust = _moving(
        loyalty.adjust_points,
        points.PointsAdjustInput,
        _ENTRIES,
        "Correct a balance by hand; it cannot be overdrawn.",
        before_spending,
    )
    points_transfer = _moving(
        loyalty.transfer_points,
        points.PointsTransferInput,
        {"from": LoyaltyAccount, "to": LoyaltyAccount, "entries": list[PointsEntry]},
        "Points from one member to another of the same programme; they keep their days.",
    )
    campaign_create = campaigns.create
    campaign_update = campaigns.update
    campaign_launch = campaigns.launch
    campaign_cost_record = campaigns.record_cost
    campaign_complete = campaigns.complete
    campaign_cancel = campaigns.cancel
    api_key_create = keys.create
    api_key_revoke = keys.revoke
