"""Input types of loyalty, named as the contract names them."""

from decimal import Decimal as Exactly

import strawberry

from schema.inputs import CustomerLookup, must, said
from schema.scalars import CurrencyCode, Date, Decimal, SafeInt

_EXPECTED = "The version this was read at; STALE_VERSION when it is no longer true."
_EARN_RATE = "Points per whole currency unit of net spend, at most six decimals; rounded down per order."
_POINT_VALUE = "What one point is worth when spent, in whole units of the currency, at most six decimals."
_ACTIVATION = "Days from earning until points can be spent; 0 to 36,500."
_EXPIRY = "Days from activation until points expire, 1 to 36,500; null: never."
_GRACE = "Days into a new calendar year in which the old level still holds; 0 to 365."
_SOFT = "Fall one level at a time, not to where the points are."
_REASON = "For the books; at most 1,000 characters."


@strawberry.input(one_of=True, description="Which account.")
class LoyaltyAccountLookup:
    id: strawberry.ID | None = said("Its id.")
    number: str | None = said("Its number.")


# ------------------------------------------------------------------ programmes and rewards


@strawberry.input(description="A level of members.")
class LoyaltyLevelInput:
    name: str = must("As members know it, like 金星.")
    rank: int = must("The higher, the better; no two alike.")
    qualify_points: SafeInt = must("So many points that qualify, in one calendar year, reach it at once.")
    retain_points: SafeInt = must("So many in the year before keep it; not more than qualifyPoints.")
    multiplier: Decimal = said(
        "By which earned points are multiplied, at most six decimals; 1 unless said.", Exactly(1)
    )
    benefits: list[str] = strawberry.field(description="What members of it enjoy; at most 20.", default_factory=list)


@strawberry.input(description="A new programme.")
class LoyaltyProgramCreateInput:
    name: str = must("1 to 200 characters.")
    points_name: str = said("What its points are called, like stars.", "points")
    currency: CurrencyCode = must("Purchases in this currency earn.")
    earn_rate: Decimal = must(_EARN_RATE)
    activation_days: int = said(_ACTIVATION, 0)
    expiry_days: int | None = said(_EXPIRY)
    point_value: Decimal = said(_POINT_VALUE, Exactly("0.01"))
    level_grace_days: int = said(_GRACE, 30)
    soft_landing: bool = said(_SOFT, True)
    levels: list[LoyaltyLevelInput] = strawberry.field(
        description="At most 50; none unless said.", default_factory=list
    )


@strawberry.input(description="What is left out stays as it is.")
class LoyaltyProgramSetInput:
    name: str | None = said("1 to 200 characters.")
    points_name: str | None = said("What its points are called.")
    earn_rate: Decimal | None = said(_EARN_RATE)
    activation_days: int | None = said(_ACTIVATION)
    expiry_days: int | None = said(_EXPIRY)
    point_value: Decimal | None = said(_POINT_VALUE)
    level_grace_days: int | None = said(_GRACE)
    soft_landing: bool | None = said(_SOFT)
    levels: list[LoyaltyLevelInput] | None = said("All of them, in place of those that were.")


@strawberry.input(description="New terms of a programme; they hold from now on.")
class LoyaltyProgramUpdateInput:
    id: strawberry.ID = must("Which programme.")
    expected_version: int | None = said(_EXPECTED)
    set: LoyaltyProgramSetInput = must("What is to be otherwise.")


@strawberry.input(description="Something that points buy.")
class RewardCreateInput:
    program_id: strawberry.ID = must("In which programme.")
    name: str = must("1 to 200 characters.")
    points: SafeInt = must("What it costs; 1 or more.")
    stock: int | None = said("How many there are; null: unlimited.")


@strawberry.input(description="What is left out stays as it is.")
class RewardSetInput:
    name: str | None = said("1 to 200 characters.")
    points: SafeInt | None = said("What it costs; 1 or more.")
    stock: int | None = said("How many there are; null: unlimited.")
    active: bool | None = said("Whether it can be had.")


@strawberry.input(description="A change of a reward.")
class RewardUpdateInput:
    id: strawberry.ID = must("Which reward.")
    set: RewardSetInput = must("What is to be otherwise.")


# ------------------------------------------------------------------ accounts


@strawberry.input(description="A customer becomes a member.")
class LoyaltyAccountOpenInput:
    program_id: strawberry.ID = must("Of which programme.")
    customer: CustomerLookup = must("Who.")
    number: str | None = said("At most 64 characters, unique in the organisation; one is made unless given.")


@strawberry.input(description="The end of a membership.")
class LoyaltyAccountCloseInput:
    account: LoyaltyAccountLookup = must("Which account.")
    reason: str | None = said(_REASON)


# ------------------------------------------------------------------ points


@strawberry.input(description="Points earned otherwise than by a purchase.")
class PointsEarnInput:
    account: LoyaltyAccountLookup = must("Whose.")
    points: SafeInt = must("1 or more.")
    reason: str = must(_REASON)
    active_on: Date | None = said("The day from which they can be spent; as the programme says unless given.")
    expires_on: Date | None = said("The day on which they are gone; as the programme says unless given.")


@strawberry.input(one_of=True, description="What is spent: points, or the price of a reward.")
class PointsSpendInput:
    points: SafeInt | None = said("1 or more.")
    reward_id: strawberry.ID | None = said("A reward of the account's programme.")


@strawberry.input(description="Points to be spent; all or none.")
class PointsRedeemInput:
    account: LoyaltyAccountLookup = must("Whose.")
    spend: PointsSpendInput = must("What.")
    reason: str | None = said(_REASON)


@strawberry.input(description="Spent points to be given back.")
class RedemptionReverseInput:
    redemption_id: strawberry.ID = must("Of which redemption; a capture makes one too.")
    points: SafeInt = must("Not more than are left of it.")
    reason: str | None = said(_REASON)


@strawberry.input(description="Points to be held for a while.")
class PointsReserveInput:
    account: LoyaltyAccountLookup = must("Whose.")
    points: SafeInt = must("1 or more.")
    minutes: int = said("For how long; 1 to 43,200 (30 days).", 15)


@strawberry.input(description="Held points to be spent.")
class ReservationCaptureInput:
    reservation_id: strawberry.ID = must("Which reservation.")
    points: SafeInt = must("Not more than are held; the rest returns.")


@strawberry.input(description="Held points to be let go.")
class ReservationVoidInput:
    reservation_id: strawberry.ID = must("Which reservation.")


@strawberry.input(description="A correction by hand.")
class PointsAdjustInput:
    account: LoyaltyAccountLookup = must("Whose.")
    points: SafeInt = must("Signed: added, or taken of what is available.")
    reason: str = must(_REASON)
    expires_on: Date | None = said("Of added ones, the day on which they are gone.")


@strawberry.input(description="Points from one member to another of the same programme.")
class PointsTransferInput:
    from_: LoyaltyAccountLookup = strawberry.field(name="from", description="Who gives.")
    to: LoyaltyAccountLookup = must("Who gets.")
    points: SafeInt = must("1 or more; they keep their days.")
    reason: str | None = said(_REASON)
