"""What may be said of a customer: the inputs, and their text, dates and codes as they may be stored."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache, lru_cache
from typing import Any, TypedDict, TypeVar

import langcodes
import phonenumbers
import pycountry
from email_validator import EmailNotValidError, validate_email

from app.customers.attributes import clean_attributes
from app.customers.tables import CustomerKind
from app.platform.days import day_number
from app.platform.refusals import Code, Path, Problems
from app.platform.text import Ref, clean, clean_ref, folded

Choice = TypeVar("Choice", bound=Enum)
RefKey = tuple[str, str]

# A caller's clock may run a little ahead of ours.
MAX_AHEAD = timedelta(minutes=5)
EARLIEST = date(1850, 1, 1)
MOST_REFS = 50
LONGEST_LANGUAGE = 35
# The parser would pick a number out of any sentence.
_PHONE = re.compile(r"\s*[+＋][\d\s().\-/‐-―]{3,60}")


class Lookup(TypedDict, total=False):
    """Who is meant; exactly one of them."""

    id: str
    external_ref: Ref
    email: str
    phone: str


class Profile(TypedDict, total=False):
    """What is left out stays as it is (or is empty in a new customer); None empties."""

    kind: CustomerKind | str | None
    name: str | None
    email: str | None
    phone: str | None
    birthday: date | None
    city: str | None
    region: str | None
    country: str | None
    language: str | None
    external_refs: list[Ref] | None
    external_refs_remove: list[Ref] | None
    attributes: dict[str, Any] | None
    suppressed: bool | None


@dataclass
class Changes:
    """A clean profile: `attributes` merge by top-level key, `refs` are added, each with its path in the input."""

    columns: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    attributes_emptied: bool = False
    attributes_path: Path = ()
    refs: list[tuple[RefKey, Path]] = field(default_factory=list)
    refs_removed: set[RefKey] = field(default_factory=set)
    refs_emptied: bool = False

    @property
    def ref_keys(self) -> list[RefKey]:
        return [ref for ref, _ in self.refs]


def clean_profile(problems: Problems, given: Profile, *path: str | int, new: bool, today: int) -> Changes:
    """What a profile says, ready to be stored; adds all that is wrong. `today`: the organisation's day number."""
    columns: dict[str, Any] = {}
    if "kind" in given:
        columns["kind"] = clean_choice(problems, CustomerKind, given["kind"], *path, "kind")
    if "name" in given or new:
        columns["name"] = clean(problems, given.get("name"), *path, "name", required=True)
        columns["name_folded"] = folded(columns["name"])
    if "email" in given:
        columns["email"] = clean_email(problems, given["email"], *path, "email")
        columns["email_folded"] = folded(columns["email"])
    if "phone" in given:
        columns["phone"] = clean_phone(problems, given["phone"], *path, "phone")
    if "birthday" in given:
        columns.update(_birthday(problems, given["birthday"], today, *path, "birthday"))
    for place in ("city", "region"):
        if place in given:
            columns[place] = clean(problems, given[place], *path, place)
            columns[f"{place}_folded"] = folded(columns[place])
    if "country" in given:
        columns["country"] = clean_country(problems, given["country"], *path, "country")
    if "language" in given:
        columns["language"] = clean_language(problems, given["language"], *path, "language")
    if "suppressed" in given:
        columns["suppressed"] = _suppressed(problems, given["suppressed"], *path, "suppressed", new=new)
    changes = Changes(columns)
    if "attributes" in given:
        changes.attributes_emptied = given["attributes"] is None
        changes.attributes_path = (*path, "attributes")
        changes.attributes = clean_attributes(problems, given["attributes"], *path, "attributes")
    _clean_refs(problems, changes, given, *path)
    return changes


def occurred(problems: Problems, given: datetime | None, now: datetime, *path: str | int) -> datetime:
    """When something happened: `now` unless it was said. Adds OUT_OF_RANGE for what lies ahead, or before 1850."""
    if given is None:
        return now
    if given.year < EARLIEST.year or given > now + MAX_AHEAD:
        problems.add(Code.OUT_OF_RANGE, "This may not lie more than 5 minutes ahead, nor before 1850.", *path)
        return now
    return given


def clean_choice(problems: Problems, choices: type[Choice], given: Enum | str | None, *path: str | int) -> str | None:
    """The name of one of an enum's members, from the member itself or its name; adds REQUIRED or INVALID."""
    if given is None:
        problems.add(Code.REQUIRED, "This may not be empty.", *path)
        return None
    name = str(given.value if isinstance(given, Enum) else given)
    if name not in _names(choices):
        problems.add(Code.INVALID, f"One of {', '.join(_names(choices))}.", *path)
        return None
    return name


