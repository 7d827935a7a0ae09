"""EMVCo merchant-presented mode 1.1: two digits of id, two of length, the value; over and over.

Lengths count characters, the check sum runs over the UTF-8 bytes. Parsing is strict: what is not
sound is `Broken` with a machine word as reason, and nothing else is ever raised.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

from backend.codes.crc16 import crc16

Field = str | dict[str, str]
Fields = dict[str, Field]
"""Values by id; templates are dicts of values by sub-id."""

MAX_PAYLOAD = 512  # characters, as the specification says
MAX_VALUE = 99  # characters: the length has two digits

FORMAT, INITIATION, ADDITIONAL, CHECK_SUM, LANGUAGE = "00", "01", "62", "63", "64"
CATEGORY, CURRENCY, AMOUNT, COUNTRY, NAME, CITY = "52", "53", "54", "58", "59", "60"
STATIC, DYNAMIC = "11", "12"

_ACCOUNTS = range(2, 52)
_OWNED = (range(26, 52), range(80, 100))  # templates that begin with whose they are
_TEMPLATES = (*_OWNED, range(62, 63), range(64, 65))
_REQUIRED = (CATEGORY, CURRENCY, COUNTRY, NAME, CITY)
_MAX_LENGTHS = {NAME: 25, CITY: 15, "61": 10, AMOUNT: 13, "56": 13}

_MONEY = r"(?=[0-9.]*[1-9])[0-9]{1,12}(?:\.[0-9]{1,3})?"
_FORMS = {
    FORMAT: re.compile("01"),
    INITIATION: re.compile("1[12]"),
    CATEGORY: re.compile("[0-9]{4}"),
    CURRENCY: re.compile("[0-9]{3}"),
    AMOUNT: re.compile(_MONEY),
    "55": re.compile("0[123]"),
    "56": re.compile(_MONEY),
    "57": re.compile(r"(?=[0-9.]*[1-9])[0-9]{1,2}(?:\.[0-9]{1,2})?"),
    COUNTRY: re.compile("[A-Z]{2}"),
}
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


class Broken(ValueError):
    """Not a sound payload. reason: a machine word such as "crc_mismatch" or "missing_58"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def build(fields: Mapping[str, Field]) -> str:
    """The payload of these fields in their order, check sum added. Raises Broken where they would
    make none: then a caller has put in what doesn't fit."""
    body = _text({name: value for name, value in fields.items() if name != CHECK_SUM})
    body += f"{CHECK_SUM}04"
    _all_printable(body)
    payload = body + _check_sum(body)
    parse(payload)
    return payload


def parse(payload: str) -> Fields:
    """Raises Broken."""
    if len(payload) > MAX_PAYLOAD:
        raise Broken("too_long")
    _all_printable(payload)
    flat = dict(_split(payload))
    if next(iter(flat), "") != FORMAT:
        raise Broken("format_indicator_not_first")
    _summed(payload, flat)
    fields: Fields = {name: _field(name, value) for name, value in flat.items()}
    _complete(fields)
    for name, value in flat.items():
        _formed(name, value)
    return fields


def printable(text: str) -> str:
    """The text without what a payload can't hold."""
    return "".join(c for c in text if unicodedata.category(c) not in _UNPRINTABLE).strip()


def _check_sum(body: str) -> str:
    return f"{crc16(body.encode()):04X}"


def _text(fields: Mapping[str, Field]) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: Field) -> str:
    text = value if isinstance(value, str) else _text(value)
    if len(text) > MAX_VALUE:
        raise Broken(f"too_long_{name}")
    return f"{name}{len(text):02d}{text}"


def _all_printable(text: str) -> None:
    """Nothing that hides, turns or ends text; lone surrogates have no UTF-8 to sum either."""
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise Broken("bad_character")


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Ids and values in their order."""
    seen: set[str] = set()
    at = 0
    while at < len(text):
        header = text[at : at + 4]
        if len(header) < 4 or not (header.isascii() and header.isdigit()):
            raise Broken("bad_header")
        name, length = header[:2], int(header[2:])
        if name in seen:
            raise Broken("duplicate_id")
        seen.add(name)
        value = text[at + 4 : at + 4 + length]
        if length == 0:
            raise Broken("zero_length")
        if len(value) < length:
            raise Broken("length_overrun")
        yield name, value
        at += 4 + length


def _summed(payload: str, flat: dict[str, str]) -> None:
    if CHECK_SUM not in flat:
        raise Broken("crc_missing")
    if next(reversed(flat)) != CHECK_SUM or len(flat[CHECK_SUM]) != 4:
        raise Broken("crc_not_last")
    if flat[CHECK_SUM] != _check_sum(payload[:-4]):
        raise Broken("crc_mismatch")


def _field(name: str, value: str) -> Field:
    if not any(int(name) in ids for ids in _TEMPLATES):
        return value
    inner = dict(_split(value))
    if any(int(name) in ids for ids in _OWNED) and next(iter(inner)) != "00":
        raise Broken(f"no_owner_{name}")
    return inner


def _complete(fields: Fields) -> None:
    for name in _REQUIRED:
        if name not in fields:
            raise Broken(f"missing_{name}")
    if not any(int(name) in _ACCOUNTS for name in fields):
        raise Broken("missing_merchant_account")


def _formed(name: str, value: str) -> None:
    if len(value) > _MAX_LENGTHS.get(name, MAX_VALUE):
        raise Broken(f"too_long_{name}")
    form = _FORMS.get(name)
    if form is not None and form.fullmatch(value) is None:
        raise Broken(f"bad_{name}")
