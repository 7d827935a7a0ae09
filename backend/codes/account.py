"""Our own EMVCo payloads: the account template that names us and the code behind it."""

import msgspec

from backend.codes import ADDRESSES, emv
from backend.ids import is_id
from backend.money import CURRENCY, parse_yuan

OWNER = "cn.yipay"
TEMPLATE = "26"
_OWNER, _CODE = "00", "01"  # sub-ids of the template
CNY = "156"  # ISO 4217
COUNTRY = "CN"

# Names are Latin in their own field; as they are written, they go to the language template.
LATIN_NAME = "YIPAY MERCHANT"
MAX_NAME, MAX_CITY = 25, 15

_TEMPLATES = range(26, 52)
assert CURRENCY == "CNY"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """amount_fen: None on codes where the payer types it."""

    ref: str
    amount_fen: int | None = None


def static(code_id: str, name: str, city: str, category: str, terminal: str = "") -> str:
    """The payload of a shop's static code. name: of the shop; city: Latin; category: 4 digits;
    terminal: its short code, printed on receipts."""
    name = emv.printable(name)[:MAX_NAME] or LATIN_NAME
    fields: emv.Fields = {
        emv.FORMAT: "01",
        emv.INITIATION: emv.STATIC,
        TEMPLATE: {_OWNER: OWNER, _CODE: code_id},
        emv.CATEGORY: category,
        emv.CURRENCY: CNY,
        emv.COUNTRY: COUNTRY,
        emv.NAME: name if name.isascii() else LATIN_NAME,
        emv.CITY: city[:MAX_CITY],
    }
    if terminal:
        fields[emv.ADDITIONAL] = {"07": terminal}
    if not name.isascii():
        fields[emv.LANGUAGE] = {"00": "ZH", "01": name}
    return emv.build(fields)


def read(fields: emv.Fields) -> Account | None:
    """Whose code it is; None if it is not ours. Raises emv.Broken: it says it is ours, and isn't
    sound."""
    ours = [t for number in _TEMPLATES if (t := _template(fields, number))]
    if not ours:
        return None
    ref = ours[0].get(_CODE, "")
    if len(ours) > 1 or not any(is_id(ref, prefix) for prefix in ADDRESSES.values()):
        raise emv.Broken("bad_account")
    if fields[emv.CURRENCY] != CNY:
        raise emv.Broken("bad_currency")
    return Account(ref=ref, amount_fen=_amount(fields))


def _template(fields: emv.Fields, number: int) -> dict[str, str]:
    found = fields.get(f"{number:02d}", {})
    assert isinstance(found, dict)
    return found if found.get(_OWNER, "").lower() == OWNER else {}


def _amount(fields: emv.Fields) -> int | None:
    text = fields.get(emv.AMOUNT)
    if text is None:
        return None
    amount = parse_yuan(str(text))
    if amount is None:
        raise emv.Broken("bad_54")
    return amount
