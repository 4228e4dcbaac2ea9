"""What is wrong with a contact, a purchase, a policy or a batch, and what is told of it."""

from typing import Any

from tests.api.acting import by, line, ref, said, unknown
from tests.api.refused_customers import LONG, LONGER, SOON

NEVER = "1849-12-31T00:00:00Z"
MONEY = {"amount": "1.00", "currency": "EUR"}


def bought(customer: str, **more: Any) -> Any:
    return {"customer": by(customer), "currency": "EUR", "lines": [line()], "externalRef": ref("new"), **more}


# field, input (made of the ids of a scene), codes with their paths below input.
EVENTS: dict[str, tuple[str, Any, list[str]]] = {
    "a contact, wrong in every part": (
        "touchpointRecord",
        lambda s: said(
            unknown("cus"),
            occurredAt=NEVER,
            subject=LONG,
            body=LONGER,
            sentiment=1.01,
            nps=9,
            csat=3,
            relativeQuality="1",
            relativePrice="1",
            inReplyTo=by(unknown("tou")),
            externalRef=ref("", "x" * 101),
            attributes={"a": "\x00"},
        ),
        [
            "NOT_FOUND customer",
            "OUT_OF_RANGE occurredAt",
            "TOO_LONG subject",
            "TOO_LONG body",
            "OUT_OF_RANGE sentiment",
            "INVALID nps",
            "INVALID csat",
            "INVALID relativeQuality",
            "INVALID relativePrice",
            "NOT_FOUND inReplyTo",
            "TOO_LONG externalRef.system",
            "REQUIRED externalRef.value",
            "INVALID attributes",
        ],
    ),
    "answers out of range": (
        "touchpointRecord",
        lambda s: said(s["ana"], kind="SURVEY", nps=11, csat=0, relativeQuality="0", relativePrice="1.1234567"),
        ["OUT_OF_RANGE nps", "OUT_OF_RANGE csat", "OUT_OF_RANGE relativeQuality", "INVALID relativePrice"],
    ),
    "an answer to another's contact": (
        "touchpointRecord",
        lambda s: said(s["ana"], inReplyTo=by(s["elsewhere"])),
        ["INVALID inReplyTo"],
    ),
    "an answer to what was retracted": (
        "touchpointRecord",
        lambda s: said(s["ana"], inReplyTo=by(s["gone"])),
        ["NOT_FOUND inReplyTo"],
    ),
    "a contact of several": (
        "touchpointRecord",
        lambda s: said("") | {"customer": {"email": "two@example.com"}},
        ["AMBIGUOUS customer"],
    ),
    "another contact of the same name": (
        "touchpointRecord",
        lambda s: said(s["ana"], externalRef=ref("note"), subject="Other"),
        ["TAKEN externalRef"],
    ),
    "a retraction without a reason": (
        "touchpointRetract",
        lambda s: {"touchpoint": by(s["note"]), "reason": " "},
        ["REQUIRED reason"],
    ),
    "retracted twice": (
        "touchpointRetract",
        lambda s: {"touchpoint": by(s["gone"]), "reason": "Again"},
        ["WRONG_STATE touchpoint"],
    ),
    "a retraction of nothing": (
        "touchpointRetract",
        lambda s: {"touchpoint": {"externalRef": ref("gone")}, "reason": LONGER},
        ["NOT_FOUND touchpoint", "TOO_LONG reason"],
    ),
    "a complaint that is none": (
        "complaintResolve",
        lambda s: {"touchpoint": by(s["note"]), "resolvedAt": SOON, "resolution": LONGER},
        ["WRONG_STATE touchpoint", "OUT_OF_RANGE resolvedAt", "TOO_LONG resolution"],
    ),
    "settled before it was made": (
        "complaintResolve",
        lambda s: {"touchpoint": by(s["complaint"]), "resolvedAt": "2026-05-31T23:59:59Z"},
        ["OUT_OF_RANGE resolvedAt"],
    ),
    "settled twice": ("complaintResolve", lambda s: {"touchpoint": by(s["settled"])}, ["WRONG_STATE touchpoint"]),
    "a purchase, wrong in every part": (
        "purchaseRecord",
        lambda s: bought(
            unknown("cus"),
            purchasedAt=SOON,
            lines=[
                {"name": " ", "quantity": "0", "price": {"unit": "1.001"}},
                {"name": LONG, "sku": LONG, "category": "\x01", "quantity": "1.1234567", "price": {"total": "-1"}},
            ],
            tailoredTo=by(s["kept"]),
            externalRef=ref("\x00"),
        ),
        [
            "NOT_FOUND customer",
            "OUT_OF_RANGE purchasedAt",
            "REQUIRED lines.0.name",
            "OUT_OF_RANGE lines.0.quantity",
            "INVALID lines.0.price.unit",
            "TOO_LONG lines.1.name",
            "TOO_LONG lines.1.sku",
            "INVALID lines.1.category",
            "INVALID lines.1.quantity",
            "OUT_OF_RANGE lines.1.price.total",
            "NOT_FOUND tailoredTo",
            "INVALID externalRef.value",
        ],
    ),
    "no lines": ("purchaseRecord", lambda s: bought(s["ana"], lines=[]), ["REQUIRED lines"]),
    "too many lines": ("purchaseRecord", lambda s: bought(s["ana"], lines=[line()] * 201), ["TOO_MANY lines"]),
    "more than an amount may be": (
        "purchaseRecord",
        lambda s: bought(s["ana"], lines=[line("90000000000000.00")] * 2),
        ["OUT_OF_RANGE lines"],
    ),
    "a line of more than may be": (
        "purchaseRecord",
        lambda s: bought(s["ana"], lines=[{"name": "X", "quantity": "9000", "price": {"unit": "90000000000.00"}}]),
        ["OUT_OF_RANGE lines.0.price"],
    ),
    "cents of a yen": (
        "purchaseRecord",
        lambda s: bought(s["ana"], currency="JPY", lines=[line("1.5")]),
        ["INVALID lines.0.price.total"],
    ),
    "tailored to what is no need": (
        "purchaseRecord",
        lambda s: bought(s["ana"], tailoredTo=by(s["note"])),
        ["INVALID tailoredTo"],
    ),
    "tailored to another's need": (
        "purchaseRecord",
        lambda s: bought(s["ana"], tailoredTo=by(s["elsewhere"])),
        ["INVALID tailoredTo"],
    ),
    "another purchase of the same name": (
        "purchaseRecord",
        lambda s: bought(s["ana"], externalRef=ref("kept")),
        ["TAKEN externalRef"],
    ),
    "a refund in other money": (
        "purchaseRefund",
        lambda s: {"purchase": by(s["kept"]), "amount": {"amount": "1.00", "currency": "USD"}, "externalRef": ref("r")},
        ["CURRENCY_MISMATCH amount.currency"],
    ),
    "more than is left": (
        "purchaseRefund",
        lambda s: {
            "purchase": by(s["kept"]),
            "amount": {"amount": "10.01", "currency": "EUR"},
            "refundedAt": "2026-05-31T00:00:00Z",
            "externalRef": ref("r"),
        },
        ["EXCEEDS_PURCHASE amount.amount", "OUT_OF_RANGE refundedAt"],
    ),
    "no amount at all": (
        "purchaseRefund",
        lambda s: {
            "purchase": by(s["kept"]),
            "amount": {"amount": "0", "currency": "EUR"},
            "refundedAt": SOON,
            "reason": LONGER,
            "externalRef": ref("r", " "),
        },
        ["OUT_OF_RANGE amount.amount", "OUT_OF_RANGE refundedAt", "TOO_LONG reason", "REQUIRED externalRef.system"],
    ),
    "a refund of what was voided": (
        "purchaseRefund",
        lambda s: {"purchase": by(s["voided"]), "amount": MONEY, "externalRef": ref("r")},
        ["WRONG_STATE purchase"],
    ),
    "voided twice": (
        "purchaseVoid",
        lambda s: {"purchase": by(s["voided"]), "reason": " "},
        ["WRONG_STATE purchase", "REQUIRED reason"],
    ),
    "a policy, wrong in every part": (
        "policyPublish",
        lambda s: {
            "expectedVersion": 7,
            "set": {
                "newDays": -1,
                "loyalMinOccasions": 0,
                "clientMinNeeds": None,
                "rfmRecencyCuts": [1, 2, 3],
                "rfmFrequencyCuts": [4, 3, 2, 1],
                "rfmMonetaryCuts": ["1.001", "-1", "3", "4"],
                "valueWeights": {
                    "recency": 0.5,
                    "frequency": 0.5,
                    "monetary": 0.5,
                    "engagement": 1.5,
                    "advocacy": 0.1234567,
                },
                "activeDays": 400,
                "marketingCapDays": 367,
            },
        },
        [
            "STALE_VERSION expectedVersion",
            "OUT_OF_RANGE set.newDays",
            "OUT_OF_RANGE set.loyalMinOccasions",
            "REQUIRED set.clientMinNeeds",
            "INVALID set.rfmRecencyCuts",
            "INVALID set.rfmFrequencyCuts",
            "INVALID set.rfmMonetaryCuts.0",
            "OUT_OF_RANGE set.rfmMonetaryCuts.1",
            "OUT_OF_RANGE set.valueWeights.engagement",
            "INVALID set.valueWeights.advocacy",
            "INVALID set.activeDays",
            "OUT_OF_RANGE set.marketingCapDays",
        ],
    ),
    "weights that are too heavy": (
        "policyPublish",
        lambda s: {
            "set": {"valueWeights": {"recency": 0.5, "frequency": 0.5, "monetary": 0.5, "engagement": 0, "advocacy": 0}}
        },
        ["INVALID set.valueWeights"],
    ),
    "cuts listed and taken": (
        "policyPublish",
        lambda s: {"rfmCutsFromBase": True, "set": {"rfmRecencyCuts": [1, 2, 3, 4]}},
        ["INVALID set.rfmRecencyCuts"],
    ),
    "a batch of too many customers": (
        "customersUpsert",
        lambda s: {"rows": [{"externalRef": ref(f"b{n}"), "set": {"name": "X"}} for n in range(201)]},
        ["TOO_MANY rows"],
    ),
    "a batch of too many contacts": (
        "touchpointsRecord",
        lambda s: {"rows": [said(s["ana"])] * 201},
        ["TOO_MANY rows"],
    ),
    "a batch of too many purchases": (
        "purchasesRecord",
        lambda s: {"rows": [bought(s["ana"])] * 201},
        ["TOO_MANY rows"],
    ),
}
