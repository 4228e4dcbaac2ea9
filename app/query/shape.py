"""What can be asked of one table: its columns, the facts beside it, the measures over both, and which of its rows
there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, FromClause, MetaData, Select, Table

from app.platform.database import Key
from app.query.fact import FactTable

if TYPE_CHECKING:
    from app.query.flow import Statement
    from app.query.measure import Measure
    from app.query.standing import Standing

# (row, now) -> expression: a column's value as of an instant; now is a bound instant.
AsOf = Callable[[Any, ColumnElement[Any]], ColumnElement[Any]]
# (statement, keys) -> rows: those of the keys that a select lists, or all of them.
Derived = Callable[["Statement", Select[Any] | None], FromClause]


def described(name: str, **types: Any) -> Table:
    """The columns of rows that no table holds."""
    return Table(name, MetaData(), Column("org_id", Key()), *(Column(key, type_) for key, type_ in types.items()))


@dataclass(frozen=True)
class Kept:
    """A shape of the same rows of which some measures are what is kept of them. `guards`: for each of those the flag
    that says whether it still stands.

    What is shown is read so first: a statement that holds no way to compute them is several times lighter. Should one
    of its rows not stand, the answer bears a MARK, and the question is asked again in full.
    """

    shape: "Shape"
    guards: Mapping[str, str]


@dataclass
class Shape:
    """`at`: the column of the instant at which a row came to be, for rows that an earlier clock must not see.

    `hidden`: conditions that every read of the table names. `key`: the columns besides the organisation that tell
    rows apart, in order.
    `past`: columns whose value as of an instant is another than the stored one. `borrowed`: values looked up in a
    row that this one belongs to.
    `typed`: columns on which measures rest, to be
    typed in where there is no row. `search`: subjects that a number of search terms find, with
    their rank.
    `standing`: the judgements that are kept beside the facts, for the questions that everyone asks.
    `derived`: of rows that no table holds: makes them, with the columns of `table`, which only describes them.
    """

    name: str
    table: Table
    prefix: str = ""
    facts: FactTable | None = None
    at: str | None = None
    hidden: Callable[[Any], list[ColumnElement[bool]]] = lambda _: []
    key: tuple[str, ...] = ("id",)
    past: dict[str, AsOf] = field(default_factory=dict)
    borrowed: dict[str, Callable[[Any], ColumnElement[Any]]] = field(default_factory=dict)
    typed: tuple[str, ...] = ()
    search: "Callable[[Statement, int], Select[Any]] | None" = None
    measures: "dict[str, Measure]" = field(default_factory=dict)
    standing: "Standing | None" = None
    kept: Kept | None = None
    derived: Derived | None = None

    def add(self, measure: "Measure") -> "Measure":
        """Make a measure askable by its key, which no column, fact or measure may have yet."""
        if self.holds(measure.key):
            raise ValueError(f"{measure.key} is already something of {self.name}.")
        self.measures[measure.key] = measure
        return measure

    def holds(self, key: str) -> bool:
        return self.is_stored(key) or key in self.measures

    def is_stored(self, key: str) -> bool:
        """Whether it is read, not computed: a column, a borrowed one, or a fact."""
        return key in self.table.c or key in self.borrowed or self.is_fact(key)

    def is_fact(self, key: str) -> bool:
        return self.facts is not None and key in self.facts.facts

    def facts_of(self, key: str) -> frozenset[str]:
        """The stored facts and columns on which a measure rests, through other measures."""
        if key not in self.measures:
            return frozenset({key})
        return frozenset().union(*(self.facts_of(need) for need in self.measures[key].needs))
