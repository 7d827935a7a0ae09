"""What people write for others shows what it is."""

import pytest

from backend.plain import is_plain


@pytest.mark.parametrize(
    "text",
    ["", "安娜", "Anna O'Neil", "👨\u200d👩\u200d👧 家", "Zoë", "ไทย", "שלום", "a b", "<b>&"],
)
def test_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "a\nb",
        "a\tb",
        "\x7f",
        "a\u202eb",  # right-to-left override
        "a\u2066b\u2069",  # isolates
        "a\u200bb",  # zero-width space
        "\ufeffa",
        "a\u2028b",
        "\ue000",
        "\ud800",
        " ",
        "\u3000",
        "\u3164",
    ],
)
def test_not_plain(text: str) -> None:
    assert not is_plain(text)
