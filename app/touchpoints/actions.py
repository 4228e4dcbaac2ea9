"""Entering contacts into the timeline, settling complaints, and taking out what was entered by mistake."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, or_, select, true

from app.customers import facts, lookup
from app.customers import rules as customers
from app.customers.cards import settled
from app.outreach.contact import Contact as Sent
from app.outreach.contact import named, objections
from app.platform.foreseen import Unused
from app.platform.ids import public_id
from app.platform.refusals import Code, Problem, Problems, Refused
from app.platform.text import LONGEST_BODY, clean
from app.platform.work import Work
from app.touchpoints import rules
from app.touchpoints.caps import Caps
from app.touchpoints.facts import contacted
from app.touchpoints.rules import Draft, Name, Register, Standing, Verdict
from app.touchpoints.tables import Direction, Touchpoint, TouchpointKind

Result = dict[str, Any]
D = TypeVar("D", bound=Draft)


def record_touchpoint(work: Work, given: rules.TouchpointRecord) -> Result:
    """Enter one contact; a repeat of an external reference with equal content answers the first."""
    [verdict] = _record(work, [rules.draft(given, work.now, work.org.zone)], whole=True)
    if verdict.problems:
        raise Refused(*verdict.problems)
    return {"touchpoint": _public(verdict.key), "outcome": verdict.outcome}


def record_touchpoints(work: Work, given: rules.TouchpointsRecord, *, limit: int | None = rules.AT_MOST_ROWS) -> Result:
    """Enter many, as if sent one after the other. With "abort" in the result nothing is to be kept."""
    rows = rules.few_enough(given["rows"], limit)
    whole = given.get("on_error", "REJECT_ALL") == "REJECT_ALL"
    drafts = [rules.draft(row, work.now, work.org.zone, "rows", index) for index, row in enumerate(rows)]
    verdicts = _record(work, drafts, whole=whole)
    return rules.answer(verdicts, "touchpoint", "tou", aborted=whole and any(verdict.problems for verdict in verdicts))


def retract_touchpoint(work: Work, given: rules.TouchpointRetract) -> Result:
    """Take out what was recorded by mistake: as if it had never been, and its external reference is free again."""
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY, required=True)
    touchpoint = _find(work, problems, given["touchpoint"])
    problems.stop()
    touchpoint.retracted_at = work.now
    touchpoint.retraction_reason = reason
    work.session.flush()
    facts.rebuild(work, contacted, [touchpoint.customer_id])
    work.announce("touchpoint.retracted", _public(touchpoint.id), customers=[touchpoint.customer_id])
    return {"touchpoint": _public(touchpoint.id), "customer": public_id("cus", touchpoint.customer_id)}


def resolve_complaint(work: Work, given: rules.ComplaintResolve) -> Result:
    """Settle a complaint, once."""
    problems = Problems()
    resolution = clean(problems, given.get("resolution"), "resolution", longest=LONGEST_BODY)
    at = customers.occurred(problems, given.get("resolved_at"), work.now, "resolved_at")
    touchpoint = _find(work, problems, given["touchpoint"])
    if touchpoint.kind != TouchpointKind.COMPLAINT.value:
        problems.add(Code.WRONG_STATE, "Only a complaint can be resolved.", "touchpoint")
    elif touchpoint.resolved_at is not None:
        problems.add(Code.WRONG_STATE, "This complaint is resolved already.", "touchpoint")
    rules.not_before(problems, given.get("resolved_at"), touchpoint.occurred_at, "resolved_at")
    problems.stop()
    touchpoint.resolved_at = max(at, touchpoint.occurred_at)
    touchpoint.resolution = resolution
    work.session.flush()
    facts.rebuild(work, contacted, [touchpoint.customer_id])
    work.announce("complaint.resolved", _public(touchpoint.id), customers=[touchpoint.customer_id])
    return {"touchpoint": _public(touchpoint.id)}


def _record(work: Work, drafts: Sequence[Draft], *, whole: bool) -> list[Verdict]:
    def insert(new: list[Draft]) -> None:
        work.insert(Touchpoint, [draft.columns for draft in new])

    place(work, drafts)
    new, verdicts = enter(work, drafts, _judged, insert, whole=whole)
    if len(new) == 1:
        told = new[0].columns
        facts.fold(work, contacted, told["customer_id"], told["id"], told["occurred_at"])
    else:
        facts.rebuild(work, contacted, {draft.columns["customer_id"] for draft in new})
    contacts = [draft.columns["customer_id"] for draft in new]
    work.announce("touchpoint.recorded", *(_public(draft.columns["id"]) for draft in new), customers=contacts)
    return verdicts


def _judged(work: Work, drafts: Sequence[Draft]) -> list[Verdict]:
    register = Register("tou", standing(work, Touchpoint, drafts, "retracted_at"))
    contacts = linked(work, drafts)
    against = _objections(work, drafts)
    caps = Caps(work, [draft for draft in drafts if id(draft) in against]) if against else None
    verdicts = []
    for draft in drafts:
        problems = [*link(draft, "in_reply_to", contacts), *against.get(id(draft), ())]
        verdict = register.enter(draft, problems or (caps.objections(draft) if caps else ()))
        if caps and verdict.outcome == "RECORDED":
            caps.note(draft)
        if verdict.outcome == "RECORDED" and verdict.key and draft.name:
            # A later row may answer this one.
            contacts[draft.name] = Contact(verdict.key, draft.columns["customer_id"], draft.columns["kind"], live=True)
        verdicts.append(verdict)
    return verdicts


def _objections(work: Work, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
    """What stands against those that came of a campaign, by the draft."""
    sent = attributed(work, drafts)
    if not sent:
        return {}
    contacts = [
        Sent(
            draft.campaign or "",
            draft.columns["customer_id"],
            draft.columns["channel"],
            draft.columns["direction"] == Direction.OUTBOUND.value,
            draft.columns["occurred_at"],
            draft.problems.prefix,
        )
        for draft in sent
    ]
    return dict(zip(map(id, sent), objections(work, contacts), strict=True))


def _find(work: Work, problems: Problems, given: rules.Lookup) -> Touchpoint:
    """A live contact, its customer locked first; without one the check ends here, with all that it has found."""
    name = rules.named(given, "tou")
    live = Touchpoint.retracted_at.is_(None)
    meant = Touchpoint.org_id == work.org.id, is_named(Touchpoint, live, [name] if name else [])
    found = work.session.scalars(select(Touchpoint).where(*meant)).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, "There is no such touchpoint.", "touchpoint")
        raise Refused(*problems.found)
    lookup.lock(work, [found.customer_id])
    work.session.refresh(found, with_for_update=True)
    if found.retracted_at is not None:
        problems.add(Code.WRONG_STATE, "This touchpoint was retracted.", "touchpoint")
        raise Refused(*problems.found)
    return found


def _public(key: UUID | None) -> str:
    assert key
    return public_id("tou", key)


# ------------------------------------------------------------------------------------------------ any batch of records


def enter(
    work: Work,
    drafts: Sequence[D],
    judged: Callable[[Work, Sequence[D]], list[Verdict]],
    insert: Callable[[list[D]], None],
    *,
    whole: bool,
) -> tuple[list[D], list[Verdict]]:
    """Insert what is new, unless the whole is wanted and a row refused; returns the new ones, and a verdict on each."""

    def attempt() -> tuple[list[D], list[Verdict]]:
        verdicts = judged(work, drafts)
        if whole and any(verdict.problems for verdict in verdicts):
            return [], verdicts
        new = [draft for draft, verdict in zip(drafts, verdicts, strict=True) if verdict.outcome == "RECORDED"]
        insert(new)
        return new, verdicts

    # Should another transaction take one of the references after we have looked, we look again.
    return settled(work, attempt)


def place(work: Work, drafts: Sequence[Draft]) -> None:
    """Find whose records these are, and lock them in the order of their ids."""
    found = lookup.find_many(work, [(draft.customer, (*draft.problems.prefix, "customer")) for draft in drafts])
    for draft, customer in zip(drafts, found, strict=True):
        if isinstance(customer, Problem):
            draft.problems.found.append(customer)
        else:
            draft.hold("customer_id", customer)


def standing(work: Work, table: Any, drafts: Iterable[Draft], ended: str | None = None) -> dict[Name, Standing]:
    """What the external references of these drafts already name, leaving out rows where `ended` is set."""
    named = [name for draft in drafts if (name := draft.name)]
    names = {name for name in named if not work.foresees(_unused(table.__table__, ended), name)}
    if not names:
        return {}
    columns = table.ref_system, table.ref_value, table.id, table.content_hash
    live = getattr(table, ended).is_(None) if ended else true()
    rows = work.session.execute(select(*columns).where(table.org_id == work.org.id, is_named(table, live, names)))
    return {(system, value): Standing(key, content_hash) for system, value, key, content_hash in rows}


@cache
def _unused(table: Table, ended: str | None) -> Unused:
    return Unused(table, ("ref_system", "ref_value"), ended)


def is_named(table: Any, live: ColumnElement[bool], names: Iterable[UUID | Name]) -> ColumnElement[bool]:
    """The rows with these keys, and the live ones with these external references."""
    keys: list[UUID] = []
    values: dict[str, list[str]] = {}
    for name in names:
        if isinstance(name, UUID):
            keys.append(name)
        else:
            values.setdefault(name[0], []).append(name[1])
    tests = [and_(live, table.ref_system == system, table.ref_value.in_(some)) for system, some in values.items()]
    return or_(table.id.in_(keys), *tests) if keys or not tests else or_(*tests)


class Contact(NamedTuple):
    """A touchpoint, as others may point to it."""

    key: UUID
    customer_id: UUID
    kind: str
    live: bool


def attributed(work: Work, drafts: Iterable[Draft]) -> list[Draft]:
    """The sound drafts that came of a campaign; the column that names it is filled where there is such a one."""
    found = [draft for draft in drafts if draft.campaign and not draft.problems]
    if found:
        campaigns = named(work, [draft.campaign for draft in found if draft.campaign])
        for draft in found:
            key = campaigns.get(draft.campaign or "")
            draft.hold("campaign_id", key)
            if key is None:
                # Part of the content all the same: a record without any campaign says something else.
                draft.content["campaign_id"] = "unknown"
    return found


def linked(work: Work, drafts: Iterable[Draft]) -> dict[UUID | Name, Contact]:
    """The touchpoints that these drafts answer, or were made to fit, by key and by external reference."""
    names = {name for draft in drafts if draft.link and (name := rules.named(draft.link, "tou"))}
    if not names:
        return {}
    t, live = Touchpoint, Touchpoint.retracted_at.is_(None)
    columns = t.id, t.customer_id, t.kind, t.retracted_at, t.ref_system, t.ref_value
    rows = work.session.execute(select(*columns).where(t.org_id == work.org.id, is_named(t, live, names)))
    found: dict[UUID | Name, Contact] = {}
    for key, customer_id, kind, retracted_at, system, value in rows:
        found[key] = contact = Contact(key, customer_id, kind, live=retracted_at is None)
        if contact.live and system and value:
            found[system, value] = contact
    return found


def link(
    draft: Draft, column: str, contacts: Mapping[UUID | Name, Contact], kind: TouchpointKind | None = None
) -> list[Problem]:
    """Fill the column that points to a contact; what is wrong with it, for a new record."""
    if draft.link is None:
        return []
    problems = Problems(prefix=draft.problems.prefix)
    name = rules.named(draft.link, "tou")
    contact = contacts.get(name) if name else None
    draft.hold(column, contact.key if contact else None)
    if contact is None:
        # Part of the content all the same: a record without any link says something else.
        draft.content[column] = "unknown"
    if contact is None or not contact.live:
        problems.add(Code.NOT_FOUND, "There is no such touchpoint.", column)
    elif contact.customer_id != draft.columns.get("customer_id", contact.customer_id):
        problems.add(Code.INVALID, "This touchpoint is of another customer.", column)
    elif kind and contact.kind != kind.value:
        problems.add(Code.INVALID, f"Only a touchpoint of the kind {kind.value}.", column)
    return problems.found
