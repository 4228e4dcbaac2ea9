"""A comparison with today says itself on which day it turns, or is refused where it is declared."""

import operator
import sqlite3
from typing import Any

import pytest
from sqlalchemy import and_, case, column, not_, or_
from sqlalchemy.dialects import sqlite

from app.query.fact import constant
from app.query.until import last_days

today = column("today")
day_, days_ = column("day"), column("days")
COMPARED = {
    "day < today - days": day_ < today - days_,
    "day <= today - days": day_ <= today - days_,
    "day > today - days": day_ > today - days_,
    "day >= today - days": day_ >= today - days_,
    "day = today - days": day_ == today - days_,
    "day != today - days": day_ != today - days_,
    "today < day": today < day_,
    "today - 3 <= day": today - constant(3) <= day_,
    "today > day + days": today > day_ + days_,
    "today >= day - (days - 1)": today >= day_ - (days_ - constant(1)),
    "today - day > days": today - day_ > days_,
    "5 > today - day": constant(5) > today - day_,
    "not day < today": not_(day_ < today),
    "case": case((and_(days_ > constant(1), day_ < today), constant(1)), else_=constant(2)),
    "two of them": or_(and_(day_ >= today - days_, day_ < today), days_ == constant(0)),
}


def spelled(expression: Any) -> str:
    return str(expression.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize("name", COMPARED)
def test_it_stays_as_it_is_until_just_that_day(name: str) -> None:
    expression: Any = COMPARED[name]
    turns = [spelled(day) for day in last_days(expression, today)]
    database = sqlite3.connect(":memory:")
    for day in (95, 100, 107):
        for days in (0, 1, 9):

            def value(text: str, on: int, day: int = day, days: int = days) -> Any:
                row = f"SELECT {text} FROM (SELECT {on} AS today, {day} AS day, {days} AS days)"
                return database.execute(row).fetchone()[0]

            named = {value(turn, 0) for turn in turns}
            turned = {n for n in range(60, 140) if value(spelled(expression), n) != value(spelled(expression), n + 1)}
            assert turned <= named
            if " of them" not in name and name != "case":
                assert turned == named


@pytest.mark.parametrize(
    "expression",
    [
        today - day_,
        case((day_ < constant(3), today)),
        day_ < today * constant(2),
        today + today > day_,
        today - today > day_,
        today > constant(0) - case((days_ > constant(0), today)),
        day_.between(today, days_),
        operator.lt(today, today),
    ],
)
def test_what_cannot_be_solved_is_refused(expression: Any) -> None:
    with pytest.raises(TypeError):
        list(last_days(expression, today))
