"""Attributes: what an organisation keeps of its own on a record, as a JSON object within bounds."""

import re
from math import isfinite
from typing import Any
from unicodedata import normalize

import orjson

from app.platform.refusals import Code, Problems, refuse
from app.platform.text import LARGEST

LONGEST = 16 * 1024
DEEPEST = 5
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_attributes(problems: Problems, given: Any, *path: str | int) -> dict[str, Any]:
    """The object with its text in NFC; empty for None. Adds INVALID, OUT_OF_RANGE or TOO_LONG, one problem at most."""
    accepted: dict[str, Any] = {}
    if given is None:
        return accepted
    with problems.gathering(*path):
        if not isinstance(given, dict):
            refuse(Code.INVALID, "Attributes are a JSON object.")
        composed = _composed(given, 1)
        attributes_text(composed)
        accepted.update(composed)
    return accepted


def attributes_text(attributes: dict[str, Any]) -> str:
    """As stored: compact, in the order of the keys, so that equal attributes are equal text. Refuses TOO_LONG."""
    stored = orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)
    if len(stored) > LONGEST:
        refuse(Code.TOO_LONG, f"Attributes take at most {LONGEST} bytes.")
    return stored.decode()


def _composed(value: Any, depth: int) -> Any:
    if depth > DEEPEST and isinstance(value, dict | list):
        refuse(Code.INVALID, f"Attributes nest at most {DEEPEST} levels deep.")
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int() if abs(value) <= LARGEST:
            return value
        case int():
            return refuse(Code.OUT_OF_RANGE, "Whole numbers in attributes go up to 2^53 - 1 either way.")
        case float() if isfinite(value):
            return value
        case dict():
            return {_text(key): _composed(inner, depth + 1) for key, inner in value.items()}
        case list():
            return [_composed(inner, depth + 1) for inner in value]
    return refuse(Code.INVALID, "Attributes hold only what JSON knows.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or _UNSTORABLE.search(value):
        refuse(Code.INVALID, "Text in attributes has no NUL and no half of a surrogate pair.")
    return normalize("NFC", value)
