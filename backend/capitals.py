"""Amounts in the capitals that Chinese receipts carry, where no stroke can be added later."""

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿")

MAX_FEN = 10 ** (4 * len(GROUPS) + 2) - 1


def capitals(amount_fen: int) -> str:
    """123_45 → "壹佰贰拾叁元肆角伍分". Not negative, at most MAX_FEN."""
    assert type(amount_fen) is int, f"money must be an int, got {amount_fen!r}"
    assert 0 <= amount_fen <= MAX_FEN, amount_fen
    yuan, jiao, fen = amount_fen // 100, amount_fen // 10 % 10, amount_fen % 10
    whole = f"{_whole(yuan)}元" if yuan or not amount_fen else ""
    if not jiao and not fen:
        return f"{whole}整"
    if not jiao:
        return f"{whole}{'零' if yuan else ''}{DIGITS[fen]}分"
    return f"{whole}{DIGITS[jiao]}角{f'{DIGITS[fen]}分' if fen else '整'}"


def _whole(yuan: int) -> str:
    """In groups of four digits; zeros between digits are said once, zeros at a group's end not."""
    digits = [int(digit) for digit in str(yuan)]
    said, gap, in_group = "", False, False
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit:
            said += f"{'零' if gap else ''}{DIGITS[digit]}{PLACES[place % 4]}"
            gap, in_group = False, True
        else:
            gap = bool(said)
        if place % 4 == 0 and in_group:
            said += GROUPS[place // 4]
            gap = in_group = False
    return said or DIGITS[0]
