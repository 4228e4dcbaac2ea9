"""Segments: a saved filter of customers, who belongs to it now, and what tells them from the whole base."""

from asyncio import gather
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import strawberry
from graphql import GraphQLObjectType

from app.platform.ids import PublicId
from app.platform.refusals import BadInput, Code, Problems
from app.platform.text import half_away
from app.platform.work import Work
from app.query import question as q
from app.query.kind import Id, Moment, Raw, Text, Whole
from app.segments import actions
from app.segments.measures import segments
from app.segments.tables import Segment as SegmentTable
from schema import asks
from schema.enums import ArchivedScope
from schema.fields import PAGING, Value, column, entity, further, identity
from schema.filters import listing, named
from schema.given import Parameters, Values, where_of
from schema.groups import DIMENSIONS, CustomerDimension
from schema.inputs import must, said
from schema.node import Node
from schema.plan import Planner, with_archived
from schema.roots import answered
from schema.scalars import JSON, DateTime
from schema.segment_filter import SELF_CONTAINED
from schema.selection import Selected
from schema.stored import where_from, where_from_json
from schema.types import Customer, CustomerConnection

Row = Mapping[str, Any]
MOST_VALUES, MANY = 1_000, 10**9
USUAL = ("LIFECYCLE_STAGE", "RELATIONSHIP_TIER", "VALUE_BEHAVIOR", "KIND", "COUNTRY", "CITY")
# What is made of a segment's row needs these of it; no response key looks like them.
_ID, _TEST = "#id", "#test"
NEEDS = {_ID: Value("id", Id(prefix="seg"), False), _TEST: Value("test", Raw(), False)}
AS_OF = (DateTime | None, None, "Who belonged to it at that instant, by the segment as it is now; not in the future.")


@strawberry.type(description="How often one value occurs in a segment, and how often in the whole base.")
class SegmentProfile:
    dimension: CustomerDimension = strawberry.field(description="Of which dimension.")
    value: str | None = strawberry.field(description="The value; null is unknown, or none.")
    count: int = strawberry.field(description="How many of the segment have it.")
    base_count: int = strawberry.field(description="How many of the whole base have it.")
    share: float | None = strawberry.field(
        description="Of the segment, 0 to 1, to six decimals; null for an empty segment."
    )
    base_share: float | None = strawberry.field(
        description="Of the whole base, 0 to 1, to six decimals; null when there is nobody."
    )
    index: float | None = strawberry.field(
        description="share / baseShare, to four decimals: above 1 the segment has more of it than the base; null when unknown."
    )


SegmentProfile.by_name = True  # type: ignore[attr-defined]


# ------------------------------------------------------------------ what is made of a segment's row


def _of_row(row: Row, given: Mapping[str, Any], ask: Callable[..., Any]) -> Callable[..., q.Question]:
    """Asks of the segment's members, at the instant that its id carries or that is asked for."""

    def asking_them(planner: Planner, selected: Selected, of: GraphQLObjectType, _: Any) -> q.Question:
        public = PublicId.parse(row[_ID])
        planner.set_as_of(given.get("as_of") or (public.at if public else None))
        question: q.Question = ask(planner, selected, of)
        return question

    return asking_them


def _test(planner: Planner, row: Row, path: str) -> q.Where | None:
    test = where_of(Customer, where_from(row[_TEST]), f"{path}_where", planner.values)
    return with_archived("EXCLUDE", test)


async def _count(row: Row, info: strawberry.Info, **given: Any) -> Any:
    def ask(planner: Planner, selected: Selected, _: GraphQLObjectType) -> q.Question:
        page = q.Page(selected.key, tuple(q.Order(*each) for each in Customer.entity.default_order))  # type: ignore[attr-defined]
        total = (q.Paged("count", "totalCount"),)
        planner.values.given |= {f"{selected.key}_size": 1, f"{selected.key}_more": 2}
        many = q.Many(selected.key, "customer", None, total, page, _test(planner, row, selected.key))
        return q.Connection(many, planner.clock)

    return (await answered(info, _of_row(row, given, ask)))["count"]


async def _customers(row: Row, info: strawberry.Info, **given: Any) -> Any:
    def ask(planner: Planner, selected: Selected, of: GraphQLObjectType) -> q.Question:
        arguments = planner.arguments(info._raw_info.parent_type, selected)
        stored = {"where": where_from(row[_TEST]), "archived": ArchivedScope.EXCLUDE}
        return asks.connected(planner, planner.connection({**arguments, **stored}, selected, of))

    return await answered(info, _of_row(row, given, ask))


async def _profile(row: Row, info: strawberry.Info, **given: Any) -> Any:
    dimensions = list(dict.fromkeys(each.name for each in given["by"]) if given["by"] is not None else USUAL)
    asks_of = [_grouped(row, info, given, each, whole=whole) for each in dimensions for whole in (False, True)]
    counts = await gather(*asks_of)
    return [
        compared
        for dimension, mine, base in zip(dimensions, counts[::2], counts[1::2], strict=True)
        for compared in list(_compared(dimension, mine, base))[: given["first"]]
    ]


async def _grouped(row: Row, info: strawberry.Info, given: Any, dimension: str, *, whole: bool) -> dict[Any, int]:
    node = DIMENSIONS[dimension].node

    def ask(planner: Planner, selected: Selected, _: GraphQLObjectType) -> q.Question:
        test = with_archived("EXCLUDE", None) if whole else _test(planner, row, selected.key)
        planner.values.put("groups_size", MANY)
        rows = q.Told("rows", "rows", (q.Told("value", f"key:{node}"), q.Told("count", "count")))
        return q.Groups("customer", (node,), (rows,), (), test, planner.clock)

    answer = await answered(info, _of_row(row, given, ask))
    return {each["value"]: each["count"] for each in answer["rows"]}


