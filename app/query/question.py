"""What was asked, without its values: a tree that can be compared and hashed, so that a question asked again finds
its statement.

Values (ids, thresholds, page sizes, cursor values) are parameters; their names stand in the question. Names are made
of the path that leads to them, which keeps the statement readable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from app.query.kind import Kind


@dataclass(frozen=True, eq=False)
class Relation:
    """How rows of one shape lead to rows of another: `child` column of the target equals `parent` column of the source.

    `only`: conditions on the target's row besides; (row, clock) -> conditions. `order` of a plain list, or of a
    connection unless another is asked for, by column; `-` before one that falls. `selective`: a test on the target
    finds few rows, so it is better asked first than for each row of the source. `written`: a flag of the source that
    says whether all of its rows are written by the clock; where they are not, they are before anybody reads them.
    """

    target: Any  # a Shape
    parent: str = "id"
    child: str = "id"
    only: Any = None
    order: tuple[str, ...] = ()
    selective: bool = False
    written: str = ""


# ------------------------------------------------------------------ what is selected


@dataclass(frozen=True)
class Field:
    """A value of the row, under its response key. `kind` is how it is printed."""

    key: str
    node: str
    kind: Kind
    nullable: bool


@dataclass(frozen=True)
class Said:
    """Something that is the same on every row: JSON text, or the name of a parameter that holds JSON text."""

    key: str
    json: str
    parameter: bool = False


@dataclass(frozen=True)
class Part:
    """An object made of the same row; null when the node `unless` is."""

    key: str
    fields: "Items"
    unless: str | None = None


@dataclass(frozen=True)
class Listed:
    """A list of a fixed number of values of the row."""

    key: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Told:
    """A field of an explanation: response key, name, and for reasons and next what is told of each."""

    key: str
    name: str
    fields: "tuple[Told, ...]" = ()


@dataclass(frozen=True)
class Explained:
    key: str
    measure: str
    fields: tuple[Told, ...]


@dataclass(frozen=True)
class One:
    """The row that this one points to, or null. `clock`: another holds below it, whose parameters are named so."""

    key: str
    relation: Relation
    fields: "Items"
    clock: str | None = None


@dataclass(frozen=True)
class Either:
    """The row that this one points to, of whichever shape it is."""

    key: str
    ones: tuple[One, ...]


@dataclass(frozen=True)
class Rows:
    """All rows that point to this one and pass, as a plain list. `clock` as of One; `where` names what is stored."""

    key: str
    relation: Relation
    fields: "Items"
    clock: str | None = None
    where: "Where | None" = None


@dataclass(frozen=True)
class Order:
    """A sort key: a node of the shape and whether it falls."""

    node: str
    falls: bool


@dataclass(frozen=True)
class Page:
    """`size` and `more` (size + 1) are parameters. `after` and `before`: per sort key of the cursor, whether it is
    null; None without a cursor."""

    path: str
    order: tuple[Order, ...]
    backward: bool = False
    after: tuple[bool, ...] | None = None
    before: tuple[bool, ...] | None = None
    search: int | None = None


@dataclass(frozen=True)
class Paged:
    """A field of a connection: nodes, edges (with cursor and node), pageInfo, totalCount, or __typename, which is
    `said`."""

    key: str
    name: str
    fields: "Items" = ()
    parts: "tuple[Paged, ...]" = ()
    said: str = ""


@dataclass(frozen=True)
class Many:
    """A connection. Without a relation it is a root field and asks all rows of the shape."""

    key: str
    shape: str
    relation: Relation | None
    fields: tuple[Paged, ...]
    page: Page
    where: "Where | None" = None


Item: TypeAlias = Field | Said | Part | Listed | Explained | One | Either | Rows | Many
Items: TypeAlias = tuple[Item, ...]


_MOST_QUESTIONS = 128


class Fields(tuple[Any, ...]):  # noqa: SLOT001 - it keeps its hash
    """A selection that is asked again and again: equal to any tuple of the same, and hashed once."""

    def __hash__(self) -> int:
        found: int | None = self.__dict__.get("hash")
        if found is None:
            found = self.__dict__["hash"] = super().__hash__()
        return found

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    def asked(self, how: Any, make: "Callable[[Fields], Any]") -> Any:
        """The question that was made of it so before: the very same is found sooner than an equal one."""
        known = self.__dict__.setdefault("questions", {})
        found = known.get(how)
        if found is None:
            if len(known) >= _MOST_QUESTIONS:
                known.clear()
            found = known[how] = make(self)
        return found


# ------------------------------------------------------------------ what is tested


@dataclass(frozen=True)
class Compare:
    """`op`: eq in gte gt lte lt is_null not_null contains starts within; `parameter` names the value."""

    node: str
    op: str
    parameter: str = ""


@dataclass(frozen=True)
class All:
    tests: "tuple[Where, ...]"


@dataclass(frozen=True)
class AnyOf:
    tests: "tuple[Where, ...]"


@dataclass(frozen=True)
class Not:
    test: "Where"


@dataclass(frozen=True)
class Related:
    """Whether any row of the relation passes."""

    relation: Relation
    test: "Where"


Where: TypeAlias = Compare | All | AnyOf | Not | Related

# ------------------------------------------------------------------ whole questions


class Clock(NamedTuple):
    """`past`: facts come from the events up to now; `named`: below an asOf, so that ids carry the instant."""

    past: bool = False
    named: bool = False


PRESENT = Clock()


@dataclass(frozen=True)
class Lookup:
    """The one row that passes; null for none and for several."""

    shape: str
    fields: Items
    where: Where
    clock: Clock = PRESENT


@dataclass(frozen=True)
class Listing:
    """All rows that pass, unpaged: for what is few by nature."""

    shape: str
    fields: Items
    order: tuple[Order, ...]
    where: Where | None = None
    clock: Clock = PRESENT


@dataclass(frozen=True)
class Connection:
    many: Many
    clock: Clock = PRESENT


@dataclass(frozen=True)
class Nodes:
    """Rows by key, in the order of the keys, null where there is none: per shape what is selected. Parameters
    `places`, and `nodes_<shape>`: keys by place.

    `even_hidden`: also what has just been taken out, to be shown to the one who did it.
    """

    shapes: tuple[tuple[str, Items], ...]
    clock: Clock = PRESENT
    even_hidden: bool = False


@dataclass(frozen=True)
class Groups:
    """Rows by combination of keys, with aggregates, and the row over everyone. `fields` name aggregates as `count`,
    `sum.x`, `avg.x`, `min.x`, `max.x`, or a key's node."""

    shape: str
    keys: tuple[str, ...]
    fields: tuple[Told, ...]
    order: tuple[Order, ...]
    where: Where | None = None
    clock: Clock = PRESENT


@dataclass(frozen=True)
class Scenario:
    """The judgements of typed-in facts: each fact that is not empty is a parameter `fact_<key>`; a proposed policy
    comes as `policy_<key>`."""

    shape: str
    fields: Items
    proposed: bool = False
    clock: Clock = PRESENT


class Own(Protocol):
    """A question of a capability's own, which says itself how it is answered."""

    @property
    def clock(self) -> Clock: ...

    def answer(self, compiler: Any) -> Any:
        """The expression of the whole answer as JSON text; `compiler` is that of the statement."""


Question: TypeAlias = Lookup | Listing | Connection | Nodes | Groups | Scenario | Own
