"""Connections: pages of rows, and what stands around them."""

from typing import Any

import strawberry


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more rows follow.")
    has_previous_page: bool = strawberry.field(
        description="Whether rows go before; known when the page was asked for from that side."
    )
    start_cursor: str | None = strawberry.field(description="Of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Of the last row; null on an empty page.")


def connection(of: type) -> tuple[type, type]:
    """The connection and the edge of a type of rows."""
    name = of.__name__
    edge = type(f"{name}Edge", (), {"__module__": of.__module__, "__annotations__": {"cursor": str, "node": of}})
    edge.cursor = strawberry.field(description="Opaque; give it back as after or before.")  # type: ignore[attr-defined]
    edge.node = strawberry.field(description="The row.")  # type: ignore[attr-defined]
    edge = strawberry.type(edge, description=f"A {name} and its place in the list.")
    annotations: dict[str, Any] = {"edges": list[edge], "nodes": list[of], "page_info": PageInfo, "total_count": int}  # type: ignore[valid-type]
    made = type(f"{name}Connection", (), {"__module__": of.__module__, "__annotations__": annotations, "rows_of": of})
    for key, said in (
        ("edges", "The rows of the page, each with its cursor."),
        ("nodes", "The rows of the page."),
        ("page_info", "Where the page stands."),
        ("total_count", "How many rows pass in all; counted only when selected."),
    ):
        setattr(made, key, strawberry.field(description=said))
    return strawberry.type(made, description=f"A page of {name} rows."), edge
