"""What may be said of a customer, and what it is stored as."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.customers.rules import Changes, Profile, clean_profile, email_of, occurred, phone_of
from app.platform.days import day_number
from app.platform.refusals import Problems
from app.platform.text import fold

TODAY = day_number(date(2026, 6, 15))
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
Told = list[tuple[str, tuple[str | int, ...]]]


def cleaned(given: dict[str, Any], *, new: bool = False) -> tuple[Changes, Told]:
    problems = Problems()
    profile: Profile = given  # type: ignore[assignment]
    changes = clean_profile(problems, profile, "set", new=new, today=TODAY)
    return changes, [(problem.code.value, problem.path) for problem in problems.found]


def stored(**given: Any) -> dict[str, Any]:
    changes, told = cleaned(given)
    assert told == []
    return changes.columns


def refused(**given: Any) -> Told:
    return cleaned(given)[1]


def test_a_new_customer_needs_a_name() -> None:
    assert cleaned({}, new=True)[1] == [("REQUIRED", ("set", "name"))]
    assert cleaned({"name": " \t "}, new=True)[1] == [("REQUIRED", ("set", "name"))]


def test_what_is_left_out_of_a_change_stays() -> None:
    changes, told = cleaned({})
    assert (changes, told) == (Changes(), [])


@pytest.mark.parametrize("name", ["Ana\x00", "\ud800Ana", "Ana\udfff", "A\x1bna", "\x7f"])
def test_text_that_no_database_takes_is_invalid(name: str) -> None:
    assert refused(name=name, city=name) == [("INVALID", ("set", "name")), ("INVALID", ("set", "city"))]


def test_a_name_has_up_to_200_characters() -> None:
    assert stored(name="é" * 200)["name"] == "é" * 200
    assert stored(name="e\u0301" * 200)["name"] == "é" * 200  # composed first
    assert refused(name="x" * 201) == [("TOO_LONG", ("set", "name"))]


def test_text_is_trimmed_composed_and_folded() -> None:
    columns = stored(name="  Zoe\u0301 STRASSE ", city="  ", region="ÎLE")
    assert columns["name"] == "Zoé STRASSE"
    assert columns["name_folded"] == fold("zoé straße")
    assert (columns["city"], columns["city_folded"], columns["region_folded"]) == (None, None, "île")


def test_all_problems_are_told_at_once() -> None:
    told = refused(
        name=None, kind="ROBOT", email="a@", phone="1", country="XX", language="xx-yy", birthday=date(1, 1, 1)
    )
    assert {path[1] for _, path in told} == {"name", "kind", "email", "phone", "country", "language", "birthday"}


def test_null_empties_what_may_be_empty() -> None:
    empty = stored(email=None, phone=None, birthday=None, city=None, region=None, country=None, language=None)
    assert set(empty.values()) == {None}
    assert refused(kind=None, suppressed=None) == [("REQUIRED", ("set", "kind")), ("REQUIRED", ("set", "suppressed"))]
    assert cleaned({"name": "A", "suppressed": None}, new=True)[0].columns["suppressed"] is False


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ana.Li@EXAMPLE.com", "Ana.Li@example.com"),
        ("  ana@example.com ", "ana@example.com"),
        ("Zoe\u0301@Bücher.DE", "Zoé@bücher.de"),
    ],
)
def test_an_email_keeps_its_local_part(given: str, kept: str) -> None:
    assert stored(email=given) == {"email": kept, "email_folded": fold(kept)}
    assert email_of(given) == kept


@pytest.mark.parametrize(
    "given", ["ana", "ana@", "@x.com", "a b@x.com", "a@x..com", "Ana <a@x.com>", "a@x", "a\x00@x.com"]
)
def test_what_is_no_email_is_invalid(given: str) -> None:
    assert refused(email=given) == [("INVALID", ("set", "email"))]
    assert email_of(given) is None


@settings(max_examples=500)
@given(st.text(max_size=12), st.sampled_from(["{}@a.com", "a{}b@a.com", '"{}"@a.com', "a@{}.a.com"]))
@example('"', "a{}b@a.com")
@example("\\", '"{}"@a.com')
@example("\u2028", "a{}b@a.com")
def test_an_email_needs_no_escape_in_json(said: str, form: str) -> None:
    kept = email_of(form.format(said))
    assert kept is None or json.dumps(kept, ensure_ascii=False) == f'"{kept}"'


def test_no_message_repeats_what_the_caller_sent() -> None:
    problems = Problems()
    secret = {"name": "Q\x00", "email": "qqq qqq@x", "phone": "+qqq", "country": "qqq", "language": "qqqqqqqqq"}
    profile: Profile = secret  # type: ignore[assignment]
    clean_profile(problems, {**profile, "attributes": {"qqq": float("nan")}}, new=True, today=TODAY)
    assert len(problems.found) == 6
    assert not [problem.message for problem in problems.found if "qq" in problem.message]


@pytest.mark.parametrize("given", ["+33 6 12 34 56 78", "+33612345678", "+33 (0)6.12.34-56/78", "＋33612345678"])
def test_a_phone_is_stored_as_e164(given: str) -> None:
    assert stored(phone=given) == {"phone": "+33612345678"}


@pytest.mark.parametrize(
    "given",
    [
        "0612345678",
        "+",
        "+1",
        "+99912345678",
        "call +33612345678",
        "+33612345678 ext 5",
        "+1 800 FLOWERS",
        "+" + "9" * 90,
    ],
)
def test_what_is_no_international_phone_is_invalid(given: str) -> None:
    assert refused(phone=given) == [("INVALID", ("set", "phone"))]
    assert phone_of(given) is None


def test_countries_and_languages_are_their_standards() -> None:
    assert stored(country="fr", language="ZH-hans-cn") == {"country": "FR", "language": "zh-Hans-CN"}
    # In upper case ß is SS, which is South Sudan.
    for country in ("ß", "UK", "FRA", "F", "ﬆ"):
        assert refused(country=country) == [("INVALID", ("set", "country"))]
    for language in ("french", "xx-YY", "e", "ｆｒ", "-"):
        assert refused(language=language) == [("INVALID", ("set", "language"))]


def test_a_birthday_is_a_day_number_and_a_day_of_the_year() -> None:
    born = stored(birthday=date(2000, 2, 29))
    assert born == {"birthday": day_number(date(2000, 2, 29)), "birthday_month_day": 229}
    assert stored(birthday=date(2026, 6, 15))["birthday"] == TODAY
    assert stored(birthday=date(1850, 1, 1))["birthday"] < 0
    for day in (date(2026, 6, 16), date(1849, 12, 31), date(1, 1, 1), date(9999, 12, 31)):
        assert refused(birthday=day) == [("OUT_OF_RANGE", ("set", "birthday"))]


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {"a": 1}


def test_attributes_are_a_bounded_json_object() -> None:
    kept = {"e\u0301": ["e\u0301", 1, 1.5, True, None, {}], "deep": nested(4)}
    assert cleaned({"attributes": kept})[0].attributes == {"é": ["é", 1, 1.5, True, None, {}], "deep": nested(4)}
    assert cleaned({"attributes": nested(5)})[1] == []
    assert cleaned({"attributes": {"a": "x" * (16 * 1024 - 8)}})[1] == []


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([], "INVALID"),
        ("text", "INVALID"),
        (nested(6), "INVALID"),
        ({"a": [[[[[1]]]]]}, "INVALID"),
        ({"a": "\x00"}, "INVALID"),
        ({"\x00": 1}, "INVALID"),
        ({"a": ["\ud800"]}, "INVALID"),
        ({"a": float("nan")}, "INVALID"),
        ({"a": float("-inf")}, "INVALID"),
        ({"a": date(2026, 1, 1)}, "INVALID"),
        ({1: 1}, "INVALID"),
        ({"a": 2**53}, "OUT_OF_RANGE"),
        ({"a": "x" * (16 * 1024 - 7)}, "TOO_LONG"),
        ({"a": "é" * 8192}, "TOO_LONG"),
    ],
)
def test_other_attributes_are_refused(attributes: Any, code: str) -> None:
    assert refused(attributes=attributes) == [(code, ("set", "attributes"))]


def test_references_are_clean_and_one_of_each_system() -> None:
    good = {"system": " shop ", "value": "e\u0301"}
    changes, told = cleaned({"external_refs": [good, good, {"system": "erp", "value": "1"}]})
    assert told == []
    assert changes.ref_keys == [("shop", "é"), ("shop", "é"), ("erp", "1")]
    assert refused(external_refs=[good, {"system": "shop", "value": "2"}]) == [("INVALID", ("set", "external_refs", 1))]
    assert refused(external_refs=[{"system": "", "value": "\x00"}]) == [
        ("REQUIRED", ("set", "external_refs", 0, "system")),
        ("INVALID", ("set", "external_refs", 0, "value")),
    ]
    many = [{"system": str(n), "value": "1"} for n in range(51)]
    assert refused(external_refs=many) == [("TOO_MANY", ("set", "external_refs"))]


def test_events_lie_at_most_five_minutes_ahead() -> None:
    def told(given: datetime | None) -> list[str]:
        problems = Problems()
        occurred(problems, given, NOW, "at")
        return [problem.code.value for problem in problems.found]

    assert told(None) == told(NOW + timedelta(minutes=5)) == told(datetime(1850, 1, 1, tzinfo=UTC)) == []
    assert told(NOW + timedelta(minutes=5, microseconds=1)) == ["OUT_OF_RANGE"]
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))
    assert told(datetime(1, 1, 1, tzinfo=east)) == told(datetime(9999, 12, 31, 23, tzinfo=west)) == ["OUT_OF_RANGE"]
    assert occurred(Problems(), None, NOW) == NOW
