"""What can be done with a customer's profile. Each action works in the caller's transaction and answers with ids."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NotRequired, TypedDict
from uuid import UUID

from app.customers.cards import Card, Cards, check_live, check_version, held, settled
from app.customers.facts import consented, rebuild
from app.customers.lookup import find, holders, public
from app.customers.rules import EARLIEST, Changes, Lookup, Profile, RefKey, clean_choice, clean_profile, occurred
from app.customers.tables import Channel, Consent, ConsentPurpose, ConsentState
from app.customers.upsert import Result, Upsert, Versioned, cards_of, clean_row, counted, undone
from app.platform.days import day_number
from app.platform.ids import new_id, public_id
from app.platform.refusals import Code, Problem, Problems, Refused
from app.platform.text import LONGEST_BODY, clean, clean_ref, fold
from app.platform.work import Work

MOST_ROWS = 200
LONGEST_REASON = 1000
LATEST = date(2199, 12, 31)


class Update(Versioned):
    customer: Lookup
    set: Profile


class UpsertMany(TypedDict):
    """`on_error`: REJECT_ALL or REJECT_ROW."""

    rows: list[Upsert]
    on_error: str


class Archive(Versioned):
    customer: Lookup


class Restore(Versioned):
    id: str


class Terminate(Versioned):
    customer: Lookup
    terminated_on: date
    reason: NotRequired[str | None]


class Reinstate(Versioned):
    customer: Lookup


class Word(TypedDict):
    """`at` is now, unless it is given."""

    customer: Lookup
    purpose: ConsentPurpose | str
    channel: Channel | str
    state: ConsentState | str
    at: NotRequired[datetime | None]
    source: NotRequired[str | None]
    policy_text: NotRequired[str | None]


def create_customer(work: Work, given: Profile) -> Result:
    """A new customer. Refuses what clean_profile does, and TAKEN."""
    found = Problems()
    changes = clean_profile(found, given, new=True, today=work.today)

    def attempt() -> Result:
        cards = Cards(work, holders=holders(work, changes.ref_keys))
        key = cards.create(Problems(list(found.found)), changes)
        cards.write()
        return {"customer": public(key)}

    return settled(work, attempt)


def update_customer(work: Work, given: Update) -> Result:
    """Set what is given. Refuses what clean_profile does, NOT_FOUND, AMBIGUOUS, ARCHIVED, STALE_VERSION and TAKEN."""
    found = Problems()
    changes = clean_profile(found, given["set"], "set", new=False, today=work.today)

    def attempt() -> Result:
        problems = Problems(list(found.found))
        key = _find(work, problems, given["customer"])
        cards = Cards(work, [key], holders(work, changes.ref_keys))
        cards.change(problems, key, changes, given.get("expected_version"))
        cards.write()
        return {"customer": public(key)}

    return settled(work, attempt)


def upsert_customer(work: Work, given: Upsert) -> Result:
    """Create the customer that has this reference, or set what is given; `outcome`: CREATED, UPDATED or UNCHANGED."""
    row = clean_row(work, given)

    def attempt() -> Result:
        cards = cards_of(work, [row])
        outcome, key = row.apply(cards)
        cards.write()
        return {"customer": public(key), "outcome": outcome}

    return settled(work, attempt)


def upsert_customers(work: Work, given: UpsertMany) -> Result:
    """Many at once, as if one after the other. What is refused is told by row; `abort` says that nothing was done."""
    if len(given["rows"]) > MOST_ROWS:
        raise Refused(Problem(Code.TOO_MANY, f"At most {MOST_ROWS} rows.", ("rows",)))
    rows = [clean_row(work, row) for row in given["rows"]]

    def attempt() -> Result:
        cards = cards_of(work, rows)
        answers = [row.answer(cards, index) for index, row in enumerate(rows)]
        if given["on_error"] == "REJECT_ALL" and any(answer["outcome"] == "REFUSED" for answer in answers):
            return counted([undone(cards, answer) for answer in answers]) | {"abort": True}
        cards.write()
        return counted(answers)

    return settled(work, attempt)


def archive_customer(work: Work, given: Archive) -> Result:
    """Hide it and free its references. Refuses NOT_FOUND, AMBIGUOUS, STALE_VERSION, and ARCHIVED when it already is."""
    card, cards = _live(work, Problems(), given, given["customer"])
    cards.set(card.id, "customer.archived", archived_at=work.now)
    cards.write()
    return {"customer": public(card.id)}


def restore_customer(work: Work, given: Restore) -> Result:
    """Undo an archiving. Refuses NOT_FOUND, STALE_VERSION, WRONG_STATE for a live one, and TAKEN for its references."""

    def attempt() -> Result:
        problems = Problems()
        key = _find(work, problems, {"id": given["id"]}, "id")
        cards = Cards(work, [key])
        card = cards[key]
        check_version(problems, card, given.get("expected_version"))
        if not card.is_archived:
            problems.add(Code.WRONG_STATE, "This customer is not archived.", "id")
        for holder in dict.fromkeys(holders(work, card.refs.items()).values()):
            if holder != key:
                message = "Another customer has one of its references now."
                problems.add(Code.TAKEN, message, "id", node=public(holder))
        problems.stop()
        cards.set(key, "customer.restored", archived_at=None)
        cards.write()
        return {"customer": public(key)}

    return settled(work, attempt)


def terminate_customer(work: Work, given: Terminate) -> Result:
    """Note that the relationship ends on a day, which may lie ahead; again with another day or reason moves it.

    Refuses NOT_FOUND, AMBIGUOUS, ARCHIVED, STALE_VERSION, and OUT_OF_RANGE for a day before 1850 or after 2199.
    """
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_REASON)
    if not EARLIEST <= given["terminated_on"] <= LATEST:
        problems.add(Code.OUT_OF_RANGE, "A day between 1850 and 2199.", "terminated_on")
    card, cards = _live(work, problems, given, given["customer"])
    ends = {"terminated_day": day_number(given["terminated_on"]), "termination_reason": reason}
    if not ends.items() <= card.columns.items():
        cards.set(card.id, "customer.terminated", **ends)
        cards.write()
    return {"customer": public(card.id)}


def reinstate_customer(work: Work, given: Reinstate) -> Result:
    """Take back a termination. Refuses NOT_FOUND, AMBIGUOUS, ARCHIVED, STALE_VERSION, and WRONG_STATE without one."""
    card, cards = _live(work, Problems(), given, given["customer"])
    if card.columns["terminated_day"] is None:
        raise Refused(Problem(Code.WRONG_STATE, "This relationship was not terminated.", ("customer",)))
    cards.set(card.id, "customer.reinstated", terminated_day=None, termination_reason=None)
    cards.write()
    return {"customer": public(card.id)}


def create_by_refs(work: Work, system: str, values: Iterable[str]) -> dict[str, UUID]:
    """Who has each of these references in a system, locked; who is missing is created and named by its value."""
    problems = Problems()
    refs: dict[str, RefKey] = {}
    for n, value in enumerate(values):
        if ref := clean_ref(problems, {"system": system, "value": value}, "values", n):
            refs[value] = ref["system"], ref["value"]
    problems.stop()

    def attempt() -> dict[str, UUID]:
        cards = Cards(work, holders=held(work, refs.values()))
        for ref in refs.values():
            if ref not in cards.holders:
                cards.create(Problems(), Changes({"name": ref[1], "name_folded": fold(ref[1])}, refs=[(ref, ())]))
        cards.write()
        return {value: cards.holders[ref] for value, ref in refs.items()}

    return settled(work, attempt)


def record_consent(work: Work, given: Word) -> Result:
    """Note what a customer, archived or not, said of being contacted for a purpose on a channel."""
    problems = Problems()
    row = {
        "purpose": clean_choice(problems, ConsentPurpose, given["purpose"], "purpose"),
        "channel": clean_choice(problems, Channel, given["channel"], "channel"),
        "state": clean_choice(problems, ConsentState, given["state"], "state"),
        "at": occurred(problems, given.get("at"), work.now, "at"),
        "source": clean(problems, given.get("source"), "source"),
        "policy_text": clean(problems, given.get("policy_text"), "policy_text", longest=LONGEST_BODY),
    }
    customer_id = _find(work, problems, given["customer"])
    problems.stop()
    key = new_id()
    work.insert(Consent, [{"id": key, "customer_id": customer_id, "recorded_at": work.now, **row}])
    # Not folded: a word takes the place of the one before it, and counts are only ever added to by a fold.
    rebuild(work, consented, [customer_id])
    consent = public_id("con", key)
    work.announce("consent.recorded", consent, detail=public(customer_id), customers=[customer_id])
    return {"customer": public(customer_id), "consent": consent}


def _find(work: Work, problems: Problems, lookup: Lookup, path: str = "customer") -> UUID:
    """The customer that is meant, locked. Refuses with what was found before when there is none."""
    with problems.gathering():
        return find(work, lookup, path).id
    raise Refused(*problems.found)


def _live(work: Work, problems: Problems, given: Versioned, lookup: Lookup) -> tuple[Card, Cards]:
    """The live customer that is meant, locked. Refuses with what was found before and what is wrong with it."""
    key = _find(work, problems, lookup)
    cards = Cards(work, [key])
    check_live(problems, cards[key])
    check_version(problems, cards[key], given.get("expected_version"))
    problems.stop()
    return cards[key], cards
