"""How people find a customer by what they type."""

from typing import Any

import pytest

from app.customers.search import terms, tokens


def found(query: str, **profile: Any) -> bool:
    kept = tokens(**{"name": "", "email": None, "phone": None, "refs": [], **profile})
    asked = terms(query)
    return bool(asked) and all(any(low <= token < high for token in kept) for low, high in asked)


@pytest.mark.parametrize("query", ["王小明", "小明", "王小", "明", "小", "王", " 小明, "])
def test_any_part_of_a_chinese_name_finds_it(query: str) -> None:
    assert found(query, name="王小明")
    assert not found(query, name="李华")


def test_neighbours_are_not_swapped() -> None:
    assert not found("明小", name="王小明")
    assert found("田中 たなか", name="田中たなか")
    assert found("김철", name="김철수")


@pytest.mark.parametrize("query", ["ana", "AN", "o'nei", "Neil", "ana o", "ÉLODIE", "E\u0301lo"])
def test_words_are_found_by_their_beginning_without_case(query: str) -> None:
    assert found(query, name="Ana Élodie O'Neil")


@pytest.mark.parametrize("query", ["Ana.Li@Example.com", "ana.li@ex", "<ana.li@example.com>,", "li example", "ana"])
def test_an_email_is_found_whole_and_by_its_words(query: str) -> None:
    assert found(query, name="X", email="Ana.Li@example.com")


@pytest.mark.parametrize(
    "query",
    [
        "+33612345678",
        "+33 6 12 34 56 78",
        "0033 6 12 34 56 78",
        "06 12 34 56 78",
        "0612345678",
        "612345678",
        "+33 6 12 34",
    ],
)
def test_a_phone_is_found_as_people_type_it(query: str) -> None:
    assert found(query, name="X", phone="+33612345678")
    assert not found(query, name="X", phone="+33712345678")


def test_a_reference_is_found_whole_and_by_its_words() -> None:
    for query in ("SHOP-0012", "shop", "0012", "ОРДЕР-7"):
        assert found(query, name="X", refs=["Shop-0012", "ордер-7"])


def test_the_name_weighs_most() -> None:
    assert tokens("Ana", "ana@x.com", None, []) == {"ana": 4, "ana@x.com": 3, "x": 1, "com": 1}


@pytest.mark.parametrize("query", ["", "   ", "!?-…", "@", "\x00", "\ud800", "()"])
def test_a_query_without_words_asks_for_nothing(query: str) -> None:
    assert terms(query) == []


def test_queries_and_tokens_are_bounded() -> None:
    assert len(terms(" ".join(f"w{n}" for n in range(99)))) == 10
    assert found("x" * 300, name="x" * 200)
    assert max(map(len, tokens("x" * 200, None, None, ["y" * 200]))) == 64
    for query in ("a@\x00b", "a@\ud800b"):
        assert all(low.isprintable() for low, _ in terms(query))
