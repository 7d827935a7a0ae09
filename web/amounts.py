"""Amounts that a person types: what is wrong with one is said as exactly as it can be."""

import re
import unicodedata

from backend.money import MAX_AMOUNT_FEN, Fen, parse_yuan
from web.forms import Form
from web.i18n import msg

_MANY_DECIMALS = re.compile(r"\d+\.\d{3,}", re.ASCII)
_NUMBER = re.compile(r"¥?[-−]?[0-9][0-9,]*(\.[0-9]*)?")
_WHOLE = re.compile(r"(\d+)(\.\d{1,2})?", re.ASCII)
_MAX_YUAN = MAX_AMOUNT_FEN // 100
MAX_DIGITS = 30


def read_amount(form: Form, name: str = "amount") -> Fen | None:
    """Fen from the field; None and the field's error where it is no amount."""
    return form.read(name, parse_yuan, _wrong(form[name].strip()))


def _wrong(text: str) -> str:
    """What to say should it not be an amount."""
    plain = unicodedata.normalize("NFKC", text)
    if not plain:
        return msg("Enter an amount.")
    if plain != text and _NUMBER.fullmatch(plain):
        return msg("These are full-width digits. Switch the keyboard and type 23.50, for example.")
    bare = text.removeprefix("¥")
    if bare.startswith(("-", "−")) or re.fullmatch(r"0*(\.0*)?", bare, re.ASCII):
        return msg("The amount must be more than ¥0.00.")
    if _MANY_DECIMALS.fullmatch(bare):
        return msg("At most two decimals: yuan and fen.")
    whole = _WHOLE.fullmatch(bare)
    if whole and len(whole[1]) <= MAX_DIGITS and int(whole[1]) >= _MAX_YUAN:
        return msg("The amount is above what one payment can carry.")
    return msg("Enter an amount such as 23 or 23.50.")
