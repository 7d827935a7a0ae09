"""Scanning: ours leads on, everything else is explained and never opened."""

import secrets
import zlib
from io import BytesIO

import httpx
import pytest
import segno
from PIL import Image

from backend.codes import account, addresses, emv
from backend.ids import new
from backend.merchant import Terminal
from tests.codes.test_emv import GOLDEN
from tests.web.browser import NAVIGATION, Browser
from tests.web.pages.conftest import Enter, Guest, Till, code_path
from web.i18n import texts
from web.scan_photo import MAX_PHOTO_BYTES


@pytest.fixture
async def guest(enter: Enter) -> Guest:
    return await enter()


async def terminal_of(till: Till) -> Terminal:
    [first] = await till.world.services.merchant.terminals(await till.world.seat(till.shop))
    return first


async def typed(guest: Guest, text: str, by: str = "") -> httpx.Response:
    """The page's first form is the camera's: it says so."""
    await guest.see("/scan")
    return await guest.tap("/scan", {"text": text, "by": by})


async def followed(guest: Guest, text: str, by: str = "") -> str:
    """Where the text leads, without going there; "" if nowhere."""
    await guest.see("/scan")
    fields = guest.browser.form("/scan").fields | {"text": text, "by": by}
    answer = await guest.browser.client.post("/scan", data=fields, headers=NAVIGATION)
    return str(answer.headers.get("location", ""))


def picture(*contents: str, kind: str = "png") -> bytes:
    """Codes side by side on white."""
    drawn = []
    for content in contents:
        one = BytesIO()
        segno.make(content, error="m", micro=False).save(one, kind="png", scale=6, border=4)
        drawn.append(Image.open(one).convert("RGB"))
    width = sum(code.width for code in drawn) + 200
    sheet = Image.new("RGB", (width, max((c.height for c in drawn), default=0) + 200), "white")
    left = 100
    for code in drawn:
        sheet.paste(code, (left, 100))
        left += code.width
    written = BytesIO()
    sheet.save(written, kind)
    return written.getvalue()


async def upload(guest: Guest, photo: bytes, name: str = "photo.png") -> httpx.Response:
    """As a browser without JavaScript sends it."""
    await guest.see("/scan")
    form = guest.browser.form("/scan/photo")
    assert form.attributes["enctype"] == "multipart/form-data"
    token = {"_csrf_token": form.fields["_csrf_token"]}
    return await guest.browser.client.post(
        "/scan/photo", data=token, files={"photo": (name, photo, "image/png")}, headers=NAVIGATION
    )


async def test_the_page_offers_every_way_and_widens_its_own_policy_only(guest: Guest) -> None:
    answer = await guest.see("/scan")
    policy = answer.headers["content-security-policy"]
    assert "'wasm-unsafe-eval'" in policy
    assert "media-src 'self' blob:" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
    assert 'href="/code"' in answer.text
    assert guest.browser.form("/scan/photo")
    for other in ("/", "/bills", "/code"):
        assert "wasm" not in (await guest.see(other)).headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/scan"])
async def test_nobody_scans_without_signing_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_the_old_address_leads_here(guest: Guest) -> None:
    assert (await guest.see("/pay")).url.path == "/scan"


async def test_an_order_in_every_spelling(guest: Guest, till: Till) -> None:
    order = await till.order()
    path = code_path(order)
    code = path.removeprefix("/o/")
    origin = till.world.settings.public_origin
    spaced = " ".join((code[:5], code[5:10], code[10:])).upper()
    for text in (code, spaced, path, f"{origin}{path}", f"{origin}{path}".upper()):
        for by in ("", "camera"):
            assert await followed(guest, text, by=by) == path, text


async def test_a_static_code_by_address_payload_and_digits(guest: Guest, till: Till) -> None:
    terminal = await terminal_of(till)
    path = addresses.path_of(terminal.code_id)
    short = terminal.short_code
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in short)
    payload = account.static(terminal.code_id, till.shop.name, "Shanghai", "5812", short)
    printed = addresses.printed(till.world.settings.public_origin, terminal.code_id)
    for text in (short, f"{short[:4]} {short[4:]}", full_width, payload, printed):
        assert await followed(guest, text) == path, text


