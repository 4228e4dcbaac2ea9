"""The role that serves, on PostgreSQL: made with the tables by whoever may make one, and asked for by who may not."""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.platform.database import check_serving, connect
from app.platform.migrations import downgrade, upgrade
from app.platform.refusals import OperatorError
from app.platform.walls import SETTING
from tests.conftest import _drop, _migrated
from tests.databases import as_administrator, new_postgres_database


@pytest.fixture
def ordinary() -> Iterator[str]:
    """The url of an empty database whose owner is an ordinary user."""
    url = new_postgres_database(durable=False)
    name = str(make_url(url).database)
    as_administrator(url, "CREATE ROLE {} LOGIN PASSWORD 'secret'", f"{name}_owner")
    as_administrator(url, "ALTER DATABASE {} OWNER TO {}", name, f"{name}_owner")
    yield make_url(url).set(username=f"{name}_owner", password="secret").render_as_string(hide_password=False)
    _drop(url)
    as_administrator(_migrated("postgresql"), "DROP ROLE {}", f"{name}_owner")


def roles(url: str) -> tuple[str, str]:
    name = str(make_url(url).database)
    return f"{name}_owner", f"guanxi_server_{name}"


def test_an_ordinary_owner_who_may_make_roles_makes_the_one_that_serves(ordinary: str) -> None:
    as_administrator(ordinary, "ALTER ROLE {} CREATEROLE", roles(ordinary)[0])
    engine = connect(ordinary)
    with pytest.raises(OperatorError, match="Run guanxi migrate"):
        check_serving(ordinary)
    upgrade(engine)
    check_serving(ordinary)
    # The wall stands before the owner as well, who is no superuser.
    with engine.connect() as connection, pytest.raises(DBAPIError, match=SETTING):
        connection.exec_driver_sql("SELECT * FROM customers")
    downgrade(engine, "base")
    upgrade(engine)
    check_serving(ordinary)
    downgrade(engine, "base")
    engine.dispose()


def test_an_owner_who_may_not_is_told_what_to_ask_for(ordinary: str) -> None:
    engine = connect(ordinary)
    me, role = roles(ordinary)
    with pytest.raises(OperatorError) as told:
        upgrade(engine)
    assert f'CREATE ROLE "{role}" NOLOGIN; GRANT "{role}" TO "{me}"' in str(told.value)
    as_administrator(ordinary, "CREATE ROLE {} NOLOGIN BYPASSRLS", role)
    with pytest.raises(OperatorError, match="every organisation"):
        upgrade(engine)
    as_administrator(ordinary, "ALTER ROLE {} NOSUPERUSER NOBYPASSRLS", role)
    with pytest.raises(OperatorError, match="may not take the role"):
        upgrade(engine)
    as_administrator(ordinary, "GRANT {} TO {}", role, me)
    upgrade(engine)
    check_serving(ordinary)
    downgrade(engine, "base")  # the role stays: who may not make it may not drop it
    as_administrator(ordinary, "DROP ROLE {}", role)
    engine.dispose()


def test_a_copy_is_served_by_the_role_of_its_original() -> None:
    original = new_postgres_database(durable=False)
    engine = connect(original)
    upgrade(engine)
    engine.dispose()
    copy = new_postgres_database(original)
    check_serving(copy)
    downgrade(engine, "base")
    engine.dispose()
    check_serving(copy)
    _drop(copy)
    _drop(original)
