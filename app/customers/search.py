"""How a customer is found by what people type: the tokens kept of a profile, and the terms asked of them.

Words are folded. Chinese, Japanese and Korean are written without spaces, so a run of them is kept as its pairs of
neighbours, and its last character alone: 王小明 as 王小, 小明 and 明. Any part of it that is asked for, even one
character, is then the beginning of a token.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, pairwise
from unicodedata import category
from uuid import UUID

import phonenumbers
from sqlalchemy import delete

from app.customers.lookup import chunks
from app.customers.tables import CustomerToken
from app.platform.text import fold
from app.platform.work import Work

LONGEST_TOKEN = 64
MOST_TERMS = 10
NAME, WHOLE, WORD = 4, 3, 1
# Greater than any token that begins with the term, in the order of both databases: by code point.
_LAST = "\U0010ffff"
_CJK = re.compile(
    "[\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_AROUND = "<>()[]{}\"'.,;:!?"
# A number typed in groups: it starts with + or (, or has a space in it.
_PHONE = re.compile(r"(?=[+(]|.*\s)[+(]?[\d\s().\-/]+", re.DOTALL)


def tokens(name: str, email: str | None, phone: str | None, refs: Iterable[str]) -> dict[str, int]:
    """The tokens of a profile, each with its greatest weight."""
    found: dict[str, int] = {}

    def keep(weight: int, parts: Iterable[str]) -> None:
        for part in parts:
            token = part[:LONGEST_TOKEN]
            found[token] = max(weight, found.get(token, 0))

    keep(NAME, _words(fold(name), last_alone=True))
    for text in (email, *refs):
        if text:
            keep(WHOLE, [fold(text)])
            keep(WORD, _words(fold(text), last_alone=True))
    if phone:
        keep(WHOLE, _numbers(phone))
    return found


def terms(text: str) -> list[tuple[str, str]]:
    """What a search text asks for: for each term the tokens from (included) to (excluded); none when it has no word."""
    text = fold(text.strip())
    digits = re.sub(r"\D", "", text)
    if _PHONE.fullmatch(text) and len(digits) >= 7:
        # 00 stands for + where it is dialled.
        asked = [digits.removeprefix("00")]
    else:
        parts = [part.strip(_AROUND) for part in text.split()]
        asked = [word for part in parts for word in ([part] if _is_address(part) else _words(part))]
    return [(term[:LONGEST_TOKEN], term[:LONGEST_TOKEN] + _LAST) for term in list(dict.fromkeys(asked))[:MOST_TERMS]]


def write_tokens(work: Work, of: Mapping[UUID, dict[str, int]]) -> None:
    """Replace the tokens of these customers, who must be locked or new."""
    for ids in chunks(list(of)):
        mine = CustomerToken.org_id == work.org.id, CustomerToken.customer_id.in_(ids)
        work.session.execute(delete(CustomerToken).where(*mine))
    work.insert(
        CustomerToken,
        [
            {"token": token, "customer_id": customer_id, "weight": weight}
            for customer_id, weights in of.items()
            for token, weight in weights.items()
        ],
    )


def _words(text: str, *, last_alone: bool = False) -> Iterator[str]:
    for is_word, characters in groupby(text, _is_of_a_word):
        if not is_word:
            continue
        for is_cjk, run in groupby(characters, lambda character: bool(_CJK.match(character))):
            if not is_cjk:
                yield "".join(run)
                continue
            signs = list(run)
            yield from (a + b for a, b in pairwise(signs))
            if last_alone or len(signs) == 1:
                yield signs[-1]


def _is_of_a_word(character: str) -> bool:
    # The vowels of many scripts are marks, which are no letters by themselves.
    return character.isalnum() or category(character).startswith("M")


def _is_address(part: str) -> bool:
    before, at, after = part.partition("@")
    return bool(before and at and after) and part.isprintable()


def _numbers(phone: str) -> Iterator[str]:
    """The digits with the country, without, and as dialled at home: 33612345678, 612345678, 0612345678."""
    yield phone.removeprefix("+")
    number = phonenumbers.parse(phone)
    yield phonenumbers.national_significant_number(number)
    yield re.sub(r"\D", "", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
