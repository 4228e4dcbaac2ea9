"""A row that creates the customer of a reference, or sets what is given, and what it answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from app.customers.cards import Cards, held
from app.customers.lookup import holders, public
from app.customers.rules import Changes, Profile, RefKey, clean_profile
from app.platform.ids import key_of
from app.platform.refusals import Code, Problem, Problems, Refused
from app.platform.text import Ref, clean_ref
from app.platform.work import Work

Result = dict[str, Any]


class Versioned(TypedDict):
    expected_version: NotRequired[int | None]


class Upsert(Versioned):
    external_ref: Ref
    set: Profile


@dataclass
class Row:
    """A clean row, with what was found wrong with it; `ref` is None when that itself is wrong."""

    ref: RefKey | None
    changes: Changes
    expected_version: int | None
    problems: Problems

    def apply(self, cards: Cards) -> tuple[str, UUID]:
        """The outcome and the customer. Refuses with all that is wrong, and then nothing has changed."""
        problems = Problems(list(self.problems.found))
        if self.ref is None:
            raise Refused(*problems.found)
        key = cards.holders.get(self.ref)
        if key is not None:
            changed = cards.change(problems, key, self.changes, self.expected_version)
            return "UPDATED" if changed else "UNCHANGED", key
        if self.expected_version is not None:
            problems.add(Code.NOT_FOUND, "There is no such customer, in any version.", "external_ref")
        if "name" not in self.changes.columns:
            problems.add(Code.REQUIRED, "A new customer needs a name.", "set", "name")
        return "CREATED", cards.create(problems, self.changes)

    def answer(self, cards: Cards, index: int) -> Result:
        """The same as one row of a batch tells it."""
        try:
            outcome, key = self.apply(cards)
        except Refused as refused:
            problems = [_told(problem.under("rows", index)) for problem in refused.problems]
            return {"index": index, "outcome": "REFUSED", "customer": None, "user_errors": problems}
        return {"index": index, "outcome": outcome, "customer": public(key), "user_errors": []}


def clean_row(work: Work, given: Upsert) -> Row:
    problems = Problems()
    changes = clean_profile(problems, given["set"], "set", new=False, today=work.today)
    ref = clean_ref(problems, given["external_ref"], "external_ref")
    key = (ref["system"], ref["value"]) if ref else None
    if key:
        # Without the name by which it is found, the row would create another customer when it is sent again.
        if key in changes.refs_removed:
            problems.add(Code.INVALID, "A row keeps the reference that it goes by.", "set", "external_refs_remove")
        for other, path in changes.refs:
            if other[0] == key[0] and other != key:
                problems.add(Code.INVALID, "A row keeps the reference that it goes by.", *path)
        changes.refs.append((key, ("external_ref",)))
    return Row(key, changes, given.get("expected_version"), problems)


def cards_of(work: Work, rows: Sequence[Row]) -> Cards:
    """The customers that these rows go by, locked, and who has the references that they would set."""
    own = {row.ref for row in rows if row.ref}
    owners = held(work, own)
    others = {ref for row in rows for ref in row.changes.ref_keys} - own
    return Cards(work, set(owners.values()), {**holders(work, others), **owners})


def counted(answers: list[Result]) -> Result:
    outcomes = Counter(answer["outcome"] for answer in answers)
    names = ("CREATED", "UPDATED", "UNCHANGED", "REFUSED", "NOT_ATTEMPTED")
    return {"rows": answers, **{name.lower(): outcomes[name] for name in names}}


def undone(cards: Cards, answer: Result) -> Result:
    """The answer of a row in a batch of which nothing is done."""
    if answer["outcome"] != "REFUSED":
        return {**answer, "outcome": "NOT_ATTEMPTED", "customer": None}
    # A customer that another row would have created will never be.
    told = [
        {**problem, "node": None} if problem["node"] and cards.is_new(key_of(problem["node"], "cus")) else problem
        for problem in answer["user_errors"]
    ]
    return {**answer, "user_errors": told}


def _told(problem: Problem) -> Result:
    return {"code": problem.code.value, "message": problem.message, "path": list(problem.path), "node": problem.node}
