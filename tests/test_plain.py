"""What people write for others shows what it is."""

import pytest

from backend.plain import is_plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "安娜",
        "Anna O'Neil",
        "👨\u200d👩\u200d👧 家",
        "Zoë",
        "ไทย",
        "שלום",
        "👨\u200d👩\u200d👧\u200d👦",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "👍🏽",
        "🧑🏽\u200d🚀",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "é",
        "क्ष",
        "。",
        "🇨🇳",
        "☀\ufe0f",
        "a b",
        "<b>&",
    ],
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
        "\u200d",
        "\u034f",
        "\ufe0f",
        "\u180b",
        "\u17b4",
        "\U000e0101",
        "\u0378",  # nothing is there yet
        "\U000e0fff",
        "a\u034fb",
        "安\u200d娜",
        "安\U000e0100娜",
        "a\ufe0f",
        "👨\u200d",
        "\u200d👨",
        "👨\u200d\u200d👩",
        "a\U000e0067\U000e007f",
        "🏴\U000e0067\U000e0062",  # a flag that does not end
        "\u0301",  # a mark on nothing
        "\u200e",
        "\u061c",
        "\u00ad",
    ],
)
def test_not_plain(text: str) -> None:
    assert not is_plain(text)
