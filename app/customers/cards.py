"""Customers on their way in and out of the database: read together, changed in memory, written in a few statements.

One customer is written like two hundred or a hundred thousand. What is changed is written only once all about it was
found to be right, so a refused customer of a batch has left no trace.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from app.customers.attributes import attributes_text
from app.customers.facts import JUDGED_COLUMNS, reopen
from app.customers.lookup import chunks, holders, lock, public
from app.customers.rules import MOST_REFS, Changes, RefKey
from app.customers.search import tokens, write_tokens
from app.customers.tables import Customer, CustomerKind, CustomerRef, customer_facts
from app.platform.ids import new_id
from app.platform.refusals import Code, Problems
from app.platform.text import fold
from app.platform.work import Work

Outcome = TypeVar("Outcome")
_COLUMNS = [column for column in Customer.__table__.c if column.name not in ("org_id", "id")]
_EMPTY: dict[str, Any] = {column.name: None for column in _COLUMNS} | {
    "version": 1,
    "kind": CustomerKind.PERSON.value,
    "attributes": "{}",
    "suppressed": False,
}
_ATTEMPTS = 10
_UNIQUE_VIOLATION, _DEADLOCK = "23505", "40P01"


@dataclass(frozen=True)
class Card:
    """A customer: the columns of its row, and the value of its reference in each system."""

    id: UUID
    columns: dict[str, Any]
    refs: dict[str, str]

    @property
    def version(self) -> int:
        return int(self.columns["version"])

    @property
    def is_archived(self) -> bool:
        return self.columns["archived_at"] is not None


class Cards:
    """The cards of one transaction. The customers `ids` are locked; `holders`: who has each reference that matters."""

    def __init__(self, work: Work, ids: Collection[UUID] = (), holders: Mapping[RefKey, UUID] | None = None) -> None:
        self._work = work
        self.holders = dict(holders or {})
        self._before = _read(work, ids)
        self._cards = dict(self._before)
        self._events: dict[str, list[UUID]] = {}

    def __getitem__(self, key: UUID) -> Card:
        return self._cards[key]

    def is_new(self, key: UUID | None) -> bool:
        return key in self._cards and key not in self._before

    def create(self, problems: Problems, changes: Changes) -> UUID:
        """A new customer. Refuses with what was found before and what stands against it."""
        now = self._work.now
        card = Card(new_id(), {**_EMPTY, "created_at": now, "updated_at": now}, {})
        card = self._changed(problems, card, changes)
        problems.stop()
        self._put(card, "customer.created")
        return card.id

    def change(self, problems: Problems, key: UUID, changes: Changes, expected_version: int | None) -> bool:
        """Whether anything changed. Refuses with what was found before and what stands against it."""
        card = self._cards[key]
        check_version(problems, card, expected_version)
        check_live(problems, card)
        changed = self._changed(problems, card, changes)
        problems.stop()
        if changed != card:
            self._put(self._next(changed), "customer.updated")
        return changed != card

    def set(self, key: UUID, event: str, **columns: Any) -> None:
        """Set columns that are no part of the profile's input, such as when it was archived."""
        card = self._cards[key]
        self._put(self._next(replace(card, columns={**card.columns, **columns})), event)

    def write(self) -> None:
        """Write what was changed, and announce it. Raises IntegrityError when somebody else took a reference first."""
        before = self._before
        after = {key: card for key, card in self._cards.items() if before.get(key) is not card}
        new = [card for key, card in after.items() if key not in before]
        old = [card for key, card in after.items() if key in before]
        self._work.insert(Customer, [{"id": card.id, **card.columns} for card in new])
        org_id = self._work.org.id
        # Without a row of facts a customer would be missing from every question about its value.
        if new:
            rows = [{"org_id": org_id, "customer_id": card.id} for card in new]
            self._work.session.execute(insert(customer_facts), rows)
        if old:
            rows = [{"org_id": org_id, "id": card.id, **card.columns} for card in old]
            self._work.session.execute(update(Customer), rows)
        reopen(self._work, [card.id for card in old if _judged(card) != _judged(before[card.id])])
        self._write_refs(new, [card for card in old if _refs(card) != _refs(before[card.id])])
        words = {key: _tokens(card) for key, card in after.items()}
        fresh = [key for key in after if key not in before or _tokens(before[key]) != words[key]]
        write_tokens(self._work, {key: words[key] for key in fresh})
        for event, keys in self._events.items():
            self._work.announce(event, *map(public, keys), customers=keys)

    def _changed(self, problems: Problems, card: Card, changes: Changes) -> Card:
        columns = {**card.columns, **changes.columns}
        if changes.attributes_path:
            kept = {} if changes.attributes_emptied else orjson.loads(card.columns["attributes"])
            kept = {key: value for key, value in {**kept, **changes.attributes}.items() if value is not None}
            with problems.gathering(*changes.attributes_path):
                columns["attributes"] = attributes_text(kept)
        refs = {} if changes.refs_emptied else card.refs
        refs = {system: value for system, value in refs.items() if (system, value) not in changes.refs_removed}
        for (system, value), path in changes.refs:
            holder = self.holders.get((system, value), card.id)
            if holder != card.id:
                problems.add(Code.TAKEN, "Another customer has this reference.", *path, node=public(holder))
            if system not in refs and len(refs) == MOST_REFS:
                problems.add(Code.TOO_MANY, f"A customer has at most {MOST_REFS} references.", *path)
            refs[system] = value
        return replace(card, columns=columns, refs=refs)

    def _next(self, card: Card) -> Card:
        return replace(card, columns={**card.columns, "version": card.version + 1, "updated_at": self._work.now})

    def _put(self, card: Card, event: str) -> None:
        for ref in self._cards[card.id].refs.items() if card.id in self._cards else ():
            self.holders.pop(ref, None)
        if not card.is_archived:
            self.holders.update(dict.fromkeys(card.refs.items(), card.id))
        self._cards[card.id] = card
        self._events.setdefault(event, []).append(card.id)

    def _write_refs(self, new: list[Card], old: list[Card]) -> None:
        for ids in chunks([card.id for card in old]):
            mine = CustomerRef.org_id == self._work.org.id, CustomerRef.customer_id.in_(ids)
            self._work.session.execute(delete(CustomerRef).where(*mine))
        rows = [
            {
                "customer_id": card.id,
                "system": system,
                "system_folded": fold(system),
                "value": value,
                "value_folded": fold(value),
                "live": not card.is_archived,
            }
            for card in (*new, *old)
            for system, value in card.refs.items()
        ]
        # In their own order: no two transactions wait for each other.
        self._work.insert(CustomerRef, sorted(rows, key=lambda row: (row["system"], row["value"])))