async def test_digits_of_no_shop(guest: Guest, till: Till) -> None:
    short = (await terminal_of(till)).short_code
    other = f"{(int(short) + 1) % 10**8:08d}"
    answer = await typed(guest, other)
    assert answer.status_code == 422
    assert "No shop has this code" in answer.text
    assert f'value="{other}"' in answer.text  # to be mended, not typed again
    assert 'aria-invalid="true"' in answer.text
    seen = await typed(guest, other, by="camera")
    assert "This is no YiPay code" in seen.text


@pytest.mark.parametrize(("prefix", "letter"), [("rcv", "u"), ("ord", "o"), ("stc", "p")])
async def test_kinds_that_have_a_page(guest: Guest, prefix: str, letter: str) -> None:
    found_id = new(prefix)
    path = f"/{letter}/{found_id[4:]}"
    assert await followed(guest, f"{guest.world.settings.public_origin}{path}") == path


async def test_an_invitation_leads_to_joining(guest: Guest) -> None:
    secret = secrets.token_urlsafe(32)
    origin = guest.world.settings.public_origin
    assert await followed(guest, f"{origin}/j/{secret}") == f"/j/{secret}"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("https://qr.alipay.com/bax01", "wallet", "belongs to Alipay"),
        ("wxp://f2f0x", "wallet", "belongs to WeChat Pay"),
        ("130123456789012345", "wallet", "belongs to WeChat Pay"),
        ("881234567890123456", "pay_code", "somebody's payment code"),
        ("6222001234560001", "card", "looks like a card"),
        (GOLDEN[0], "emv", "BEST TRANSPORT"),
        (GOLDEN[0][:-1] + "B", "broken", "crc_mismatch"),
        ("https://evil.example/pay?x=1", "address", "https://evil.example/pay?x=1"),
    ],
)
@pytest.mark.parametrize("by", ["", "camera"])
async def test_what_is_not_ours_is_explained(
    guest: Guest, text: str, kind: str, said: str, by: str
) -> None:
    answer = await typed(guest, text, by=by)
    assert answer.status_code == 422
    assert answer.url.path == "/scan"
    assert f'data-kind="{kind}"' in answer.text
    assert said in answer.text
    assert 'href="/scan"' in answer.text


async def test_an_unknown_address_is_text_and_never_a_link(guest: Guest) -> None:
    for address in (
        "https://evil.example/<b>",
        "javascript:alert(1)",
        f"https://evil.example/{'a' * 400}",
    ):
        text = (await typed(guest, address)).text
        assert "evil.example" in text or "javascript:" in text
        for attribute in ("href=", "src=", "action="):
            for value in text.split(attribute)[1:]:
                assert "evil.example" not in value.split(">")[0]
                assert "javascript:" not in value.split(">")[0]
        assert "<b>" not in text.split('class="told__address"')[1].split("</p>")[0]


async def test_numbers_are_not_shown_again(guest: Guest) -> None:
    for digits in ("881234567890123456", "6222001234560001"):
        assert digits not in (await typed(guest, digits)).text


async def test_odd_input_is_answered(guest: Guest) -> None:
    for text in ("", "   ", "hello", "x" * 5000, "https://evil/\u202e", "\x00", "000201"):
        answer = await typed(guest, text)
        assert answer.status_code == 422, text
        assert "Traceback" not in answer.text


async def test_a_code_that_says_it_is_ours(guest: Guest) -> None:
    fields = emv.parse(account.static(new("stc"), "Shop", "Shanghai", "5812"))
    forged = emv.build(fields | {"26": {"00": "cn.yipay", "01": "stc_1"}})
    assert "bad_account" in (await typed(guest, forged)).text


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_a_picture_from_the_album(guest: Guest, till: Till, kind: str) -> None:
    path = code_path(await till.order())
    printed = f"{till.world.settings.public_origin}{path}".upper()
    answer = await upload(guest, picture(printed, kind=kind))
    assert answer.status_code == 303
    assert answer.headers["location"] == path