def _compared(dimension: str, mine: Mapping[Any, int], base: Mapping[Any, int]) -> Iterable[dict[str, Any]]:
    """What is most frequent in the segment first, then in the base."""
    members, everyone = sum(mine.values()), sum(base.values())
    for value in sorted(
        {**base, **mine}, key=lambda each: (-mine.get(each, 0), -base.get(each, 0), each is None, each or "")
    ):
        count, of_base = mine.get(value, 0), base.get(value, 0)
        yield {
            "dimension": dimension,
            "value": value,
            "count": count,
            "base_count": of_base,
            "share": _share(count, members, 6),
            "base_share": _share(of_base, everyone, 6),
            # Of the counts, not of the rounded shares.
            "index": _share(count * everyone, of_base * members, 4),
        }


def _share(part: int, whole: int, decimals: int) -> float | None:
    return half_away(part * 10**decimals, whole) / 10**decimals if whole else None


def _check_profile(given: Mapping[str, Any]) -> None:
    if not 1 <= given["first"] <= MOST_VALUES:
        raise BadInput(f"first is 1 to {MOST_VALUES:,}.")


@entity(segments, order=(("name_folded", False),))
@strawberry.type(
    description="A saved filter of customers, always live: who belongs to it is asked anew each time. 细分群体"
)
class Segment(Node):
    id: strawberry.ID = identity("seg")
    version: int = column(
        SegmentTable.version, Whole(), description="Rises by one with every change; give it back as expectedVersion."
    )
    name: str = column(SegmentTable.name, Text(), description="Unique in the organisation, whatever the case.")
    description: str | None = column(SegmentTable.description, Text(), description="Who they are, in a sentence.")
    where: JSON = column(SegmentTable.test, Raw(), description="The CustomerWhere that was given; instants in UTC.")
    created_at: DateTime = column(SegmentTable.created_at, Moment(), description="When it was saved.")
    updated_at: DateTime = column(SegmentTable.updated_at, Moment(), description="When it was changed last.")
    count: int = further(
        int,
        {"as_of": AS_OF},
        _count,
        NEEDS,
        description="How many belong to it; as totalCount of customers(where:), without archived ones.",
    )
    customers: CustomerConnection = further(  # type: ignore[valid-type]
        CustomerConnection,
        {**PAGING, "order_by": listing("Customer")["order_by"], "as_of": AS_OF},
        _customers,
        NEEDS,
        description="Who belongs to it, oldest first unless ordered otherwise; without archived ones.",
    )
    profile: list[SegmentProfile] = further(
        list[SegmentProfile],
        {
            "by": (
                list[CustomerDimension] | None,
                None,
                "Which dimensions; stage, tier, behavior, kind, country and city unless said.",
            ),
            "first": (int, 100, "At most so many values of each dimension, 1 to 1,000."),
            "as_of": AS_OF,
        },
        _profile,
        NEEDS,
        check=_check_profile,
        description="What tells its members from the whole base: each value's share in both. Of a dimension the values "
        "that are most frequent in the segment first.",
    )


# ------------------------------------------------------------------ what can be done


_WHERE = (
    "Whom it is about; {} is everybody. It may be as large as any filter, and may not name segments: a segment rests on "
    "what is known of a customer alone."
)


@strawberry.input(description="A new segment.")
class SegmentCreateInput:
    name: str = must("1 to 200 characters, unique in the organisation, whatever the case.")
    description: str | None = said("Who they are, in a sentence; at most 2,000 characters.")
    where: named("CustomerWhere") = must(_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="What is left out stays as it is.")
class SegmentSetInput:
    name: str | None = said("1 to 200 characters, unique in the organisation, whatever the case.")
    description: str | None = said("Who they are, in a sentence; at most 2,000 characters. Null: none.")
    where: named("CustomerWhere") | None = said(_WHERE)  # type: ignore[valid-type]


@strawberry.input(description="A change of a segment.")
class SegmentUpdateInput:
    id: strawberry.ID = must("Which segment.")
    expected_version: int | None = said("Refused with STALE_VERSION when it is no longer this.")
    set: SegmentSetInput = must("What is to be otherwise.")


@strawberry.input(description="A segment that is no longer wanted.")
class SegmentDeleteInput:
    id: strawberry.ID = must("Which segment.")
    expected_version: int | None = said("Refused with STALE_VERSION when it is no longer this.")


def create(work: Work, given: Any) -> Any:
    problems = Problems()
    _check_where(problems, work, given["where"], "where")
    return actions.create_segment(work, given, problems)


def update(work: Work, given: Any) -> Any:
    problems = Problems()
    _check_where(problems, work, given["set"].get("where"), "set", "where")
    return actions.update_segment(work, given, problems)


def delete(work: Work, given: Any) -> Any:
    return actions.delete_segment(work, given)


def _check_where(problems: Problems, work: Work, text: str | None, *path: str) -> None:
    """Adds INVALID for what no question could ask."""
    if text is None:
        return
    values = Values(Parameters(work.org, work.now), SELF_CONTAINED)
    try:
        where_of(Customer, where_from_json(text), "where", values)
    except BadInput as refused:
        problems.add(Code.INVALID, str(refused), *path)
