"""Text that people write for others to read: names, remarks, messages."""

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"  # within emoji
# Control characters, bidirectional overrides and other marks that show as nothing, private use.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that draw nothing


def is_plain(text: str) -> bool:
    """Whether it shows what it is: one line, nothing hidden in it, nothing that turns its order
    around, and not blank throughout. Empty text is plain."""
    if any(_hides(character) for character in text):
        return False
    return not text or bool(text.strip())


def _hides(character: str) -> bool:
    if character == ZERO_WIDTH_JOINER:
        return False
    return character in _BLANK or unicodedata.category(character) in _HIDDEN
