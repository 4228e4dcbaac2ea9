"""What an order and a refund must be, in whole minor units of their currency."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from app.customers import rules as customers
from app.customers.tables import Channel
from app.platform.access import exponent_of
from app.platform.days import local_day
from app.platform.refusals import Code, Problems
from app.platform.text import LARGEST, MILLION, Ref, clean, folded, half_away
from app.touchpoints.rules import Draft, Lookup, cleaned_ref, given_instant, ref_columns, units

AT_MOST_LINES = 200
_ONE = Decimal(1)


class LinePrice(TypedDict, total=False):
    """Either of them."""

    unit: Decimal
    total: Decimal


class PurchaseLine(TypedDict, total=False):
    sku: str | None
    name: str
    category: str | None
    quantity: Decimal
    price: LinePrice


class PurchaseRecord(TypedDict, total=False):
    customer: customers.Lookup
    purchased_at: datetime | None
    currency: str
    lines: Sequence[PurchaseLine]
    channel: str
    promotional: bool
    tailored_to: Lookup | None
    campaign_id: str | None
    external_ref: Ref | None


class PurchasesRecord(TypedDict, total=False):
    rows: Sequence[PurchaseRecord]
    on_error: str


class Money(TypedDict):
    amount: Decimal
    currency: str


class PurchaseRefund(TypedDict, total=False):
    purchase: Lookup
    amount: Money
    refunded_at: datetime | None
    reason: str | None
    external_ref: Ref | None


class PurchaseVoid(TypedDict, total=False):
    purchase: Lookup
    reason: str


@dataclass
class Order(Draft):
    """A purchase on its way in, with its lines."""

    lines: list[dict[str, Any]] = field(default_factory=list)


def needs_key(given: Any) -> bool:
    """Of a purchase, a batch or a refund: whether only an idempotency key could tell a retry from a second one."""
    rows = given.get("rows", [given])
    return any(row.get("external_ref") is None for row in rows)


def order(given: PurchaseRecord, now: datetime, zone: ZoneInfo, *path: str | int) -> Order:
    """A purchase, checked as far as its own words go."""
    problems = Problems(prefix=path)
    at = customers.occurred(problems, given.get("purchased_at"), now, "purchased_at")
    exponent = exponent_in(problems, given["currency"], "currency")
    lines = _lines(problems, given["lines"], 0 if exponent is None else exponent)
    gross = sum(line["total_minor"] for line in lines)
    if gross > LARGEST:
        problems.add(Code.OUT_OF_RANGE, "These lines are together more than an amount may be.", "lines")
    said = {
        "currency": given["currency"],
        "channel": customers.clean_choice(problems, Channel, given.get("channel", Channel.OTHER), "channel"),
        "promotional": bool(given.get("promotional", False)),
    }
    ref = cleaned_ref(problems, given.get("external_ref"))
    return Order(
        customer=given["customer"],
        problems=problems,
        ref=ref,
        link=given.get("tailored_to"),
        columns={
            **said,
            **ref_columns(ref),
            "purchased_at": at,
            "local_day": local_day(at, zone),
            "recorded_at": now,
            "exponent": exponent,
            "gross_minor": gross,
            "refunded_minor": 0,
            "tailored_to": None,
            "campaign_id": None,
        },
        campaign=given.get("campaign_id"),
        content={
            **said,
            "purchased_at": given_instant(given.get("purchased_at")),
            "lines": [[line[name] for name in _SAID_OF_A_LINE] for line in lines],
        },
        lines=lines,
    )


_SAID_OF_A_LINE = ("sku", "name", "category", "quantity_e6", "unit_minor", "total_minor")


def _lines(problems: Problems, given: Sequence[PurchaseLine], exponent: int) -> list[dict[str, Any]]:
    if not 1 <= len(given) <= AT_MOST_LINES:
        problems.add(Code.TOO_MANY if given else Code.REQUIRED, f"1 to {AT_MOST_LINES} lines.", "lines")
        return []
    return [_line(problems.under("lines", position), position, line, exponent) for position, line in enumerate(given)]


def _line(problems: Problems, position: int, given: PurchaseLine, exponent: int) -> dict[str, Any]:
    sku, category = clean(problems, given.get("sku"), "sku"), clean(problems, given.get("category"), "category")
    name = clean(problems, given["name"], "name", required=True)
    quantity = units(problems, given.get("quantity", _ONE), 6, "quantity", zero=False)
    unit, total = _price(problems, given["price"], exponent)
    if unit is not None and quantity is not None:
        total = half_away(quantity * unit, MILLION)
        if total > LARGEST:
            problems.add(Code.OUT_OF_RANGE, "This is more than an amount may be.", "price")
            total = None
    return {
        "position": position,
        "sku": sku,
        "sku_folded": folded(sku),
        "name": name,
        "name_folded": folded(name),
        "category": category,
        "category_folded": folded(category),
        "quantity_e6": quantity,
        "unit_minor": unit,
        "total_minor": total or 0,
    }


def _price(problems: Problems, price: LinePrice, exponent: int) -> tuple[int | None, int | None]:
    """The price of one, or of the line; in minor units."""
    if len(price) != 1:
        problems.add(Code.INVALID, "A price is for one unit or for the whole line: one of them.", "price")
    elif "unit" in price:
        return units(problems, price["unit"], exponent, "price", "unit"), None
    elif "total" in price:
        return None, units(problems, price["total"], exponent, "price", "total")
    return None, None


def exponent_in(problems: Problems, currency: str, *path: str | int) -> int | None:
    try:
        return _exponent(currency)
    except ValueError:
        problems.add(Code.INVALID, "This is no currency code of ISO 4217, like EUR.", *path)
        return None


# Only what is a currency is kept: there are some hundred and eighty.
_exponent = cache(exponent_of)


def shares(reporting: int | None, gross: int, amounts: Sequence[int]) -> list[int | None]:
    """What each refund of an order takes of its value in the reporting currency, in the order they were made.

    Each is the rounded share refunded by then, less what was taken before: so the refunds up to any day add up to the
    rounded share of that day, and those of a whole order to all of it. None while the order is not converted.
    """
    if reporting is None:
        return [None] * len(amounts)
    found: list[int | None] = []
    refunded = taken = 0
    for amount in amounts:
        refunded += amount
        share = half_away(reporting * refunded, gross)
        found.append(share - taken)
        taken = share
    return found


def printed(minor: int, exponent: int) -> str:
    return f"{Decimal(minor).scaleb(-exponent):f}"
