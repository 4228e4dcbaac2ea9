"""What is wrong with a customer, or with what is done to one, and what is told of it."""

from typing import Any

from tests.api.acting import by, ref

LONG, LONGER = "x" * 201, "x" * 10_001
SOON = "2026-06-15T12:05:01Z"


def update(ids: dict[str, Any], **given: Any) -> Any:
    return {"customer": by(ids["ana"]), "set": given}


# field, input (made of the ids of a scene), codes with their paths below input.
CUSTOMERS: dict[str, tuple[str, Any, list[str]]] = {
    "a profile, wrong in every part": (
        "customerCreate",
        lambda s: {
            "name": " \t ",
            "email": "ana at example",
            "phone": "0612345678",
            "birthday": "2026-06-16",
            "city": LONG,
            "region": "bell\x07",
            "country": "Atlantis",
            "language": "klingonish!",
            "externalRefs": [ref("bo"), ref(" "), ref("a", "x" * 101), ref("c", "web"), ref("d", "web")],
            "attributes": {"a": {"b": {"c": {"d": {"e": {}}}}}},
        },
        [
            "REQUIRED name",
            "INVALID email",
            "INVALID phone",
            "OUT_OF_RANGE birthday",
            "TOO_LONG city",
            "INVALID region",
            "INVALID country",
            "INVALID language",
            "TAKEN externalRefs.0",
            "REQUIRED externalRefs.1.value",
            "TOO_LONG externalRefs.2.system",
            "INVALID externalRefs.4",
            "INVALID attributes",
        ],
    ),
    "an old birthday": ("customerCreate", lambda s: {"name": "X", "birthday": "1849-12-31"}, ["OUT_OF_RANGE birthday"]),
    "a long name": ("customerCreate", lambda s: {"name": LONG}, ["TOO_LONG name"]),
    "a name of NUL": ("customerCreate", lambda s: {"name": "secret\x00name"}, ["INVALID name"]),
    "a long email": ("customerCreate", lambda s: {"name": "X", "email": "x" * 255}, ["TOO_LONG email"]),
    "large attributes": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": "x" * 16_400}},
        ["TOO_LONG attributes"],
    ),
    "attributes with NUL": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": ["secret\x00"]}},
        ["INVALID attributes"],
    ),
    "attributes with huge numbers": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": 2**53}},
        ["OUT_OF_RANGE attributes"],
    ),
    "too many references": (
        "customerCreate",
        lambda s: {"name": "X", "externalRefs": [ref("v", f"z{n}") for n in range(51)]},
        ["TOO_MANY externalRefs"],
    ),
    "one reference too many": (
        "customerUpdate",
        lambda s: {"customer": by(s["ed"]), "set": {"externalRefs": [ref("v")]}},
        ["TOO_MANY set.externalRefs.0"],
    ),
    "what may not be emptied": (
        "customerUpdate",
        lambda s: update(s, name=None, kind=None, suppressed=None),
        ["REQUIRED set.name", "REQUIRED set.kind", "REQUIRED set.suppressed"],
    ),
    "another's reference": (
        "customerUpdate",
        lambda s: update(s, externalRefs=[ref("bo")]),
        ["TAKEN set.externalRefs.0"],
    ),
    "all of an update at once": (
        "customerUpdate",
        lambda s: {
            "customer": {"externalRef": ref("bo")},
            "expectedVersion": 1,
            "set": {"name": "", "email": "x", "externalRefs": [ref("ana")]},
        },
        ["STALE_VERSION expectedVersion", "REQUIRED set.name", "INVALID set.email", "TAKEN set.externalRefs.0"],
    ),
    "an update of nobody": (
        "customerUpdate",
        lambda s: {"customer": {"email": "nobody@example.com"}, "set": {"email": "x"}},
        ["NOT_FOUND customer", "INVALID set.email"],
    ),
    "an update of several": (
        "customerUpdate",
        lambda s: {"customer": {"email": "two@example.com"}, "set": {}},
        ["AMBIGUOUS customer"],
    ),
    "an archived one, by what it gave up": (
        "customerUpdate",
        lambda s: {"customer": {"externalRef": ref("di")}, "set": {}},
        ["NOT_FOUND customer"],
    ),
    "an update of an archived one": (
        "customerUpdate",
        lambda s: {"customer": by(s["di"]), "set": {"city": "X"}},
        ["ARCHIVED customer"],
    ),
    "a new customer without a name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("new"), "set": {}},
        ["REQUIRED set.name"],
    ),
    "a version of nobody": (
        "customerUpsert",
        lambda s: {"externalRef": ref("new"), "expectedVersion": 1, "set": {"name": "X"}},
        ["NOT_FOUND externalRef"],
    ),
    "a stale upsert": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo"), "expectedVersion": 9, "set": {}},
        ["STALE_VERSION expectedVersion"],
    ),
    "an upsert with another's name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo", "web"), "set": {"externalRefs": [ref("ana")]}},
        ["TAKEN set.externalRefs.0"],
    ),
    "an upsert that loses its name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo"), "set": {"externalRefsRemove": [ref("bo")]}},
        ["INVALID set.externalRefsRemove"],
    ),
    "an upsert by nothing": (
        "customerUpsert",
        lambda s: {"externalRef": ref(" "), "set": {"email": "x"}},
        ["REQUIRED externalRef.value", "INVALID set.email"],
    ),
    "archived twice": ("customerArchive", lambda s: {"customer": by(s["di"])}, ["ARCHIVED customer"]),
    "a stale archive": (
        "customerArchive",
        lambda s: {"customer": by(s["bo"]), "expectedVersion": 1},
        ["STALE_VERSION expectedVersion"],
    ),
    "an archive of several": (
        "customerArchive",
        lambda s: {"customer": {"email": "two@example.com"}},
        ["AMBIGUOUS customer"],
    ),
    "a restore of a live one": (
        "customerRestore",
        lambda s: {"id": s["ana"], "expectedVersion": 5},
        ["WRONG_STATE id", "STALE_VERSION expectedVersion"],
    ),
    "an end out of time": (
        "customerTerminate",
        lambda s: {"customer": by(s["bo"]), "expectedVersion": 1, "terminatedOn": "1849-12-31", "reason": "x" * 1001},
        ["STALE_VERSION expectedVersion", "OUT_OF_RANGE terminatedOn", "TOO_LONG reason"],
    ),
    "an end of an archived one": (
        "customerTerminate",
        lambda s: {"customer": by(s["di"]), "terminatedOn": "2026-01-01"},
        ["ARCHIVED customer"],
    ),
    "no end to take back": ("customerReinstate", lambda s: {"customer": by(s["ana"])}, ["WRONG_STATE customer"]),
    "a stale reinstatement": (
        "customerReinstate",
        lambda s: {"customer": by(s["ana"]), "expectedVersion": 3},
        ["STALE_VERSION expectedVersion"],
    ),
    "a word that is to come": (
        "consentRecord",
        lambda s: {
            "customer": {"phone": "+33612345678"},
            "purpose": "SERVICE",
            "channel": "SMS",
            "state": "GRANTED",
            "at": SOON,
            "source": LONG,
            "policyText": LONGER,
        },
        ["NOT_FOUND customer", "OUT_OF_RANGE at", "TOO_LONG source", "TOO_LONG policyText"],
    ),
}
