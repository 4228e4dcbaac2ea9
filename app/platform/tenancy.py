"""The first wall between organisations: a statement that reaches an owned table without naming its organisation is
not run.

Checked on the statement's own tree before it is sent, and once when a question is compiled: every owned table in it
must be compared, `table.org_id = ...`, with a value or with the organisation of a table that already is. The second
wall, on PostgreSQL, is in app.platform.walls.
"""

from typing import Any

from sqlalchemy import Alias, Connection, Table
from sqlalchemy.sql.elements import BinaryExpression, ColumnClause
from sqlalchemy.sql.expression import ClauseElement, Insert, SelectBase
from sqlalchemy.sql.operators import eq, or_

ORGANISATION = "org_id"


class OrganisationNotNamed(Exception):
    """A bug: a statement reaches an owned table without saying whose rows it means."""


def unnamed(statement: ClauseElement) -> list[str]:
    """The owned tables (or their aliases) of a statement whose organisation it does not name."""
    tables: set[str] = set()
    named: set[str] = set()
    links: list[tuple[str, str]] = []
    # With each part, whether it holds of every row: one of several alternatives does not.
    seen: set[tuple[int, bool]] = set()
    stack: list[tuple[Any, bool]] = [(statement, True)]
    while stack:
        part, holds = stack.pop()
        if (id(part), holds) in seen:
            continue
        seen.add((id(part), holds))
        if isinstance(part, Insert):
            # Its rows carry their organisation: the column cannot be null.
            named.add(part.table.name)
        if _is_owned(part):
            tables.add(part.name)
            continue  # the table under an alias is not itself read
        if holds and isinstance(part, BinaryExpression) and part.operator is eq:
            sides = [_organisation_of(side) for side in (part.left, part.right)]
            if all(sides):
                links.append((str(sides[0]), str(sides[1])))
            else:
                named.update(side for side in sides if side)
        below = isinstance(part, SelectBase) or (holds and getattr(part, "operator", None) is not or_)
        stack.extend((child, below) for child in part.get_children())
    spreading = True
    while spreading:
        reached = {b for a, b in links if a in named} | {a for a, b in links if b in named}
        # A CTE that passes org_id on was checked where it was made.
        reached |= {b for a, b in links if a not in tables} | {a for a, b in links if b not in tables}
        spreading = not reached <= named
        named |= reached
    return sorted(tables - named)


def tables_of(statement: ClauseElement) -> frozenset[str]:
    """The tables that a statement reaches, by name."""
    found: set[str] = set()
    # Each part once: what several others stand on hangs below each of them.
    seen: dict[int, Any] = {}
    stack: list[Any] = [statement]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, Table):
            found.add(part.name)
            continue
        if isinstance(part, Alias):
            stack.append(part.element)
        stack.extend(part.get_children())
    return frozenset(found)


def _is_owned(part: Any) -> bool:
    table = part.element if isinstance(part, Alias) else part
    return isinstance(table, Table) and ORGANISATION in table.c and not table.info.get("global")


def _organisation_of(side: Any) -> str | None:
    if isinstance(side, ColumnClause) and side.name == ORGANISATION and side.table is not None:
        return str(getattr(side.table, "name", ""))
    return None


def every_statement_names_the_organisation(
    _connection: Connection, statement: Any, _multiparams: Any, _params: Any, execution_options: Any
) -> None:
    """Refuses to run one that does not. Work across organisations says so: `across_organisations=True`."""
    if not isinstance(statement, ClauseElement) or execution_options.get("across_organisations"):
        return
    if getattr(statement, "is_dml", False) or getattr(statement, "is_select", False):
        check(statement)


def check(statement: ClauseElement) -> None:
    """Raises OrganisationNotNamed unless every owned table of the statement is held to an organisation."""
    missing = unnamed(statement)
    if missing:
        raise OrganisationNotNamed(f"The organisation is not named for: {', '.join(missing)}.")