async def test_a_picture_of_a_poster_turned_and_transparent(guest: Guest, till: Till) -> None:
    path = code_path(await till.order())
    drawn = BytesIO()
    segno.make(path.upper(), micro=False).save(drawn, kind="png", scale=5, light=None)
    turned = BytesIO()
    Image.open(drawn).convert("RGBA").rotate(30, expand=True).save(turned, "png")
    assert (await upload(guest, turned.getvalue())).headers["location"] == path


async def test_ours_beside_a_foreign_code(guest: Guest, till: Till) -> None:
    path = code_path(await till.order())
    answer = await upload(guest, picture("https://qr.alipay.com/fkx01", path))
    assert answer.headers["location"] == path


async def test_two_of_ours_in_one_picture(guest: Guest, till: Till) -> None:
    paths = [code_path(await till.order()) for _ in range(2)]
    answer = await upload(guest, picture(*paths))
    assert answer.status_code == 422
    assert "Several codes in one picture" in answer.text


async def test_pictures_without_a_way_on(guest: Guest) -> None:
    foreign = await upload(guest, picture("https://qr.alipay.com/fkx01"))
    assert "belongs to Alipay" in foreign.text
    empty = await upload(guest, picture())
    assert "No code in this picture" in empty.text


@pytest.mark.parametrize(
    "photo",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\x00" * 100,
        b"%PDF-1.7",
        picture("x")[:300],
        b"\xff\xd8\xff\xe0" + b"\x00" * 1000,
    ],
)
async def test_what_is_no_picture(guest: Guest, photo: bytes) -> None:
    answer = await upload(guest, photo)
    assert answer.status_code == 422
    assert "can't be read" in answer.text


async def test_a_picture_that_unpacks_to_gigabytes(guest: Guest) -> None:
    """60,000 by 60,000 in a few kilobytes: refused by its head, before a pixel is made."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    side = (60_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([8, 0, 0, 0, 0]))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    assert len(bomb) < 20_000
    assert (await upload(guest, bomb + chunk(b"IEND", b""))).status_code == 422


async def test_a_picture_that_is_too_large(guest: Guest) -> None:
    over = await upload(guest, b"\xff\xd8" + bytes(MAX_PHOTO_BYTES))
    assert over.status_code == 422
    far_over = await upload(guest, bytes(MAX_PHOTO_BYTES + 200_000))
    assert far_over.status_code == 413


async def test_a_picture_needs_the_forms_token(guest: Guest, browser: Browser) -> None:
    await guest.see("/scan")
    files = {"photo": ("p.png", picture("x"), "image/png")}
    for token in ("", "x"):
        answer = await guest.browser.client.post(
            "/scan/photo", data={"_csrf_token": token}, files=files, headers=NAVIGATION
        )
        assert answer.status_code == 403
    stranger = await browser.client.post("/scan/photo", files=files, headers=NAVIGATION)
    assert stranger.status_code in {303, 403}


async def test_no_picture_was_chosen(guest: Guest) -> None:
    await guest.see("/scan")
    token = {"_csrf_token": guest.browser.form("/scan/photo").fields["_csrf_token"]}
    answer = await guest.browser.client.post("/scan/photo", data=token, headers=NAVIGATION)
    assert answer.status_code == 422


async def test_short_codes_can_not_be_tried_by_the_thousand(guest: Guest) -> None:
    await guest.see("/scan")
    fields = guest.browser.form("/scan").fields
    statuses = set()
    for number in range(40):
        text = {"text": f"{number:08d}"}
        answer = await guest.browser.client.post("/scan", data=fields | text, headers=NAVIGATION)
        statuses.add(answer.status_code)
    assert 429 in statuses


def test_texts_of_every_wallet() -> None:
    for language in ("zh-CN", "en"):
        for wallet in ("alipay", "wechat", "jd", "bestpay", "unionpay", "ecny", "card"):
            assert texts(language).word("wallet", wallet) != wallet
