"""Filters of customers drawn from the schema itself: whatever may legally be given."""

from datetime import datetime
from typing import Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, get_named_type, get_nullable_type
from hypothesis import strategies as st

from schema.schema import graphql_schema

WHERE: Any = graphql_schema.type_map["CustomerWhere"]
DEEPEST, MOST_LEAVES, LONGEST_LIST = 5, 50, 200
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_SCALARS: dict[str, Any] = {
    "ID": _TEXT,
    "String": _TEXT,
    "Boolean": st.booleans(),
    "Int": st.integers(-(2**31), 2**31 - 1),
    "SafeInt": st.integers(-(2**53) + 1, 2**53 - 1),
    "Float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**31), 2**31 - 1),
    "Decimal": st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,12})?", fullmatch=True),
    "Date": st.dates().map(str),
    "DateTime": st.builds(
        lambda at, offset: f"{at.isoformat()}{offset}",
        st.datetimes(min_value=datetime(1000, 1, 2)),  # noqa: DTZ001 - the offset is written behind it
        st.sampled_from(("Z", "+00:00", "+08:00", "-03:30")),
    ),
}


@st.composite
def wheres(draw: st.DrawFn) -> dict[str, Any]:
    """A filter within the bounds of one: so deep, so many tests, lists so long."""
    left = [draw(st.integers(0, MOST_LEAVES))]
    return _where(draw, WHERE, 1, left)


def _where(draw: st.DrawFn, of: GraphQLInputObjectType, depth: int, left: list[int]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(sorted(of.fields)), max_size=4, unique=True)):
        inner = get_named_type(of.fields[key].type)
        if not isinstance(inner, GraphQLInputObjectType):
            if left[0]:
                left[0] -= 1
                given[key] = draw(_leaf(of.fields[key].type, 0))
        elif inner.name.endswith("Filter"):
            given[key] = _comparison(draw, inner, left)
        elif key in ("AND", "OR"):
            if depth < DEEPEST:
                given[key] = [_where(draw, inner, depth + 1, left) for _ in range(draw(st.integers(0, 3)))]
        elif "some" in inner.fields:
            if depth < DEEPEST:
                rows: Any = get_named_type(inner.fields["some"].type)
                ways = draw(st.lists(st.sampled_from(("some", "none")), unique=True))
                given[key] = {way: _where(draw, rows, depth + 1, left) for way in ways}
        # Parts of the same row are no hop; NOT and a row that is pointed to are.
        elif "AND" not in inner.fields or depth < DEEPEST:
            given[key] = _where(draw, inner, depth + ("AND" in inner.fields), left)
    return given


def _comparison(draw: st.DrawFn, of: GraphQLInputObjectType, left: list[int]) -> dict[str, Any]:
    operators = draw(st.lists(st.sampled_from(sorted(of.fields)), max_size=min(2, left[0]), unique=True))
    left[0] -= len(operators)
    return {name: draw(_leaf(of.fields[name].type, 0 if name == "withinDays" else None)) for name in operators}


def _leaf(type_: Any, least: int | None) -> Any:
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList):
        return st.lists(_leaf(type_.of_type, None), max_size=5)
    if isinstance(type_, GraphQLEnumType):
        return st.sampled_from(sorted(type_.values))
    return _SCALARS[type_.name] if least is None else st.integers(least, 366)


def largest(of: str = "Ω" * 36) -> dict[str, Any]:
    """As many tests as there may be, each with as many items, as deep as they may stand."""
    items = [f"{of}{n}" for n in range(LONGEST_LIST)]
    tests = [{"city": {"in": items}} for _ in range(MOST_LEAVES)]
    return {"NOT": {"OR": [{"AND": [{"NOT": each}]} for each in tests]}}
