"""Segments: saved, changed, deleted. Whether a test can be asked is known to whoever gives it."""

from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.platform.ids import key_of, new_id, public_id
from app.platform.refusals import Code, Problems
from app.platform.text import clean, fold
from app.platform.work import Work
from app.segments.shipped import SHIPPED
from app.segments.tables import Segment

LONGEST_DESCRIPTION = 2_000
# All of them are listed at once.
MOST_SEGMENTS = 200


class SegmentGiven(TypedDict, total=False):
    """`where`: a CustomerWhere as JSON."""

    name: str | None
    description: str | None
    where: str | None


class SegmentUpdate(TypedDict, total=False):
    id: str
    expected_version: int | None
    set: SegmentGiven


class SegmentDelete(TypedDict, total=False):
    id: str
    expected_version: int | None


class Saved(TypedDict):
    segment: str


def create_segment(work: Work, given: SegmentGiven, problems: Problems) -> Saved:
    """`problems`: what is wrong with the test already. Refuses REQUIRED, TOO_LONG, TAKEN, TOO_MANY."""
    columns = _columns(problems, given)
    s = Segment
    live = select(func.count()).where(s.org_id == work.org.id, s.deleted_at.is_(None))
    if (work.session.scalar(live) or 0) >= MOST_SEGMENTS:
        problems.add(Code.TOO_MANY, f"There are {MOST_SEGMENTS} segments already.")
    _refuse_taken(work, problems, columns, None)
    problems.stop()
    made = Segment(
        **{"description": None, **columns},
        org_id=work.org.id,
        id=new_id(),
        version=1,
        created_at=work.now,
        updated_at=work.now,
    )
    return _saved(work, problems, made, {}, "segment.created")


def update_segment(work: Work, given: SegmentUpdate, problems: Problems) -> Saved:
    """What is left out stays. What changes nothing makes no new version."""
    found = _found(work, problems, given)
    inner = problems.under("set")
    columns = _columns(inner, given["set"])
    _refuse_taken(work, inner, columns, found)
    problems.stop()
    assert found
    changed = {key: value for key, value in columns.items() if getattr(found, key) != value}
    if not changed:
        return {"segment": _public(found.id)}
    changed |= {"version": found.version + 1, "updated_at": work.now}
    return _saved(work, inner, found, changed, "segment.updated")


def delete_segment(work: Work, given: SegmentDelete) -> Saved:
    """From now on a filter that names it finds nobody by it."""
    problems = Problems()
    found = _found(work, problems, given)
    problems.stop()
    assert found
    found.deleted_at = found.updated_at = work.now
    work.session.flush()
    work.announce("segment.deleted", _public(found.id))
    return {"segment": _public(found.id)}


def first_segments(work: Work) -> None:
    """Those that an organisation has from its first day."""
    rows = [row_of(*each, work.now) for each in SHIPPED]
    work.insert(Segment, rows)
    for row in rows:
        work.announce("segment.created", _public(row["id"]))


def row_of(name: str, description: str, test: str, now: Any) -> dict[str, Any]:
    """A segment that ships, as a row without its organisation."""
    said = {"name": name, "name_folded": fold(name), "description": description, "test": test}
    return {"id": new_id(), "version": 1, "created_at": now, "updated_at": now, **said}


def _columns(problems: Problems, given: SegmentGiven) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in given:
        columns["name"] = clean(problems, given["name"], "name", required=True)
        columns["name_folded"] = fold(columns["name"] or "")
    if "description" in given:
        columns["description"] = clean(problems, given["description"], "description", longest=LONGEST_DESCRIPTION)
    if "where" in given:
        columns["test"] = given["where"]
        if given["where"] is None:
            problems.add(Code.REQUIRED, "This may not be empty; {} is everybody.", "where")
    return columns


def _found(work: Work, problems: Problems, given: SegmentUpdate | SegmentDelete) -> Segment | None:
    """The segment that is meant, locked to be changed."""
    s = Segment
    mine = s.org_id == work.org.id, s.id == key_of(given["id"], "seg"), s.deleted_at.is_(None)
    found = work.session.scalars(select(s).where(*mine).with_for_update()).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, "There is no such segment.", "id")
        return None
    expected = given.get("expected_version")
    if expected is not None and expected != found.version:
        message = f"The current version is {found.version}."
        problems.add(Code.STALE_VERSION, message, "expected_version", node=_public(found.id))
    return found


def _refuse_taken(work: Work, problems: Problems, columns: Mapping[str, Any], but: Segment | None) -> None:
    if not columns.get("name"):
        return
    s = Segment
    named = s.org_id == work.org.id, s.name_folded == columns["name_folded"], s.deleted_at.is_(None)
    with work.session.no_autoflush:
        taken = work.session.scalar(select(s.id).where(*named))
    if taken is not None and (but is None or taken != but.id):
        problems.add(Code.TAKEN, "Another segment has this name.", "name", node=_public(taken))


def _saved(work: Work, problems: Problems, segment: Segment, changed: Mapping[str, Any], event: str) -> Saved:
    key = segment.id
    columns = {
        "name": changed.get("name", segment.name),
        "name_folded": changed.get("name_folded", segment.name_folded),
    }
    try:
        with work.savepoint():
            for name, value in changed.items():
                setattr(segment, name, value)
            work.add(segment)
            work.session.flush()
    except IntegrityError:
        # Somebody else took the name after we had looked.
        _refuse_taken(work, problems, columns, None)
        problems.stop()
        raise
    work.announce(event, _public(key))
    return {"segment": _public(key)}


def _public(key: UUID) -> str:
    return public_id("seg", key)
