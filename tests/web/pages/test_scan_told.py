"""Content that is scanned, typed or photographed and is nothing to pay here: told as what it is, in
both languages, with what to do and that nothing moved; ours leads to the truth, not to what a code
says of it."""

from functools import partial

import httpx
import pytest

from backend import ids
from backend.codes import account, addresses, emv
from tests.codes.test_emv import GOLDEN, summed
from tests.web.pages.conftest import Enter, Till, code_path
from tests.web.pages.paying import (
    LANGUAGES,
    UNMOVED,
    Said,
    Scene,
    books,
    main_of,
    make_scene,
    refused,
    speak,
    static_path,
    tells,
    terminal_of,
)
from tests.web.pages.test_scan import picture, upload

ASK_AGAIN = ("请重新扫描，或输入收款牌上的数字。", "Scan again, or type the digits")
DAMAGED = Said(
    422,
    ("这个码已损坏", "请商家更换新的收款码。如果收款码像是被覆盖粘贴过，请不要付款。"),
    ("This code is damaged", "Ask the shop for a fresh code."),
)
PAY_CODE = Said(
    422,
    ("这是别人的付款码", "给个人付款请扫对方的收款码。"),
    ("This is somebody&#39;s payment code", "scan their receive code."),
)
CARD = Said(
    422,
    ("看起来是银行卡号或其他号码", ASK_AGAIN[0]),
    ("This looks like a card or another number", ASK_AGAIN[1]),
)
OTHERS = Said(
    422,
    ("其他机构的收款码", "请商家出示易支付收款码。"),
    ("A payment code of another provider", "Ask the shop for a YiPay code."),
)
ADDRESS = Said(
    422,
    ("未知网址", "请不要照做"),
    ("An unknown web address", "such codes are a common fraud."),
)
NOTHING = Said(
    422,
    ("这不是易支付的码", ASK_AGAIN[0]),
    ("This is no YiPay code", ASK_AGAIN[1]),
)
TYPED_WRONG = Said(
    422,
    ("这不是易支付的收款码，", "请核对后重试。"),
    ("That is not a YiPay code.", "Check it and try again."),
)
NO_SHOP = Said(
    422,
    ("没有商家使用这个短码，", "请核对二维码下方的数字。"),
    ("No shop has this code.", "Check the digits under the QR code."),
)
NO_SUCH = Said(
    404,
    ("没有这个码", "请对方出示新的码再扫"),
    ("There is no such code", "Ask for a fresh code and scan that."),
)


def wallet(zh: str, en: str) -> Said:
    return Said(
        422,
        (f"这是{zh}的码", "请用对应的钱包付款，或请商家出示易支付收款码。"),
        (f"This code belongs to {en}", "Pay it with that wallet, or ask the shop"),
    )


FOREIGN = {
    "https://qr.alipay.com/fkx01": wallet("支付宝", "Alipay"),
    "HTTPS://QR.ALIPAY.COM/BAX01": wallet("支付宝", "Alipay"),
    "280000000000000000": wallet("支付宝", "Alipay"),
    "wxp://f2f0x": wallet("微信支付", "WeChat Pay"),
    "weixin://wxpay/bizpayurl?pr=x": wallet("微信支付", "WeChat Pay"),
    "130123456789012345": wallet("微信支付", "WeChat Pay"),
    "https://qr.95516.com/00010000/x": wallet("云闪付（银联）", "UnionPay"),
    "0112345678901234567": wallet("数字人民币", "e-CNY"),
    "881234567890123456": PAY_CODE,
    "8812 3456 7890 1234 56": PAY_CODE,
    "６２２２００１２３４５６０００１": CARD,
    "6222001234560001": CARD,
    GOLDEN[0]: OTHERS,
    GOLDEN[1]: OTHERS,
    "https://evil.example/o/01k0000000000000000000000s": ADDRESS,
    "http://localhost.evil.example/": ADDRESS,
}


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till)


async def scan(on: Scene, text: str, by: str) -> httpx.Response:
    on.till.world.later(seconds=3)  # as fast as hands are
    await on.payer.see("/scan")
    return await on.payer.tap("/scan", {"text": text, "by": by})


async def told(on: Scene, text: str, said: Said, ways: tuple[str, ...] = ("", "camera")) -> None:
    for by in ways:
        await refused(on.payer, partial(scan, on, text, by), said, f"{text!r} by {by or 'hand'}")


async def test_foreign_codes(scene: Scene) -> None:
    for text, said in FOREIGN.items():
        await told(scene, text, said)
        assert "data-kind=" in scene.payer.browser.page.text
        assert 'href="/scan"' in scene.payer.browser.page.text


async def test_what_is_nothing(scene: Scene) -> None:
    """By the camera a page tells; what was typed comes back to be mended, with the reason."""
    short = (await terminal_of(scene.till)).short_code
    other = f"{(int(short) + 1) % 10**8:08d}"
    for text, said in (
        ("hello", TYPED_WRONG),
        ("12345", TYPED_WRONG),
        ("1" * 26, TYPED_WRONG),
        ("a\u202eb", TYPED_WRONG),
        (other, NO_SHOP),
    ):
        await told(scene, text, said, ("",))
        page = scene.payer.browser.page.text
        assert f'value="{text}"' in page
        assert 'aria-invalid="true"' in page
        assert said.en[0] in page.split('id="f-text-error"')[1].split("</p>")[0]
        await told(scene, text, NOTHING, ("camera",))


