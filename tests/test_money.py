"""Money at the door: whole fen or a bug, yuan as people type and read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.money import MAX_AMOUNT_FEN, fen, parse_yuan, yuan


@pytest.mark.parametrize("value", [1.0, True, "1", None])
def test_money_that_is_no_int_is_a_bug(value: object) -> None:
    with pytest.raises(AssertionError):
        fen(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "amount"),
    [("23", 2300), ("23.5", 2350), ("23.05", 2305), (" ¥0.01 ", 1), ("100000000", MAX_AMOUNT_FEN)],
)
def test_what_people_type(text: str, amount: int) -> None:
    assert parse_yuan(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.00",
        "-1",
        "1.234",
        "1e3",
        "１２",
        "1,000",
        "٣",
        "1.",
        ".5",
        "NaN",
        "100000000.01",
        "¥¥1",
        "0x10",
    ],
)
def test_what_is_no_positive_amount(text: str) -> None:
    assert parse_yuan(text) is None


@given(st.integers(1, MAX_AMOUNT_FEN))
def test_what_is_shown_can_be_typed(amount: int) -> None:
    assert parse_yuan(yuan(amount).replace(",", "")) == amount


def test_negative_amounts_keep_their_sign_once() -> None:
    assert (yuan(-5), yuan(-123_456_00)) == ("-0.05", "-123,456.00")
