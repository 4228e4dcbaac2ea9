"""Membership in a segment as a filter: the segment's own test takes its place when a question is planned."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from app.platform.ids import PublicId
from app.platform.refusals import BadInput
from app.query.question import All, AnyOf, Not, Where
from schema.given import LONGEST_LIST, Extra, NeedsMore, Parameters, Segments, Values, where_of
from schema.stored import where_from_json

# Each brings a whole filter with it.
MOST_MEMBERSHIPS = 20
# Their tests become tests of the question. SQLite takes no expression of a thousand, and PostgreSQL thinks about one for
# longer than a question may take.
MOST_INHERITED = 500
SELF_CONTAINED = Segments({}, allowed=False)


@strawberry.input(
    description="Who belongs to segments, at most 20 with 500 tests together. All operators given must hold."
)
class SegmentFilter:
    in_: list[strawberry.ID] | None = strawberry.field(
        name="in", default=UNSET, description="To at least one of these; nobody belongs to one that is not there."
    )
    not_in: list[strawberry.ID] | None = strawberry.field(default=UNSET, description="To none of these.")


def in_segments(of: Callable[[], type]) -> tuple[Extra, Any, str]:
    """The filter by segments, for the where of a type of rows that is not made yet."""

    def test(value: Any, path: str, values: Values) -> Where:
        if not values.segments.allowed:
            raise BadInput("A segment may not name segments: it rests on what is known of a customer alone.")
        found: list[Where] = []
        for operator, listed in value.items():
            if listed is None:
                raise BadInput("A filter's operator may not be null; leave it out instead.")
            any_of = AnyOf(tuple(_members(of(), listed, f"{path}_{operator}", values)))
            found.append(any_of if operator == "in" else Not(any_of))
        return All(tuple(found))

    return Extra(test), SegmentFilter, "Who belongs to a segment, as it is now; judged at the question's own clock."


def _members(of: type, listed: list[str], path: str, values: Values) -> list[Where]:
    if len(listed) > LONGEST_LIST:
        raise BadInput(f"A list in a filter has at most {LONGEST_LIST} items.")
    # As every filter by id takes it: the live one, whatever instant it carries.
    public = [PublicId.parse(text) for text in dict.fromkeys(listed)]
    keys = list(dict.fromkeys(each.key for each in public if each is not None and each.prefix == "seg"))
    values.memberships += len(keys)
    if values.memberships > MOST_MEMBERSHIPS:
        raise BadInput(f"A question names at most {MOST_MEMBERSHIPS} segments.")
    segments = values.segments
    segments.named |= set(keys)
    segments.strange |= any(each is None or each.prefix != "seg" for each in public)
    if segments.tests is None:
        raise NeedsMore
    tests = segments.tests
    return [_test(of, tests[key], f"{path}_{n}", values) for n, key in enumerate(keys) if key in tests]


def _test(of: type, text: str, path: str, values: Values) -> Where:
    # Bounded when it was saved: its tests are not counted with those of the filter that names it, but with each other.
    own = Values(values.given, SELF_CONTAINED)
    where = where_of(of, where_from_json(text), path, own)
    values.inherited += own.leaves
    if values.inherited > MOST_INHERITED:
        raise BadInput(f"The segments that a question names have at most {MOST_INHERITED} tests together.")
    return where


def stored_test(
    of: type, text: str, path: str, values: Values, read: Callable[[set[UUID]], Mapping[UUID, str]]
) -> Where:
    """The test of a stored filter, of an audience for instance; `read` gives the tests of the segments that it names.

    Raises BadInput for one that cannot be asked, and for one that names a segment that is not there: whoever was to be
    left out by it would be found without a word.
    """
    where = where_from_json(text)
    asked = Segments({})
    where_of(of, where, path, Values(Parameters(values.given.org, values.now), asked))
    tests = read(asked.named) if asked.named else {}
    if asked.strange or asked.named - tests.keys():
        raise BadInput("This names a segment that is not there.")
    values.segments = Segments(tests)
    return where_of(of, where, path, values)
