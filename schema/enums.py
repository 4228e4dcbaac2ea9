"""Enumerations as the API shows them: the term of the Chinese source texts, or what a value means."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeVar

import strawberry

from app.campaigns.attribution import AttributionKey, AttributionModel
from app.campaigns.measures import MemberStatus as CampaignMemberStatus
from app.customers.tables import Channel, ConsentPurpose, ConsentState, CustomerKind
from app.loyalty.tables import AccountStatus as LoyaltyAccountStatus
from app.loyalty.tables import EntryKind as PointsEntryKind
from app.loyalty.tables import LedgerAccount
from app.loyalty.tables import ReservationStatus as PointsReservationStatus
from app.outreach.tables import CampaignArm, CampaignObjective, CampaignStatus, ExclusionReason
from app.platform.refusals import Code
from app.purchases.tables import PurchaseStatus
from app.relationships.measures import NextAction, RelationshipTier
from app.scores.behavior import BehaviorType
from app.scores.lifecycle import LifecyclePhase, LifecycleStage
from app.touchpoints.tables import Direction, TouchpointKind

__all__ = [
    "ArchivedScope",
    "AttributionKey",
    "AttributionModel",
    "BatchOnError",
    "BehaviorType",
    "CampaignArm",
    "CampaignMemberStatus",
    "CampaignObjective",
    "CampaignStatus",
    "Channel",
    "Code",
    "ConsentPurpose",
    "ConsentState",
    "CustomerKind",
    "Direction",
    "ExclusionReason",
    "LedgerAccount",
    "LifecyclePhase",
    "LifecycleStage",
    "LoyaltyAccountStatus",
    "NextAction",
    "OrderDirection",
    "PointsEntryKind",
    "PointsReservationStatus",
    "PurchaseStatus",
    "RelationshipTier",
    "RowOutcome",
    "TouchpointKind",
    "UpsertOutcome",
    "described",
    "named_enum",
]

Made = TypeVar("Made", bound=type[Enum])


def described(of: Made, description: str, name: str | None = None, **values: str) -> Made:
    """Show an enumeration; each member with its description."""
    made: Any = strawberry.enum(of, name=name or of.__name__, description=description)
    for value in made.__strawberry_definition__.values:
        value.description = values[value.name]
    found: Made = made
    return found


def named_enum(name: str, members: Iterable[str]) -> Any:
    """An enumeration of these names, each its own value."""
    make: Any = Enum
    return make(name, {member: member for member in members})


class OrderDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


class ArchivedScope(Enum):
    EXCLUDE = "EXCLUDE"
    INCLUDE = "INCLUDE"
    ONLY = "ONLY"


class UpsertOutcome(Enum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"


class RowOutcome(Enum):
    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    REFUSED = "REFUSED"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"


class BatchOnError(Enum):
    REJECT_ALL = "REJECT_ALL"
    REJECT_ROW = "REJECT_ROW"


described(
    OrderDirection,
    "The direction of a sort key.",
    ASC="Least, first or oldest first.",
    DESC="Greatest, last or newest first.",
)
described(
    ArchivedScope,
    "Whether archived customers are among those asked about. Through a relation (touchpoint.customer) all are.",
    EXCLUDE="Only those that are not archived.",
    INCLUDE="All.",
    ONLY="Only archived ones.",
)
described(
    UpsertOutcome,
    "What became of an upsert.",
    CREATED="There was none by that reference; there is now.",
    UPDATED="Something changed; the version rose by one.",
    UNCHANGED="All was so already: no new version, no event.",
    REFUSED="See the row's userErrors; nothing of it was done.",
    NOT_ATTEMPTED="Another row was refused, and the batch is all or nothing.",
)
described(
    RowOutcome,
    "What became of something recorded. A repeat with the same externalRef and equal content is ALREADY_RECORDED and answers the existing one; "
    "with other content it is TAKEN.",
    RECORDED="Recorded now.",
    ALREADY_RECORDED="The same was recorded before; the existing one is answered.",
    REFUSED="See the userErrors; nothing of it was done.",
    NOT_ATTEMPTED="Another row was refused, and the batch is all or nothing.",
)
described(
    BatchOnError,
    "What happens to the rest of a batch when a row is refused. At most 200 rows.",
    REJECT_ALL="Nothing is done; good rows say NOT_ATTEMPTED.",
    REJECT_ROW="The rest is done.",
)
described(CustomerKind, "What a customer is.", PERSON="A person.", COMPANY="A company or another organisation.")
described(
    RelationshipTier,
    "How close: what the relationship is centred on.",
    BUYER="一般客户（个人客户）, centred on price.",
    CUSTOMER="客户, centred on the product.",
    CLIENT="客户 (client), centred on the need.",
    PARTNER="合作伙伴, centred on shared value.",
)
described(
    LifecycleStage,
    "How deep the bond is.",
    PROSPECT="潜在客户",
    NEW="新客户",
    ACTIVE="活跃客户",
    LOYAL="忠诚客户",
    CHURNED="流失客户",
)
described(
    LifecyclePhase,
    "Which way the relationship moves.",
    DEVELOPMENT="发展",
    SIGNING="签约",
    GROWTH="成长",
    MATURITY="成熟",
    DECLINE="衰退",
    TERMINATION="关系终止",
)
described(
    NextAction,
    "The next best action.",
    RESOLVE_COMPLAINT="客户投诉管理",
    WIN_BACK="流失客户挽回",
    RECOVER_DISSATISFIED="不满意客户管理",
    PREVENT_TERMINATION="客户终止预防管理",
    CONVERT_PROSPECT="潜在客户转化",
    CLOSE_FIRST_ORDER="Ours: the source texts have no signing strategy.",
    NURTURE_SECOND_PURCHASE="新客户培养",
    CAPTURE_NEEDS="发现客户潜在需求",
    BUILD_SATISFACTION="满意度营销",
    INVITE_COCREATION="共同创造价值",
    REWARD_LOYALTY="忠诚客户维护",
)
described(
    BehaviorType,
    "Named types of those with a kept order.",
    AMBASSADOR="品牌大使型",
    HIGH_FREQUENCY="高频消费型",
    GROWTH_POTENTIAL="潜力增长型",
    OCCASIONAL="偶发购买型",
)
described(
    ConsentPurpose,
    "What a consent is for.",
    MARKETING="Offers, news, invitations.",
    SERVICE="Messages about what was bought or asked.",
    ANALYTICS="Being counted in analyses.",
    PROFILING="Being judged one by one, as scores do.",
)
described(ConsentState, "The word that was given.", GRANTED="Yes.", WITHDRAWN="No longer, or no.")
described(
    Channel,
    "Where a contact took place. 接触点渠道",
    WEBSITE="The website or online store.",
    APP="The mobile app.",
    EMAIL="Electronic mail.",
    PHONE="A telephone call.",
    SMS="A text message.",
    CHAT="Live chat.",
    WECHAT="微信",
    PUSH="A push notification.",
    SOCIAL="Social media.",
    STORE="A shop.",
    EVENT="An event.",
    MAIL="A letter or a parcel.",
    VISIT="A visit at the customer's.",
    PARTNER="Through a partner.",
    OTHER="Any other.",
)
described(Direction, "Who spoke.", name="TouchpointDirection", INBOUND="The customer.", OUTBOUND="We.")
described(
    TouchpointKind,
    "What kind of contact it was.",
    MESSAGE="A written message.",
    CALL="A call; a dialogue.",
    MEETING="A meeting; a dialogue.",
    BROWSE="Looked at pages.",
    SEARCH="Searched.",
    CLICK="Clicked.",
    REVIEW="A published review.",
    SOCIAL="A post, a comment, a like.",
    SURVEY="A survey's answer.",
    COMPLAINT="A complaint, open until resolved.",
    NEED="A need confirmed by the customer.",
    CO_CREATION="An accepted idea, a co-design session, a joint project, a case published together.",
    REFERRAL="Someone this customer referred has become a buyer.",
    EVENT="Took part in an event of the brand.",
    CARE="A greeting or a gift.",
    QUOTE_ACCEPTED="Accepted a quote: committed.",
    CONTRACT_SIGNED="Signed a contract: committed.",
    NOTE="A note of ours.",
    OTHER="Any other.",
)
described(
    PurchaseStatus,
    "REFUNDED: something was refunded and nothing is left. Kept orders are all but REFUNDED and VOIDED.",
    COMPLETED="Nothing was refunded.",
    PARTLY_REFUNDED="Some of it was refunded.",
    REFUNDED="All of it was refunded.",
    VOIDED="Recorded by mistake.",
)
described(
    LoyaltyAccountStatus,
    "Whether an account can be used.",
    name="LoyaltyAccountStatus",
    OPEN="It earns and spends.",
    CLOSED="Closed for ever; its book stays.",
)
described(
    PointsEntryKind,
    "What moved points.",
    name="PointsEntryKind",
    EARN="Issued, to be available at once or later.",
    ACTIVATE="Pending points became available.",
    REDEEM="Spent.",
    REVERSE_REDEMPTION="Spent points were given back.",
    RESERVE="Held for a while.",
    CAPTURE="Held points were spent.",
    VOID="Held points returned: let go, left over, or timed out.",
    EXPIRE="Their day had come.",
    CLAW_BACK="Taken back after a refund or a void.",
    SETTLE_DEBT="What came in paid what was owed.",
    ADJUST="Added or taken by hand.",
    TRANSFER="From one member to another: an entry in the book of each.",
    FORFEIT="Given up when the account was closed.",
)
described(
    LedgerAccount,
    "The accounts of the double entry: five of the programme, four of each member.",
    ISSUED="The programme's: what was earned, as a negative number.",
    REDEEMED="The programme's: what was spent.",
    EXPIRED="The programme's: what expired or was given up.",
    REVERSED="The programme's: what was taken back.",
    ADJUSTMENTS="The programme's: what was added by hand, as a negative number.",
    PENDING="A member's: earned, to be available later.",
    AVAILABLE="A member's: can be spent.",
    RESERVED="A member's: held for a while.",
    DEBT="A member's: what is owed, as a negative number.",
)
described(
    PointsReservationStatus,
    "What became of held points.",
    name="PointsReservationStatus",
    OPEN="They are held.",
    CAPTURED="Some or all of them were spent; the rest returned.",
    VOIDED="They were let go.",
    EXPIRED="The time was over; they returned by themselves.",
)
described(
    CampaignStatus,
    "How far a campaign is.",
    DRAFT="Planned: nobody is enrolled.",
    RUNNING="Launched: audience and arms are frozen, members may be contacted.",
    COMPLETED="Over: nobody is contacted any more; purchases still count until the window closes.",
    CANCELLED="Called off, before or after launch.",
)
described(
    CampaignObjective,
    "What a campaign is for: the next best actions of customers, and four more.",
    RESOLVE_COMPLAINT="客户投诉管理",
    WIN_BACK="流失客户挽回",
    RECOVER_DISSATISFIED="不满意客户管理",
    PREVENT_TERMINATION="客户终止预防管理",
    CONVERT_PROSPECT="潜在客户转化",
    CLOSE_FIRST_ORDER="Turn a commitment into a first order.",
    NURTURE_SECOND_PURCHASE="新客户培养",
    CAPTURE_NEEDS="发现客户潜在需求",
    BUILD_SATISFACTION="满意度营销",
    INVITE_COCREATION="共同创造价值",
    REWARD_LOYALTY="忠诚客户维护",
    ACQUIRE="Find new customers. 客户获取",
    CARE="Greet and thank, like on birthdays. 客户关怀",
    LAUNCH="Present something new.",
    OTHER="Any other.",
)
described(
    CampaignArm,
    "The part of a campaign's members that one belongs to.",
    TREATMENT="May be contacted.",
    HOLDOUT="Kept untouched, to tell what would have happened anyway. 对照组",
)
described(
    CampaignMemberStatus,
    "The highest reached; refunds undo a conversion.",
    name="CampaignMemberStatus",
    ENROLLED="In an arm, and nothing more.",
    CONTACTED="We have written or called on the campaign's channel.",
    RESPONDED="The customer has answered, on any channel.",
    CONVERTED="Has bought, and kept it, in the conversion window.",
)
described(
    ExclusionReason,
    "Why somebody whom an audience finds is left out, in the order in which reasons are applied.",
    ARCHIVED="The customer is archived.",
    NO_CONSENT="No consent to that purpose on that channel.",
    SUPPRESSED="Never to be contacted for marketing.",
    FREQUENCY_CAP="Has had as many marketing contacts of late as the policy allows.",
)
described(
    AttributionModel,
    "How a purchase is shared by the touches of the look-back, whatever their kind and direction. Each part is rounded "
    "down to the minor unit; what is left over goes to the largest remainders, of equal ones to the later touch. 归因模型",
    FIRST="All to the first touch.",
    LAST="All to the last touch.",
    LINEAR="To all alike.",
    POSITION="40 % to the first, 40 % to the last, 20 % to all in between alike; of two, half each.",
    TIME_DECAY="By 2^(-days/7), days being whole local ones from the touch to the purchase: half as much a week earlier.",
)
described(
    AttributionKey,
    "What credit goes to.",
    CHANNEL="The channel of each touch.",
    CAMPAIGN="The campaign in whose name each touch was.",
)
described(
    Code,
    "What a program can test in a user error.",
    name="ErrorCode",
    INVALID="Not of the form or meaning that is asked for.",
    REQUIRED="May not be left out or blank.",
    NOT_FOUND="There is none: never was, or it is another's.",
    AMBIGUOUS="Several answer to that; name one by id.",
    TAKEN="Another one has it: see existing.",
    TOO_LONG="Longer than is kept.",
    TOO_MANY="More than are taken at once.",
    OUT_OF_RANGE="Outside the bounds that the message names.",
    STALE_VERSION="Changed since that version: see current.",
    WRONG_STATE="Not possible in the state that it is in.",
    ARCHIVED="Archived; restore it first.",
    NOT_ATTEMPTED="Not tried, since another part was refused.",
    CURRENCY_MISMATCH="Another currency than that of what it belongs to.",
    NO_CONSENT="The customer has not agreed to that.",
    INSUFFICIENT_POINTS="More points than are available.",
    RESERVATION_CLOSED="The reservation is captured, voided or expired.",
    EXCEEDS_RESERVATION="More than was reserved.",
    EXCEEDS_REDEMPTION="More than was redeemed.",
    EXCEEDS_PURCHASE="More than is left of the purchase.",
    IDEMPOTENCY_KEY_REQUIRED="Needs an idempotency key.",
    IDEMPOTENCY_KEY_REUSED="That key was used with other arguments.",
    IDEMPOTENCY_IN_PROGRESS="The first request with that key is still running.",
)
