"""Shares of refunds, hand-worked and at random."""

from hypothesis import given
from hypothesis import strategies as st

from app.platform.text import half_away
from app.purchases.rules import needs_key, printed, shares


def test_each_refund_takes_what_the_rounded_share_has_grown_by() -> None:
    assert shares(100, 300, [100, 100, 100]) == [33, 34, 33]
    assert shares(0, 300, [300]) == [0]
    assert shares(None, 300, [100, 100]) == [None, None]


@given(st.integers(0, 2**53 - 1), st.lists(st.integers(1, 2**40), min_size=1, max_size=20), st.integers(0, 2**40))
def test_any_prefix_in_time_adds_up_to_its_share_and_the_whole_nets_to_zero(
    reporting: int, amounts: list[int], kept: int
) -> None:
    gross = sum(amounts) + kept
    found = [share or 0 for share in shares(reporting, gross, amounts)]
    assert all(share >= 0 for share in found)
    for n in range(len(amounts) + 1):
        assert sum(found[:n]) == half_away(reporting * sum(amounts[:n]), gross)
    if not kept:
        assert sum(found) == reporting


def test_amounts_print_with_the_decimals_of_their_currency() -> None:
    assert [printed(1000, 0), printed(1005, 2), printed(5, 3)] == ["1000", "10.05", "0.005"]


def test_only_a_reference_makes_a_key_needless() -> None:
    ref = {"system": "a", "value": "1"}
    assert not needs_key({"external_ref": ref})
    assert needs_key({"external_ref": None})
    assert needs_key({"rows": [{"external_ref": ref}, {}]})
    assert not needs_key({"rows": [{"external_ref": ref}]})
