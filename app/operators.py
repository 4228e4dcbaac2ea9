"""What the commands stand on: the database that the environment names, and the organisations in it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.platform.ids import public_id
from app.platform.refusals import OperatorError
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.platform.access import Org
    from app.platform.work import Work


def database(*, as_it_is: bool = False) -> AbstractContextManager["Engine"]:
    from app.platform.migrations import opened

    return opened(Settings.from_environment().database_url, as_it_is=as_it_is)


def orgs(engine: "Engine", org_id: str | None) -> "list[Org]":
    """The organisation of that id, or all of them."""
    from sqlalchemy.orm import Session

    from app.platform.access import organizations

    with Session(engine.execution_options(reading=True)) as session:
        found = organizations(session)
    if org_id is None:
        return found
    if named := [each for each in found if id_of(each) == org_id]:
        return named
    raise OperatorError(f"There is no organisation {org_id!r}.")


@contextmanager
def acting(org_id: str) -> "Iterator[Work]":
    """A transaction of the organisation of that id, now."""
    from app.platform.work import operator, work

    with database() as engine:
        (owner,) = orgs(engine, org_id)
        with work(engine, operator(owner), datetime.now(UTC)) as each:
            yield each


def id_of(org: "Org") -> str:
    return public_id("org", org.id)