async def emv_of(on: Scene) -> str:
    terminal = await terminal_of(on.till)
    return account.static(terminal.code_id, "Noodles", "Shanghai", "5812", terminal.short_code)


def with_fields(payload: str, **changed: emv.Field) -> str:
    """Built anew with a sound check sum, as somebody does who knows the format."""
    fields = emv.parse(payload) | {name[1:]: value for name, value in changed.items()}
    return emv.build({name: value for name, value in fields.items() if value})


async def test_broken_payloads(scene: Scene) -> None:
    ours = await emv_of(scene)
    for payload in (
        ours[:-1] + ("0" if ours[-1] != "0" else "1"),  # the check sum
        ours.replace("Noodles", "Noodlez"),
        ours[:-8],  # no check sum
        ours[:-4],
        ours[:-4] + ours[-4:].lower() if ours[-4:].lower() != ours[-4:] else ours[:-4] + "xxxx",
        summed(ours[:-8] + "5303156"),  # one field twice
        summed(ours[:-8].replace("5303156", "5303840")),  # ours, in dollars
        summed(ours[:-8].replace("5303156", "")),
        summed(ours[:-8] + "540100"),
        summed(ours[:-8] + "54010"),  # nothing to pay
        summed(ours[:-8] + "5405-1.00"),
        summed(ours[:-8] + "54061e3.00"),
        summed(ours[:-8] + "540512,50"),
        summed(ours[:-8] + "5405１２．５０"),
        summed(ours[:-8] + "54051.005"),  # finer than fen
        summed(ours[:-8] + "9999"),  # longer than the text
        summed(ours[:-8].replace("stc_", "usr_")),  # a kind that has no code
    ):
        await told(scene, payload, DAMAGED)
        assert 'data-kind="broken"' in scene.payer.browser.page.text


async def test_an_altered_payload_leads_to_the_truth(scene: Scene) -> None:
    """Whoever knows the format can make a sound one: another name or amount in it changes nothing
    of what is shown and asked, and a code that nobody has is told as that."""
    order = await scene.till.order()
    ours = await emv_of(scene)
    template = emv.parse(ours)["26"]
    assert isinstance(template, dict)
    forged = with_fields(ours, _59="Somebody Else", _54="0.01")
    page = await scan(scene, forged, "camera")
    assert page.url.path == await static_path(scene)
    assert "老王面馆" in page.text
    assert "Somebody Else" not in page.text
    cheap = with_fields(ours, _26=template | {"01": order.order_id}, _54="0.01")
    page = await scan(scene, cheap, "camera")
    assert page.url.path == code_path(order)
    assert scene.payer.browser.form("/payments").fields["amount_fen"] == "2300"
    for prefix in ("ord", "stc", "rcv"):
        nobody = with_fields(ours, _26=template | {"01": ids.new(prefix)})
        await told(scene, nobody, NO_SUCH)


async def test_codes_of_ours_that_nobody_has(scene: Scene) -> None:
    origin = scene.till.world.settings.public_origin
    for prefix in ("ord", "stc", "rcv"):
        printed = addresses.printed(origin, ids.new(prefix))
        await told(scene, printed, NO_SUCH)
        await told(scene, printed.lower().removeprefix(origin), NO_SUCH)


PHOTOS = (
    (picture("https://qr.alipay.com/fkx01"), wallet("支付宝", "Alipay")),
    (picture("881234567890123456"), PAY_CODE),
    (picture(GOLDEN[0][:-1] + "B"), DAMAGED),
    (picture("https://evil.example/"), ADDRESS),
    (
        picture(),
        Said(
            422,
            ("图片中没有找到码", "请靠近一些，拍清楚，避免反光。"),
            ("No code in this picture", "Take it closer, sharper"),
        ),
    ),
    (
        b"hello",
        Said(
            422,
            ("无法读取这张图片", "请选择 JPEG、PNG 或 WebP 图片"),
            ("This picture can&#39;t be read", "Choose a JPEG, PNG or WebP picture"),
        ),
    ),
)


async def test_photographs(scene: Scene) -> None:
    for photo, said in PHOTOS:
        await refused(scene.payer, partial(upload, scene.payer, photo), said, "photo")


async def test_two_of_ours_in_one_picture(scene: Scene) -> None:
    paths = [code_path(await scene.till.order()) for _ in range(2)]
    photo = picture(*paths)
    said = Said(
        422,
        ("图片中有多个码", "请只拍一个码再试。"),
        ("Several codes in one picture", "Take a picture of one code alone."),
    )
    await refused(scene.payer, partial(upload, scene.payer, photo), said, "photo")


async def test_scanning_goes_on_while_the_security_system_is_away(scene: Scene) -> None:
    """The code is read and led on; it is the sheet behind it that says why nobody can pay now."""
    path = code_path(await scene.till.order())
    before = await books()
    await scene.payer.see("/scan")
    form = scene.payer.browser.page
    said = Said(
        503,
        ("安全系统暂时没有回应，所以没有付款。", "请稍后再试。"),
        ("The security system doesn&#39;t answer, so nothing was paid.", "Try again in a moment."),
    )
    for language in LANGUAGES:
        await speak(scene.payer, language)
        scene.payer.browser.page = form
        scene.till.world.risk.down = True
        answer = await scene.payer.tap("/scan", {"text": path})
        scene.till.world.risk.heal()
        tells(answer, said, language, "scanned")
        assert answer.url.path == path
        assert UNMOVED[language] in main_of(answer)
    assert await books() == before
