"""Amounts in capitals, as the rules of banks write them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.capitals import DIGITS, MAX_FEN, PLACES, capitals

CASES = {
    0: "零元整",
    1: "壹分",
    10: "壹角整",
    15: "壹角伍分",
    1_00: "壹元整",
    1_05: "壹元零伍分",
    1_50: "壹元伍角整",
    10_00: "壹拾元整",
    123_45: "壹佰贰拾叁元肆角伍分",
    101_01: "壹佰零壹元零壹分",
    1_001_00: "壹仟零壹元整",
    1_680_32: "壹仟陆佰捌拾元叁角贰分",
    10_000_00: "壹万元整",
    10_010_07: "壹万零壹拾元零柒分",
    107_000_53: "壹拾万柒仟元伍角叁分",
    100_010_00: "壹拾万零壹拾元整",
    1_000_000_50: "壹佰万元伍角整",
    20_305_060_00: "贰仟零叁拾万伍仟零陆拾元整",
    100_000_000_00: "壹亿元整",
    100_000_005_00: "壹亿零伍元整",
    100_050_000_00: "壹亿零伍万元整",
}


@pytest.mark.parametrize(("amount_fen", "text"), CASES.items())
def test_amounts_in_capitals(amount_fen: int, text: str) -> None:
    assert capitals(amount_fen) == text


@given(st.integers(0, MAX_FEN))
def test_capitals_say_the_amount(amount_fen: int) -> None:
    text = capitals(amount_fen)
    assert read(text) == amount_fen
    assert "零零" not in text


@pytest.mark.parametrize("amount", [-1, MAX_FEN + 1, True, 1.0])
def test_what_is_no_amount(amount: int) -> None:
    with pytest.raises(AssertionError):
        capitals(amount)


def read(text: str) -> int:
    """The other way round, by another way of thinking."""
    yuan, _, rest = text.partition("元") if "元" in text else ("", "", text)
    total = 0
    for unit, worth in (("角", 10), ("分", 1)):
        if found := re.search(f"(.){unit}", rest):
            total += DIGITS.index(found[1]) * worth
    return total + _read_whole(yuan) * 100


def _read_whole(text: str) -> int:
    if "亿" in text:
        high, _, low = text.rpartition("亿")
        return _read_whole(high) * 10**8 + _read_whole(low)
    if "万" in text:
        high, _, low = text.rpartition("万")
        return _read_whole(high) * 10**4 + _read_whole(low)
    pairs = re.findall(f"([{DIGITS[1:]}])([{''.join(PLACES)}]?)", text)
    return sum(DIGITS.index(digit) * 10 ** PLACES.index(place) for digit, place in pairs)
