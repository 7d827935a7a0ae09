"""What a scanner has read: ours, another wallet's, somebody's payment code, or nothing we know.

Nothing here opens anything: a page tells what was found, and leads to our own addresses only.
"""

import re
import unicodedata

from backend.codes import MAX_SCANNED, Scanned, account, addresses, emv
from backend.ids import is_id

KINDS = {"stc": "static", "ord": "order", "rcv": "personal", "red": "packet", "sgn": "sign_in"}

SHORT_CODE_DIGITS = 8
_PAY_CODE = re.compile(r"88[0-9]{16}")
_SECRETS = {"j": "invitation", "f": "friend", "g": "group"}
_SECRET = re.compile(r"/([jfg])/([A-Za-z0-9_-]{43})", re.ASCII)

# In order: the first pattern that fits says whose code it is.
_FOREIGN_DIGITS = (
    ("wechat", re.compile(r"1[0-5][0-9]{16}")),
    ("alipay", re.compile(r"(?:2[5-9]|30)[0-9]{14,22}")),
    ("jd", re.compile(r"18[0-9]{16}")),
    ("bestpay", re.compile(r"51[0-9]{16}")),
    ("unionpay", re.compile(r"62[0-9]{17}")),
    ("ecny", re.compile(r"01[0-9]{17}")),
)
_FOREIGN_STARTS = (
    ("alipay", ("https://qr.alipay.com/", "http://qr.alipay.com/", "alipays://", "alipayqr://")),
    ("wechat", ("weixin://", "wxp://")),
    ("unionpay", ("https://qr.95516.com/", "http://qr.95516.com/")),
    ("card", ("hqvdufywmw",)),  # EMVCo consumer-presented mode, in Base64
)
_CARD = re.compile(r"[0-9]{12,19}")
_EMV = re.compile(r"0002[0-9]{2}")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]{0,19}:|www\.)\S+", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?:[:/]\S*)?", re.IGNORECASE)
_BREAKS = re.compile(r"[\s-]+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def read(text: str, origin: str) -> Scanned:
    """Classify; never raises. origin: of this wallet, "https://pay.example.com"."""
    plain = text.strip()
    if not plain or len(text) > MAX_SCANNED or _hides(plain):
        return Scanned(kind="unknown")
    digits = _digits(plain)
    if digits:
        return _number(digits)
    return _ours(plain, origin) or _foreign(plain) or _payload(plain) or _rest(plain)


def _hides(text: str) -> bool:
    """Text that shows other than what it is may not be classified, let alone shown."""
    return any(unicodedata.category(character) in _HIDDEN for character in text)


def _digits(text: str) -> str:
    """The digits of a number typed or read in groups, in any script; "" if it is no number."""
    bare = _BREAKS.sub("", text)
    if not bare.isdecimal():
        return ""
    return "".join(str(unicodedata.decimal(character)) for character in bare)


def _number(digits: str) -> Scanned:
    if len(digits) == SHORT_CODE_DIGITS:
        return Scanned(kind="static", ref=digits)
    if _PAY_CODE.fullmatch(digits):
        return Scanned(kind="pay_code")
    for name, form in _FOREIGN_DIGITS:
        if form.fullmatch(digits):
            return Scanned(kind="wallet", name=name)
    return Scanned(kind="card" if _CARD.fullmatch(digits) else "unknown")


def _ours(text: str, origin: str) -> Scanned | None:
    found = addresses.read(text, origin)
    if found is not None:
        return _of(found)
    path = addresses.below(text, origin)
    secret = _SECRET.fullmatch(path or text)
    if secret is not None:
        return Scanned(kind=_SECRETS[secret[1]], ref=secret[2])
    return None if path is None else Scanned(kind="unknown")


def _of(found_id: str, amount_fen: int | None = None) -> Scanned:
    return Scanned(kind=KINDS[found_id[:3]], ref=found_id, amount_fen=amount_fen)


def _foreign(text: str) -> Scanned | None:
    lower = text.lower()
    for name, starts in _FOREIGN_STARTS:
        if lower.startswith(starts):
            return Scanned(kind="wallet", name=name)
    return None


def _payload(text: str) -> Scanned | None:
    if _EMV.match(text) is None:
        return None
    try:
        fields = emv.parse(text)
        found = account.read(fields)
    except emv.Broken as broken:
        return Scanned(kind="broken", name=broken.reason)
    if found is None:
        return Scanned(kind="emv", name=str(fields[emv.NAME]))
    assert is_id(found.ref, found.ref[:3])
    return _of(found.ref, found.amount_fen)


def _rest(text: str) -> Scanned:
    looks = _ADDRESS.fullmatch(text) or _HOST.fullmatch(text)
    return Scanned(kind="address" if looks else "unknown")
