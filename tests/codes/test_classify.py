"""What a scanner has read: ours, foreign, private, damaged, unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.codes import MAX_SCANNED, Scanned, account, addresses, classify, emv
from backend.ids import new
from tests.codes.test_emv import GOLDEN, sound

ORIGIN = "https://pay.yi-pay.example:8443"
SECRET = "Ab-_" * 10 + "xyz"
OURS = {"static": "stc", "order": "ord", "personal": "rcv", "packet": "red", "sign_in": "sgn"}


def read(text: str) -> Scanned:
    return classify.read(text, ORIGIN)


@pytest.mark.parametrize(("kind", "prefix"), OURS.items())
def test_our_addresses_in_every_spelling(kind: str, prefix: str) -> None:
    found_id = new(prefix)
    path = addresses.path_of(found_id)
    for text in (
        ORIGIN + path,
        addresses.printed(ORIGIN, found_id),
        path,
        path + "/",
        f"  {ORIGIN}{path}\n",
        f"pay.yi-pay.example:8443{path}",
    ):
        assert read(text) == Scanned(kind=kind, ref=found_id), text


def test_a_bare_code_is_an_orders() -> None:
    order_id = new("ord")
    code = addresses.code_of(order_id)
    for text in (code, code.upper(), f"{code[:5]} {code[5:13]}-{code[13:]}"):
        assert read(text) == Scanned(kind="order", ref=order_id)
    assert read(code.replace("0", "O").replace("1", "l")) == Scanned(kind="order", ref=order_id)


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example",
        "https://pay.yi-pay.example",
        "https://pay.yi-pay.example:8443.evil.example",
        "https://pay.yi-pay.example:8443@evil.example",
        "https://evil.example/https://pay.yi-pay.example:8443",
        "//pay.yi-pay.example:8443",
    ],
)
def test_another_host_is_never_ours(host: str) -> None:
    scanned = read(host + addresses.path_of(new("ord")))
    assert scanned.kind in {"address", "unknown"}
    assert scanned.ref == ""


def test_pages_of_ours_are_no_codes() -> None:
    for path in ("/", "/bills", "/p/short", "/x/" + "0" * 26, "/p/8" + "0" * 25):
        assert read(ORIGIN + path).kind == "unknown"


def test_an_invitation_keeps_its_case() -> None:
    assert read(f"{ORIGIN}/j/{SECRET}") == Scanned(kind="invitation", ref=SECRET)
    assert read(f"{ORIGIN}/j/{SECRET}x").kind == "unknown"


def test_links_of_people_and_groups() -> None:
    assert read(f"{ORIGIN}/f/{SECRET}") == Scanned(kind="friend", ref=SECRET)
    assert read(f"{ORIGIN}/g/{SECRET}") == Scanned(kind="group", ref=SECRET)
    for path in (f"/h/{SECRET}", f"/f/{SECRET}/", "/g/short"):
        assert read(ORIGIN + path).kind == "unknown"


def test_short_codes_as_people_type_them() -> None:
    for text in ("12345678", "1234 5678", "1234-5678", "１２３４５６７８"):
        assert read(text) == Scanned(kind="static", ref="12345678")
    for text in ("1234567", "123456789", "1234567a", "²³456789"):
        assert read(text).kind == "unknown"


@pytest.mark.parametrize(
    ("digits", "kind", "name"),
    [
        ("88" + "1" * 16, "pay_code", ""),
        ("8811 1111 1111 1111 11", "pay_code", ""),
        ("130123456789012345", "wallet", "wechat"),
        ("150123456789012345", "wallet", "wechat"),
        ("180123456789012345", "wallet", "jd"),
        ("2512345678901234", "wallet", "alipay"),
        ("301234567890123456789012", "wallet", "alipay"),
        ("510123456789012345", "wallet", "bestpay"),
        ("6212345678901234567", "wallet", "unionpay"),
        ("0112345678901234567", "wallet", "ecny"),
        ("4111111111111111", "card", ""),
        ("88" + "1" * 15, "card", ""),
        ("88" + "1" * 19, "unknown", ""),
        ("9" * 30, "unknown", ""),
    ],
)
def test_numbers_are_private(digits: str, kind: str, name: str) -> None:
    """Somebody's code or card is never kept: nothing of it is in what is said."""
    assert read(digits) == Scanned(kind=kind, name=name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://qr.alipay.com/bax0123456789", "alipay"),
        ("HTTPS://QR.ALIPAY.COM/FKX0123456789", "alipay"),
        ("weixin://wxpay/bizpayurl?pr=abc", "wechat"),
        ("wxp://f2f0abc", "wechat"),
        ("https://qr.95516.com/00010000/62", "unionpay"),
        ("hQVDUFYwMWETTwegAAAA", "card"),
    ],
)
def test_codes_of_other_wallets(text: str, name: str) -> None:
    assert read(text) == Scanned(kind="wallet", name=name)


def test_payloads() -> None:
    code_id, order_id = new("stc"), new("ord")
    assert read(account.static(code_id, "老王面馆", "Shanghai", "5812")) == Scanned(
        kind="static", ref=code_id
    )
    order = emv.build(sound(order_id) | {"54": "23.50"})
    assert read(order) == Scanned(kind="order", ref=order_id, amount_fen=23_50)
    assert read(GOLDEN[0]) == Scanned(kind="emv", name="BEST TRANSPORT")
    assert read(GOLDEN[0][:-1] + "B") == Scanned(kind="broken", name="crc_mismatch")
    assert read(GOLDEN[0][:-8]) == Scanned(kind="broken", name="crc_missing")
    forged = emv.build(sound(code_id) | {"26": {"00": account.OWNER, "01": "stc_x"}})
    assert read(forged) == Scanned(kind="broken", name="bad_account")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://example.org/menu?table=4", "address"),
        ("www.example.org", "address"),
        ("example.org/menu", "address"),
        ("javascript:alert(1)", "address"),
        ("data:text/html,<b>", "address"),
        ("tel:110", "address"),
        ("WIFI:S:cafe;T:WPA;P:secret;;", "address"),
        ("hello", "unknown"),
        ("两碗面", "unknown"),
        ("", "unknown"),
        ("   ", "unknown"),
        ("https://evil.example/\u202egpj.yapiy", "unknown"),
        ("https://example.org/\x00", "unknown"),
        ("\ud800", "unknown"),
        ("x" * (MAX_SCANNED + 1), "unknown"),
    ],
)
def test_everything_else(text: str, kind: str) -> None:
    assert read(text) == Scanned(kind=kind)


@given(st.text(max_size=MAX_SCANNED + 10))
def test_any_text_is_classified(text: str) -> None:
    assert read(text).kind
    assert read(ORIGIN + "/" + text).kind
    assert read("000201" + text).kind
