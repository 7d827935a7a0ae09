"""Addresses of ours: a path, what is printed, and back."""

import pytest
import segno

from backend.codes import ADDRESSES, addresses
from backend.ids import new

ORIGIN = "https://pay.example.com"


@pytest.mark.parametrize(("letter", "prefix"), ADDRESSES.items())
def test_an_id_and_its_address(letter: str, prefix: str) -> None:
    found_id = new(prefix)
    code = addresses.code_of(found_id)
    assert addresses.path_of(found_id) == f"/{letter}/{code}"
    assert addresses.id_of(letter.upper(), code.upper()) == found_id
    assert addresses.read(f"{ORIGIN}/{letter}/{code}", ORIGIN) == found_id


def test_printed_addresses_fit_the_smaller_symbol() -> None:
    printed = addresses.printed(ORIGIN, new("stc"))
    assert segno.make(printed, error="m").mode == "alphanumeric"


@pytest.mark.parametrize(
    ("letter", "code"),
    [
        ("z", "0" * 26),
        ("o", "0" * 25),
        ("o", "0" * 27),
        ("o", "8" + "0" * 25),
        ("o", "u" * 26),
        ("o", "０" * 26),
        ("o", "İ" * 26),
        ("", ""),
    ],
)
def test_what_is_no_code(letter: str, code: str) -> None:
    assert addresses.id_of(letter, code) is None


def test_what_is_no_address() -> None:
    code = addresses.code_of(new("ord"))
    for text in (
        "",
        "/",
        "//o/" + code,
        f"/o/{code}/x",
        f"/o/{code}?x=1",
        "https://evil/o/" + code,
    ):
        assert addresses.read(text, ORIGIN) is None