@cache
def _names(choices: type[Enum]) -> tuple[str, ...]:
    return tuple(str(choice.value) for choice in choices)


def clean_email(problems: Problems, given: str | None, *path: str | int) -> str | None:
    """As RFC 5321 has it, the domain in lower case and the local part as it was given."""
    text = clean(problems, given, *path, longest=254)
    address = email_of(text) if text else None
    if text and address is None:
        problems.add(Code.INVALID, "This is no email address.", *path)
    return address


def clean_phone(problems: Problems, given: str | None, *path: str | int) -> str | None:
    """E.164, from a number that starts with + and its country."""
    text = clean(problems, given, *path)
    number = phone_of(text) if text else None
    if text and number is None:
        problems.add(Code.INVALID, "This is no phone number with + and a country code, like +33 6 12 34 56 78.", *path)
    return number


def email_of(text: str) -> str | None:
    """The address as it is stored, which lookups compare; None for what is none."""
    try:
        # The library's own sentences quote the address, so none of them is passed on.
        # Said, though it is the library's habit: an address is told as JSON without a look for escapes.
        return validate_email(
            text.strip(), check_deliverability=False, allow_quoted_local=False, allow_domain_literal=False
        ).normalized
    except (EmailNotValidError, UnicodeError):
        return None


def phone_of(text: str) -> str | None:
    """The number as it is stored, which lookups compare; None for what is none."""
    if not _PHONE.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: numbering plans open new ranges faster than libraries learn of them.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def clean_country(problems: Problems, given: str | None, *path: str | int) -> str | None:
    text = clean(problems, given, *path)
    # Only ASCII has an upper case of the same length: ß would become South Sudan.
    code = text.upper() if text and text.isascii() else ""
    if text and code not in _countries():
        problems.add(Code.INVALID, "This is no country code of ISO 3166-1 alpha-2, like FR.", *path)
        return None
    return code or None


def clean_language(problems: Problems, given: str | None, *path: str | int) -> str | None:
    text = clean(problems, given, *path, longest=LONGEST_LANGUAGE)
    tag = _language(text) if text else None
    if text and tag is None:
        problems.add(Code.INVALID, "This is no language tag of BCP 47, like fr or zh-Hant.", *path)
    return tag


def _clean_refs(problems: Problems, changes: Changes, given: Profile, *path: str | int) -> None:
    changes.refs_emptied = "external_refs" in given and given["external_refs"] is None
    systems: dict[str, str] = {}
    for i, ref in _few(problems, given.get("external_refs"), *path, "external_refs"):
        if not (kept := clean_ref(problems, ref, *path, "external_refs", i)):
            continue
        system, value = kept["system"], kept["value"]
        if systems.setdefault(system, value) != value:
            problems.add(Code.INVALID, "One reference of each system.", *path, "external_refs", i)
        else:
            changes.refs.append(((system, value), (*path, "external_refs", i)))
    for i, ref in _few(problems, given.get("external_refs_remove"), *path, "external_refs_remove"):
        if kept := clean_ref(problems, ref, *path, "external_refs_remove", i):
            changes.refs_removed.add((kept["system"], kept["value"]))


def _few(problems: Problems, refs: list[Ref] | None, *path: str | int) -> list[tuple[int, Ref]]:
    if refs and len(refs) > MOST_REFS:
        problems.add(Code.TOO_MANY, f"At most {MOST_REFS} references.", *path)
        return []
    return list(enumerate(refs or []))


def _birthday(problems: Problems, given: date | None, today: int, *path: str | int) -> dict[str, int | None]:
    if given is not None and not (given >= EARLIEST and day_number(given) <= today):
        problems.add(Code.OUT_OF_RANGE, "A birthday lies between 1850 and today.", *path)
        given = None
    if given is None:
        return {"birthday": None, "birthday_month_day": None}
    return {"birthday": day_number(given), "birthday_month_day": given.month * 100 + given.day}


def _suppressed(problems: Problems, given: bool | None, *path: str | int, new: bool) -> bool:
    # Emptied by null, the wish not to be contacted would be lost by a slip.
    if given is None and not new:
        problems.add(Code.REQUIRED, "This is true or false.", *path)
    return bool(given)


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


@lru_cache(maxsize=1000)
def _language(text: str) -> str | None:
    try:
        return langcodes.standardize_tag(text) if langcodes.tag_is_valid(text) else None
    except ValueError:
        return None