def held(work: Work, refs: Collection[RefKey]) -> dict[RefKey, UUID]:
    """Which live customer has each of these references, each of them locked."""
    found = holders(work, refs)
    while True:
        lock(work, set(found.values()))
        # Whoever was waited for may have moved a reference.
        again = holders(work, refs)
        if set(again.values()) <= set(found.values()):
            return again
        found = again


def check_version(problems: Problems, card: Card, expected: int | None) -> None:
    if expected is not None and expected != card.version:
        message = f"The customer has changed since: it is at version {card.version}."
        problems.add(Code.STALE_VERSION, message, "expected_version", node=public(card.id))


def check_live(problems: Problems, card: Card) -> None:
    if card.is_archived:
        problems.add(Code.ARCHIVED, "This customer is archived; restore it first.", "customer")


def settled(work: Work, attempt: Callable[[], Outcome]) -> Outcome:
    """Do it; when someone else took a reference meanwhile, look again and do it as things are then."""
    for _ in range(_ATTEMPTS):
        try:
            with work.savepoint():
                return attempt()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in (_UNIQUE_VIOLATION, _DEADLOCK):
                raise
            lost = error
    raise lost


def _read(work: Work, ids: Collection[UUID]) -> dict[UUID, Card]:
    cards: dict[UUID, Card] = {}
    for some in chunks(sorted(ids)):
        mine = Customer.org_id == work.org.id, Customer.id.in_(some)
        for key, *values in work.session.execute(select(Customer.id, *_COLUMNS).where(*mine)):
            cards[key] = Card(key, dict(zip(_EMPTY, values, strict=True)), {})
        theirs = CustomerRef.org_id == work.org.id, CustomerRef.customer_id.in_(some)
        asked = select(CustomerRef.customer_id, CustomerRef.system, CustomerRef.value).where(*theirs)
        for key, system, value in work.session.execute(asked):
            cards[key].refs[system] = value
    return cards


def _judged(card: Card) -> tuple[Any, ...]:
    return card.is_archived, *(card.columns[name] for name in JUDGED_COLUMNS)


def _refs(card: Card) -> tuple[dict[str, str], bool]:
    return card.refs, card.is_archived


def _tokens(card: Card) -> dict[str, int]:
    columns = card.columns
    return tokens(columns["name"], columns["email"], columns["phone"], card.refs.values())
