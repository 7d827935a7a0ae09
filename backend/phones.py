"""Phone numbers as people type them, to and from E.164."""

import re

COUNTRIES = (
    ("+86", "中国大陆 · China"),
    ("+852", "中國香港 · Hong Kong"),
    ("+853", "中國澳門 · Macao"),
    ("+886", "中國台灣 · Taiwan"),
    ("+65", "Singapore"),
    ("+60", "Malaysia"),
    ("+81", "日本 · Japan"),
    ("+82", "대한민국 · Korea"),
    ("+44", "United Kingdom"),
    ("+1", "USA · Canada"),
)
HOME = "+86"
_CODES = frozenset(code for code, _ in COUNTRIES)
_MAINLAND = re.compile(r"1[3-9]\d{9}", re.ASCII)
_ELSEWHERE = re.compile(r"[1-9]\d{5,12}", re.ASCII)
_DECORATION = str.maketrans("", "", " -().\u3000")


def parse(country: str, typed: str) -> str | None:
    """E.164, or None. A number that brings its own "+" or "00" keeps its country."""
    digits = typed.translate(_DECORATION).replace("＋", "+")
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if digits.startswith("+"):
        code = max((c for c in _CODES if digits.startswith(c)), key=len, default="")
        country, digits = code, digits.removeprefix(code)
    if country not in _CODES:
        return None
    shape = _MAINLAND if country == HOME else _ELSEWHERE
    # A leading zero is dialled at home only.
    digits = digits if country == HOME else digits.lstrip("0")
    return country + digits if shape.fullmatch(digits) else None


def split(phone: str) -> tuple[str, str]:
    """Country code and the rest of an E.164 number."""
    code = max((c for c in _CODES if phone.startswith(c)), key=len, default=phone[:2])
    return code, phone.removeprefix(code)


def masked(phone: str) -> str:
    """ "+86 138****0000": enough to recognise one's own."""
    code, rest = split(phone)
    shown = f"{rest[:3]}****{rest[-4:]}" if len(rest) > 7 else f"{rest[:1]}****{rest[-2:]}"
    return f"{code} {shown}"
