"""Phone numbers as people type them."""

import pytest

from backend import phones


@pytest.mark.parametrize(
    ("country", "typed", "phone"),
    [
        ("+86", "138 0013 8000", "+8613800138000"),
        ("+86", "138-0013-8000", "+8613800138000"),
        ("+86", "+86 13800138000", "+8613800138000"),
        ("+86", "0086 13800138000", "+8613800138000"),
        ("+86", "＋86 13800138000", "+8613800138000"),
        ("+86", "+852 5123 4567", "+85251234567"),
        ("+44", "07911 123456", "+447911123456"),
        ("+1", "(415) 555-0132", "+14155550132"),
        ("+86", "1380013800", None),
        ("+86", "12800138000", None),
        ("+86", "138001380001", None),
        ("+86", "", None),
        ("+86", "abc", None),
        ("+86", "１３８００１３８０００", None),
        ("+99", "13800138000", None),
        ("+86", "+999 13800138000", None),
        ("", "13800138000", None),
    ],
)
def test_numbers_are_read(country: str, typed: str, phone: str | None) -> None:
    assert phones.parse(country, typed) == phone


@pytest.mark.parametrize(
    ("phone", "shown"),
    [("+8613800138000", "+86 138****8000"), ("+6591234567", "+65 912****4567")],
)
def test_numbers_are_masked(phone: str, shown: str) -> None:
    assert phones.masked(phone) == shown
