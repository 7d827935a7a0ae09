"""Why an order can't be paid, for every way to come by one, in the words of both languages: by
looking at it and by the button of a sheet that was open already."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import httpx
import pytest

from backend.payments import Order
from tests.web.pages.conftest import Enter, Guest, Till, code_path
from tests.web.pages.paying import (
    WAYS,
    Ask,
    Said,
    Scene,
    Way,
    dynamic,
    look,
    make_scene,
    personal,
    personal_amount,
    personal_path,
    press,
    refused,
    speak,
    static,
    static_path,
    tells,
)

PERSONAL = (personal, personal_amount)
OPENED_FOR_ONE = (static, personal, personal_amount)

EXPIRED = Said(
    410,
    ("订单已过期。", "请让对方出示新的收款码，再扫一次。"),
    ("This order has expired.", "Ask for a new code, then scan it."),
)
CANCELLED = Said(
    410,
    ("商家已取消这笔订单。", "请让商家出示新的收款码。"),
    ("The shop took this order back.", "Ask the shop for a new code."),
)
ALTERED = Said(
    409,
    ("金额与订单不一致。", "请重新扫码，核对金额后再付。"),
    ("The amount isn&#39;t the order&#39;s.", "Open the code again and check the amount."),
)
OWN_SHOP = Said(
    409,
    ("不能给自己的店付款。", "请让顾客扫这个码。"),
    ("You can&#39;t pay your own shop.", "Let a customer open this code."),
)
OWN_CODE = Said(
    409,
    ("不能给自己的收款码付款。", "请把收款码给对方扫，或扫描其他人的码。"),
    ("You can&#39;t pay your own code.", "Show the code to whoever is to pay you"),
)
NOT_FOR_YOU = Said(
    403,
    ("这笔订单是开给别人的。", "请让对方重新出示收款码。"),
    ("This order was opened for somebody else.", "Ask the payee to show a new code."),
)
PAID_BY_OTHER = Said(
    409,
    ("这笔订单已经付过了。", "它已由别人支付。如果你另有要付的，请让对方出示新的收款码。"),
    ("This order is paid already.", "Somebody else has paid it."),
)
BUSY = Said(
    503,
    ("这笔订单正在被支付。", "请稍等片刻再看结果。"),
    ("Somebody is paying this order right now.", "Wait a moment and look again."),
)
PAYER_FROZEN = Said(
    403,
    ("你的账户已冻结，不能付款。", "可在安全页面申请解冻。"),
    ("Your account is frozen; it can&#39;t pay.", "You can undo the freeze on the security page."),
)
PAYEE_FROZEN = Said(
    403,
    ("收款方账户已冻结。", "请联系收款方；解冻之前无法向其付款。"),
    ("The payee&#39;s account is frozen.", "nobody can pay them until the freeze ends."),
)
SHOP_FROZEN = Said(
    403,
    ("店铺或店主账户已冻结，不能收款。", "解冻之前无法在这里付款"),
    ("The shop or its owner is frozen", "Nobody can pay here until the freeze ends"),
)
SHOP_CLOSED = Said(
    409,
    ("这家店现在不收款。", "请向店员确认是否营业"),
    ("This shop takes no payments now.", "Ask the staff whether they are open"),
)
OVER_LIMIT = Said(
    403,
    ("超出限额。", "可在限额页面查看剩余额度和原因。"),
    ("This is over a limit.", "The limits page shows what is left and why."),
)
SHORT = Said(
    422,
    ("余额不足。", "充值后可以回来继续付款。"),
    ("Your balance is not enough.", "Top up, then come back and pay."),
)
NO_SUCH = Said(
    404,
    ("没有这个码", "请对方出示新的码再扫"),
    ("There is no such code", "Ask for a fresh code and scan that."),
)


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till)


async def both(on: Scene, way: Way, fault: Callable[[], Awaitable[None]], said: Said) -> None:
    """The sheet is open when it happens: its button and its address are refused alike."""
    path = await way(on, 23_00)
    tap = press(on.payer)
    await fault()
    for kind, ask in (("pressed", tap), ("looked", look(on.payer, path))):
        await refused(on.payer, ask, said, f"{way.__name__} {kind}")
        assert 'name="payment_id"' not in on.payer.browser.page.text


async def order_at(on: Scene, path: str) -> Order:
    return await on.till.world.services.payments.order(f"ord_{path.removeprefix('/o/')}")


@pytest.mark.parametrize("way", WAYS)
async def test_expired(scene: Scene, way: Way) -> None:
    async def late() -> None:
        order = await order_at(scene, scene.payer.browser.page.url.path)
        scene.till.world.clock.move(timedelta(minutes=8))
        await scene.payer.browser.open("/")  # still here: the session goes on
        scene.till.world.clock.at = order.expires_at + timedelta(seconds=1)

    await both(scene, way, late, EXPIRED)


async def test_taken_back_by_the_shop(scene: Scene) -> None:
    async def cancel() -> None:
        world = scene.till.world
        order = await order_at(scene, scene.payer.browser.page.url.path)
        await world.services.merchant.cancel(await world.seat(scene.till.shop), order.order_id)

    await both(scene, dynamic, cancel, CANCELLED)


async def test_an_altered_amount(scene: Scene) -> None:
    for way in WAYS:
        await way(scene, 23_00)
        tap = press(scene.payer)
        for altered in ("1", "2301", "10000000000"):
            ask = partial(tap, amount_fen=altered)
            await refused(scene.payer, ask, ALTERED, f"{way.__name__} {altered}")


async def test_another_order_put_into_the_form(scene: Scene) -> None:
    """The form of a cheap order with the number of a dear one: the amount gives it away."""
    dear = await scene.till.order(99_00)
    for way in WAYS:
        await way(scene, 23_00)
        tap = press(scene.payer)
        ask = partial(tap, order_id=dear.order_id)
        await refused(scene.payer, ask, ALTERED, way.__name__)


async def test_altered_and_foreign_addresses(scene: Scene) -> None:
    """A character changed, one too few, one of another kind: there is no such code."""
    order = code_path(await scene.till.order())
    stranger = await scene.enter()
    for path in (order, await static_path(scene), await personal_path(scene, 23_00)):
        letter, code = path[:3], path[3:]
        changed = code[:-1] + ("0" if code[-1] != "0" else "1")
        others = [f"{other}{code}" for other in ("/o/", "/p/", "/u/") if other != letter]
        for altered in (letter + changed, path[:-1], f"{path}0", *others, f"{letter}八八"):
            await refused(stranger, look(stranger, altered), NO_SUCH, altered)
            assert stranger.browser.page.text.count("<form") <= 2  # nothing to fill in


@pytest.mark.parametrize("way", WAYS)
async def test_paid_already_by_oneself(scene: Scene, way: Way) -> None:
    """The same button again is the truth; a new look says that it is paid, and shows the bill."""
    path = await way(scene, 23_00)
    tap = press(scene.payer)
    assert (await tap()).status_code == 200
    again = Said(
        409, ("这笔订单已经付过了。", "不需要再付"), ("This order is paid already.", "not pay")
    )
    once = {"zh-CN": "没有重复扣款。", "en": "Nothing was taken a second time."}
    for language, done in (("zh-CN", "付款成功"), ("en", "Paid")):
        await speak(scene.payer, language)
        if way in PERSONAL:
            done = {"zh-CN": "转账成功", "en": "Transferred"}[language]
        assert done in (await tap()).text
        tells(await scene.payer.see(path), again, language, way.__name__, once)
        assert "/bills/pay_" in scene.payer.browser.page.text
    assert await scene.till.world.balance(scene.payer.wallet.account_id) == 2_000_00 - 23_00


async def test_paid_already_by_another(scene: Scene) -> None:
    other = await scene.enter(balance=100_00)

    async def pay() -> None:
        await other.see(scene.payer.browser.page.url.path)
        assert (await other.tap("/payments")).status_code == 200

    await both(scene, dynamic, pay, PAID_BY_OTHER)


async def test_somebody_is_paying_it(scene: Scene) -> None:
    other = await scene.enter(balance=2_000_00)

    async def claim() -> None:
        await other.see(scene.payer.browser.page.url.path)
        form = next(f for f in _forms(other) if f.endswith("/confirmation"))
        fields = other.browser.form(form).fields
        assert (await other.browser.begin("/payments/ceremonies", fields)).status_code == 200

    path = await dynamic(scene, 800_00)
    await claim()
    await refused(scene.payer, look(scene.payer, path), BUSY, "looked")


@pytest.mark.parametrize("way", OPENED_FOR_ONE)
async def test_opened_for_somebody_else(scene: Scene, way: Way) -> None:
    path = await way(scene, 23_00)
    form = scene.payer.browser.page
    stranger = await scene.enter(balance=100_00)
    await refused(stranger, look(stranger, path), NOT_FOR_YOU, "looked")
    assert "23.00" not in stranger.browser.page.text  # what it is about is not theirs to know
    fields = {name: _field(form.text, name) for name in ("payment_id", "order_id", "amount_fen")}
    await stranger.see(code_path(await scene.till.order()))
    tap = press(stranger)
    await refused(stranger, partial(tap, **fields), NOT_FOR_YOU, "pressed")


async def test_ones_own(scene: Scene) -> None:
    owner, payee = scene.till.owner, scene.payee
    await scene.till.world.fund(owner.wallet, 100_00)
    await scene.till.world.fund(payee.wallet, 100_00)
    order = code_path(await scene.till.order())
    for guest, path, said in (
        (owner, order, OWN_SHOP),
        (owner, await static_path(scene), OWN_SHOP),
        (payee, await personal_path(scene), OWN_CODE),
        (payee, await personal_path(scene, 23_00), OWN_CODE),
    ):
        await refused(guest, look(guest, path), said, path)
        assert 'name="amount"' not in guest.browser.page.text


async def freeze(guest: Guest) -> None:
    wallet = guest.wallet
    await guest.world.services.payments.freeze(wallet.person_id, wallet.device_secret)


@pytest.mark.parametrize("way", WAYS)
async def test_a_frozen_payer(scene: Scene, way: Way) -> None:
    await both(scene, way, lambda: freeze(scene.payer), PAYER_FROZEN)
    assert 'href="/security"' in scene.payer.browser.page.text


@pytest.mark.parametrize("way", WAYS)
async def test_a_payee_who_is_frozen_meanwhile(scene: Scene, way: Way) -> None:
    payee = scene.payee if way in PERSONAL else scene.till.owner
    await both(scene, way, lambda: freeze(payee), PAYEE_FROZEN)


async def test_a_code_of_somebody_frozen(scene: Scene) -> None:
    shop, person = await static_path(scene), await personal_path(scene)
    fixed = await personal_path(scene, 23_00)
    forms = {}
    for path in (shop, person, fixed):
        await scene.payer.see(path)
        forms[path] = scene.payer.browser.page
    await freeze(scene.till.owner)
    await freeze(scene.payee)
    for path, said in ((shop, SHOP_FROZEN), (person, PAYEE_FROZEN), (fixed, PAYEE_FROZEN)):
        await refused(scene.payer, _typed(scene.payer, forms[path], path), said, path)


async def test_a_closed_shop(scene: Scene) -> None:
    path = await static_path(scene)
    await scene.payer.see(path)
    form = scene.payer.browser.page
    open_already = await scene.till.order()
    world = scene.till.world
    await world.services.merchant.set_open(await world.seat(scene.till.shop), False)
    for ask in (_typed(scene.payer, form, path), look(scene.payer, path)):
        await refused(scene.payer, ask, SHOP_CLOSED, path)
        assert 'name="amount"' not in scene.payer.browser.page.text
    # What a customer was shown before the door closed is still theirs to pay.
    await scene.payer.see(code_path(open_already))
    assert "Paid" in (await scene.payer.tap("/payments")).text


@pytest.mark.parametrize("way", WAYS)
async def test_above_a_limit(enter: Enter, till: Till, way: Way) -> None:
    """A synced passkey carries 5,000 a day, a person 100,000 a year."""
    scene = await make_scene(enter, till)
    for amount, guest in (
        (5_000_01, await enter(balance=200_000_00, synced=True)),
        (100_000_01, await enter(balance=200_000_00)),
    ):
        scene.payer = guest
        path = await way(scene, amount)
        await refused(guest, look(guest, path), OVER_LIMIT, f"{way.__name__} {amount}")
        assert 'href="/security"' in guest.browser.page.text


@pytest.mark.parametrize("way", WAYS)
async def test_money_that_went_meanwhile(scene: Scene, way: Way) -> None:
    """It is there when the sheet is drawn, and spent in another tab."""
    scene.payer = await scene.enter(balance=30_00)
    path = await way(scene, 23_00)
    tap = press(scene.payer)
    await scene.payer.see(code_path(await scene.till.order(10_00)))
    await scene.payer.tap("/payments")
    await refused(scene.payer, tap, SHORT, way.__name__)
    assert f"return_to={path}" in scene.payer.browser.page.text
    for language, short in (("zh-CN", "余额还差"), ("en", "¥3.00 short")):
        await speak(scene.payer, language)
        sheet = await scene.payer.see(path)
        assert short in sheet.text
        assert 'name="payment_id"' not in sheet.text


def _typed(guest: Guest, form: httpx.Response, path: str) -> Ask:
    """The amount typed into a page that was open already."""

    async def ask() -> httpx.Response:
        guest.browser.page = form
        return await guest.tap(path, {"amount": "23"})

    return ask


def _forms(guest: Guest) -> list[str]:
    return [part.split('"')[0] for part in guest.browser.page.text.split('action="')[1:]]


def _field(html: str, name: str) -> str:
    return html.split(f'name="{name}" value="')[1].split('"')[0]
