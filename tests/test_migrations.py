"""The migrations make the tables that the code means, both ways, and leave nothing half made."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, ForeignKeyConstraint, Table, UniqueConstraint, event, inspect

from app.platform.database import connect
from app.platform.migrations import Standing, check, downgrade, standing, upgrade
from app.platform.refusals import OperatorError
from app.tables import metadata

OWNED = [table for table in metadata.sorted_tables if not table.info.get("global")]


@pytest.fixture
def empty(empty_url: str) -> Any:
    engine = connect(empty_url)
    yield engine
    engine.dispose()


def test_up_and_down_and_up_again(empty: Engine) -> None:
    assert standing(empty) is Standing.BEHIND
    upgrade(empty)
    assert standing(empty) is Standing.CURRENT
    check(empty)
    made = described(empty)
    downgrade(empty, "base")
    assert inspect(empty).get_table_names() == ["alembic_version"]
    upgrade(empty)
    upgrade(empty)
    check(empty)
    assert described(empty) == made


def test_they_make_what_the_code_means_to_the_last_constraint(engine: Engine, empty: Engine) -> None:
    metadata.create_all(empty)
    assert described(engine) == described(empty)


def test_one_that_is_killed_leaves_nothing_half_made(empty: Engine) -> None:
    def kill(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE refunds" in statement:
            raise KeyboardInterrupt

    event.listen(empty, "before_cursor_execute", kill)
    with pytest.raises(KeyboardInterrupt):
        upgrade(empty)
    event.remove(empty, "before_cursor_execute", kill)
    # On PostgreSQL each migration is a transaction, and the first was done; on SQLite all of them are one.
    left = set(inspect(empty).get_table_names()) - {"alembic_version"}
    assert left == (
        set() if empty.dialect.name == "sqlite" else {table.name for table in metadata.sorted_tables} - names(OWNED)
    )
    upgrade(empty)
    check(empty)


def test_a_database_of_a_newer_release_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    assert standing(engine) is Standing.AHEAD
    with pytest.raises(OperatorError, match="newer version"):
        upgrade(engine)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_sqlite_holds_columns_to_their_types(engine: Engine) -> None:
    with engine.connect() as connection:
        listed = connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
        strict = {name for name, is_strict in listed if is_strict}
    assert names(metadata.sorted_tables) <= strict


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_sorts_text_by_code_point(engine: Engine) -> None:
    with engine.connect() as connection:
        otherwise = connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        ).all()
    assert otherwise == []


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_the_organisation_leads_every_key(table: Table) -> None:
    keys: list[Any] = [table.primary_key, *(index for index in table.indexes if index.unique)]
    keys += [part for part in table.constraints if isinstance(part, (UniqueConstraint, ForeignKeyConstraint))]
    for key in keys:
        assert next(iter(key.columns)).name == "org_id", key
    for foreign in table.foreign_key_constraints:
        assert foreign.elements[0].column.name == "org_id", foreign
        assert foreign.ondelete is None, foreign


def names(tables: list[Table]) -> set[str]:
    return {table.name for table in tables}


def described(engine: Engine) -> dict[str, Any]:
    """All that the database says of its tables, in an order of ours."""
    inspector = inspect(engine)

    def of(table: str) -> dict[str, list[str]]:
        kinds: dict[str, list[Any]] = {
            "columns": inspector.get_columns(table),
            "checks": inspector.get_check_constraints(table),
            "unique": inspector.get_unique_constraints(table),
            "foreign": inspector.get_foreign_keys(table),
            "indexes": inspector.get_indexes(table),
        }
        said = {
            kind: sorted(str({k: plain(v) for k, v in one.items()}) for one in all_) for kind, all_ in kinds.items()
        }
        return {**said, "primary": [str(inspector.get_pk_constraint(table))]}

    return {table: of(table) for table in inspector.get_table_names() if table != "alembic_version"}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value if isinstance(value, (str, int, list, type(None))) else str(value)
