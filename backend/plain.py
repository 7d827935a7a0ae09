"""Text that people write for others to read: names, remarks, messages."""

import unicodedata
from collections.abc import Iterator

ZERO_WIDTH_JOINER = "\u200d"
EMOJI_STYLE = "\ufe0f"  # shows the character before it as an emoji
_WITHIN_EMOJI = ZERO_WIDTH_JOINER + EMOJI_STYLE
# Control characters, bidirectional overrides and other marks that show as nothing, private use, and
# what stands for nothing (yet).
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"})
_BLANK = frozenset("\u2800")  # a symbol that draws nothing
# Default_Ignorable_Code_Point of Unicode, as far as it is not of a hidden category.
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
_TAGS = range(0xE0020, 0xE0080)  # spell out the flags of regions, after a black flag
_FLAG = "\U0001f3f4"
_KEYS = frozenset("0123456789#*")  # emoji with a keycap around them
_PICTURES = ((0x2190, 0x2BFF), (0x1F000, 0x1FAFF))
_FEW = frozenset("\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299")


def is_plain(text: str) -> bool:
    """Whether it shows what it is: one line, nothing hidden in it, nothing that turns its order
    around, and something to see in it. Empty text is plain."""
    return not text or (shows(text) and not any(_hides(text, n) for n in range(len(text))))


def shows(text: str) -> bool:
    """Whether there is a character that one can see, by itself."""
    return any(_draws(character) for character in text)


def characters(text: str) -> int:
    """As people count them: marks and styles belong to the character before them, what is joined
    to one emoji is one, and so is a flag."""
    return sum(1 for _ in _starts(text))


def _starts(text: str) -> Iterator[int]:
    """Where a character begins."""
    paired = False  # the one before was the first half of a flag
    for n, character in enumerate(text):
        half = 0x1F1E6 <= ord(character) <= 0x1F1FF
        if half and paired:
            paired = False
        elif not (n and (_belongs(character) or _joined(text, n))):
            paired = half
            yield n


def _belongs(character: str) -> bool:
    """To the character before it."""
    return (
        character in _WITHIN_EMOJI
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or ord(character) in _TAGS
        or unicodedata.category(character) in ("Mn", "Me")
    )


def _joined(text: str, n: int) -> bool:
    return text[n - 1] == ZERO_WIDTH_JOINER and not _hides(text, n - 1)


def _draws(character: str) -> bool:
    if character in _BLANK or _ignorable(character):
        return False
    # Marks draw on something; by themselves they are no text.
    return unicodedata.category(character)[0] in "LNPS"


def _hides(text: str, n: int) -> bool:
    character = text[n]
    if character == ZERO_WIDTH_JOINER:
        return not (_emoji_ends(text, n) and n + 1 < len(text) and _is_emoji(text[n + 1]))
    if character == EMOJI_STYLE:
        return not (n and (_is_emoji(text[n - 1]) or text[n - 1] in _KEYS))
    if ord(character) in _TAGS:
        return not _within_flag(text, n)
    return (
        character in _BLANK or _ignorable(character) or unicodedata.category(character) in _HIDDEN
    )


def _emoji_ends(text: str, n: int) -> bool:
    """Whether there is an emoji right before n, with its style or skin tone."""
    before = n - 1
    while before > 0 and (
        text[before] == EMOJI_STYLE or "\U0001f3fb" <= text[before] <= "\U0001f3ff"
    ):
        before -= 1
    return before >= 0 and _is_emoji(text[before])


def _within_flag(text: str, n: int) -> bool:
    """Tags follow a black flag, end with the last of them, and are few."""
    start = n
    while start > 0 and ord(text[start]) in _TAGS:
        start -= 1
    end = n
    while end + 1 < len(text) and ord(text[end + 1]) in _TAGS:
        end += 1
    return text[start] == _FLAG and text[end] == "\U000e007f" and end - start <= 7


def _is_emoji(character: str) -> bool:
    if character in _FEW:
        return True
    return _within(character, _PICTURES) and unicodedata.category(character) in ("So", "Sm", "Sk")


def _ignorable(character: str) -> bool:
    return _within(character, _IGNORABLE)


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
