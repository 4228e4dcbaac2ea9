"""What a contact must be to enter the timeline; and which rows of any batch are new, repeated or refused."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from app.customers import rules as customers
from app.customers.attributes import attributes_text, clean_attributes
from app.customers.tables import Channel
from app.platform.database import instant_text
from app.platform.days import local_day
from app.platform.ids import PublicId, key_of, new_id, public_id
from app.platform.refusals import Code, Path, Problem, Problems, Refused
from app.platform.text import LARGEST, LONGEST_BODY, MILLION, Ref, clean, clean_ref, folded, scaled
from app.touchpoints.tables import Direction, TouchpointKind

AT_MOST_ROWS = 200
LARGEST_RATIO = 1_000_000 * MILLION


class Lookup(TypedDict, total=False):
    """Either of them."""

    id: str
    external_ref: Ref


class TouchpointRecord(TypedDict, total=False):
    customer: customers.Lookup
    kind: str
    channel: str
    direction: str
    occurred_at: datetime | None
    subject: str | None
    body: str | None
    sentiment: float | None
    nps: int | None
    csat: int | None
    relative_quality: Decimal | None
    relative_price: Decimal | None
    in_reply_to: Lookup | None
    campaign_id: str | None
    external_ref: Ref | None
    attributes: Any


class TouchpointsRecord(TypedDict, total=False):
    rows: Sequence[TouchpointRecord]
    on_error: str


class TouchpointRetract(TypedDict, total=False):
    touchpoint: Lookup
    reason: str


class ComplaintResolve(TypedDict, total=False):
    touchpoint: Lookup
    resolved_at: datetime | None
    resolution: str | None


Name = tuple[str, str]


@dataclass
class Draft:
    """A record on its way in.

    `columns` is the row it becomes. `content` is what was given, cleaned, by which a repeat is told: an instant that
    was left out is no part of it, so that a retry without one is equal. `link` names the contact it answers or fits,
    `campaign` the campaign it came of, as given.
    """

    customer: customers.Lookup
    problems: Problems
    ref: Ref | None
    link: Lookup | None
    columns: dict[str, Any]
    content: dict[str, Any]
    campaign: str | None = field(default=None, kw_only=True)

    @property
    def name(self) -> "Name | None":
        return (self.ref["system"], self.ref["value"]) if self.ref else None

    def hold(self, column: str, value: UUID | None) -> None:
        """What a look-up has found."""
        self.columns[column] = value
        self.content[column] = value


def draft(given: TouchpointRecord, now: datetime, zone: ZoneInfo, *path: str | int) -> Draft:
    """A contact, checked as far as its own words go."""
    problems = Problems(prefix=path)
    at = customers.occurred(problems, given.get("occurred_at"), now, "occurred_at")
    attributes = clean_attributes(problems, given.get("attributes"), "attributes")
    said: dict[str, Any] = {
        "kind": customers.clean_choice(problems, TouchpointKind, given.get("kind"), "kind"),
        "channel": customers.clean_choice(problems, Channel, given.get("channel"), "channel"),
        "direction": customers.clean_choice(problems, Direction, given.get("direction"), "direction"),
        "subject": clean(problems, given.get("subject"), "subject"),
        "body": clean(problems, given.get("body"), "body", longest=LONGEST_BODY),
        "sentiment_e6": _sentiment(problems, given.get("sentiment")),
        "attributes": attributes_text(attributes),
    }
    said |= _answers(problems, given, survey=said["kind"] == _SURVEY)
    ref = cleaned_ref(problems, given.get("external_ref"))
    return Draft(
        customer=given["customer"],
        problems=problems,
        ref=ref,
        link=given.get("in_reply_to"),
        columns={
            **said,
            **ref_columns(ref),
            "occurred_at": at,
            "local_day": local_day(at, zone),
            "recorded_at": now,
            "in_reply_to": None,
            "campaign_id": None,
        },
        content={**said, "occurred_at": given_instant(given.get("occurred_at"))},
        campaign=given.get("campaign_id"),
    )


def named(given: Lookup, prefix: str) -> UUID | Name | None:
    """The key or the external reference that a look-up gives; None when it can name nothing."""
    if ref := given.get("external_ref"):
        cleaned = clean_ref(Problems(), ref)
        return (cleaned["system"], cleaned["value"]) if cleaned else None
    return key_of(given.get("id") or "", prefix)


def not_before(problems: Problems, given: datetime | None, began: datetime, *path: str | int) -> None:
    if given is not None and given < began:
        problems.add(Code.OUT_OF_RANGE, "This may not lie before what it follows.", *path)


def _sentiment(problems: Problems, sentiment: float | None) -> int | None:
    if sentiment is None:
        return None
    if not -1 <= sentiment <= 1:
        problems.add(Code.OUT_OF_RANGE, "Sentiment lies between -1 and 1.", "sentiment")
        return None
    return int(Decimal(str(sentiment)).scaleb(6).to_integral_value(ROUND_HALF_UP))


_SURVEY = TouchpointKind.SURVEY.value
# What a survey may say, and the column that holds it.
_ANSWERS = {"nps": "nps", "csat": "csat", "relative_quality": "quality_e6", "relative_price": "price_e6"}


def _answers(problems: Problems, given: TouchpointRecord, *, survey: bool) -> dict[str, int | None]:
    """What only a survey may say."""
    if not survey:
        for name in _ANSWERS:
            if given.get(name) is not None:
                problems.add(Code.INVALID, "Only a SURVEY has this answer.", name)
    if given.keys().isdisjoint(_ANSWERS):
        return dict.fromkeys(_ANSWERS.values())
    return {
        "nps": _between(problems, given.get("nps"), 0, 10, "nps"),
        "csat": _between(problems, given.get("csat"), 1, 5, "csat"),
        "quality_e6": _ratio(problems, given.get("relative_quality"), "relative_quality"),
        "price_e6": _ratio(problems, given.get("relative_price"), "relative_price"),
    }


def _between(problems: Problems, answer: int | None, least: int, most: int, name: str) -> int | None:
    if answer is not None and not least <= answer <= most:
        problems.add(Code.OUT_OF_RANGE, f"An answer from {least} to {most}.", name)
        return None
    return answer


def _ratio(problems: Problems, ratio: Decimal | None, name: str) -> int | None:
    return None if ratio is None else units(problems, ratio, 6, name, zero=False, most=LARGEST_RATIO)


def units(
    problems: Problems, number: Decimal, decimals: int, *path: str | int, zero: bool = True, most: int = LARGEST
) -> int | None:
    """The number in units of 10^-decimals, from 0 to `most`; adds OUT_OF_RANGE, or INVALID for too many decimals."""
    found = scaled(number, decimals) if number.is_finite() else None
    # Asked back, since more digits than a decimal context holds would be rounded away without a word.
    exact = found is not None and Decimal(found).scaleb(-decimals) == number
    if found is not None and exact and (0 if zero else 1) <= found <= most:
        return found
    largest = Decimal(most).scaleb(-decimals)
    if not number.is_finite():
        problems.add(Code.INVALID, "This is not a number.", *path)
    elif number < 0 or (number == 0 and not zero) or number > largest:
        least = "0 or more" if zero else "more than 0"
        problems.add(Code.OUT_OF_RANGE, f"This is {least}, and at most {largest:f}.", *path)
    else:
        problems.add(Code.INVALID, f"At most {decimals} decimals.", *path)
    return None


# ------------------------------------------------------------------------------------------------ batches


class Standing(NamedTuple):
    """What an external reference already names."""

    key: UUID
    content_hash: str


class Verdict(NamedTuple):
    """A row was RECORDED under a new key, ALREADY_RECORDED under an old one, or REFUSED for these problems."""

    outcome: str
    key: UUID | None = None
    problems: Sequence[Problem] = ()


class Register:
    """The external references that stand, and those that a batch adds, as if its rows were sent one after the other."""

    def __init__(self, prefix: str, standing: dict[Name, Standing]) -> None:
        self.prefix = prefix
        self.standing = dict(standing)

    def enter(self, draft: Draft, problems: Iterable[Problem] = ()) -> Verdict:
        """`problems`: of a new record only; a repeat is a repeat, even where its first would be refused today."""
        if draft.problems:
            return Verdict("REFUSED", problems=[*draft.problems.found, *problems])
        content_hash = draft.columns["content_hash"] = hash_of(draft.content)
        known = self.standing.get(draft.name) if draft.name else None
        if known and known.content_hash == content_hash:
            return Verdict("ALREADY_RECORDED", known.key)
        found = list(problems)
        if known:
            found.append(taken(draft.problems.prefix, PublicId(self.prefix, known.key)))
        if found:
            return Verdict("REFUSED", problems=found)
        key = draft.columns["id"] = new_id()
        if draft.name:
            self.standing[draft.name] = Standing(key, content_hash)
        return Verdict("RECORDED", key)


def taken(path: Path, existing: PublicId) -> Problem:
    message = "This external reference names another record."
    return Problem(Code.TAKEN, message, (*path, "external_ref"), node=str(existing))


Row = TypeVar("Row")


def few_enough(rows: Sequence[Row], limit: int | None) -> Sequence[Row]:
    if limit is not None and len(rows) > limit:
        raise Refused(Problem(Code.TOO_MANY, f"At most {limit} rows at once.", ("rows",)))
    return rows


def answer(verdicts: Collection[Verdict], thing: str, prefix: str, *, aborted: bool) -> dict[str, Any]:
    """The result of a batch. `aborted`: one row was refused and all were wanted, so that nothing is kept."""
    # What was not kept after all is nobody's existing record.
    gone = {public_id(prefix, v.key) for v in verdicts if aborted and v.key and v.outcome == "RECORDED"}
    rows = [
        {
            "index": index,
            "outcome": "NOT_ATTEMPTED" if aborted and verdict.key else verdict.outcome,
            thing: public_id(prefix, verdict.key) if verdict.key and not aborted else None,
            "user_errors": [_error(problem, gone) for problem in verdict.problems],
        }
        for index, verdict in enumerate(verdicts)
    ]
    outcomes = Counter(row["outcome"] for row in rows)
    counts = {name.lower(): outcomes[name] for name in ("RECORDED", "ALREADY_RECORDED", "REFUSED", "NOT_ATTEMPTED")}
    return {"rows": rows, **counts, **({"abort": True} if aborted else {})}


def _error(problem: Problem, gone: Collection[str]) -> dict[str, Any]:
    node = None if problem.node in gone else problem.node
    return {"code": problem.code.value, "message": problem.message, "path": list(problem.path), "node": node}


def hash_of(content: dict[str, Any]) -> str:
    known = {name: value for name, value in content.items() if value is not None}
    return hashlib.sha256(orjson.dumps(known, option=orjson.OPT_SORT_KEYS)).hexdigest()


def given_instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)


def cleaned_ref(problems: Problems, ref: Ref | None) -> Ref | None:
    return None if ref is None else clean_ref(problems, ref, "external_ref")


def ref_columns(ref: Ref | None) -> dict[str, str | None]:
    system, value = (ref["system"], ref["value"]) if ref else (None, None)
    return {
        "ref_system": system,
        "ref_value": value,
        "ref_system_folded": folded(system),
        "ref_value_folded": folded(value),
    }
