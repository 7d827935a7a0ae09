"""Confirming with a passkey, on the payer's own screen: of a dear order, and of a payment code that
a till has read. What is refused is told on the sheet and beside its button, in both languages."""

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from backend.risk import IssueCodes
from tests.web.browser import NAVIGATION
from tests.web.pages.conftest import Enter, Guest, Till
from tests.web.pages.paying import (
    LANGUAGES,
    UNMOVED,
    WAYS,
    Said,
    Scene,
    Way,
    books,
    look,
    main_of,
    make_scene,
    postings,
    refused,
    speak,
    tells,
)
from tests.web.pages.test_paying_refusals import (
    ALTERED,
    CANCELLED,
    EXPIRED,
    NOT_FOR_YOU,
    PAYEE_FROZEN,
    PAYER_FROZEN,
    freeze,
)

DEAR = 800_00
AWAY = Said(
    503,
    ("安全系统暂时没有回应，所以没有付款。", "请稍后再试。"),
    ("The security system doesn't answer, so nothing was paid.", "Try again in a moment."),
)
OTHER_FORM = Said(
    409,
    ("这张表单已经用过，内容却不一样。", "请重新打开页面再试。"),
    ("This form was used before, with other content.", "Open the page again."),
)
WRONG_KEY = Said(
    403,
    ("通行密钥没有通过验证。", "请用属于这个钱包的通行密钥再试。"),
    ("The passkey could not be verified.", "Try again with a passkey of this wallet."),
)
USED_UP = Said(
    410,
    ("这次验证已过期或已使用。", "请再试一次。"),
    ("This confirmation has expired or was used.", "Please try again."),
)
REFUSED_CODE = {
    "zh-CN": ("付款未成功", "余额不足。", "付款码一次有效"),
    "en": ("Payment refused", "Your balance is not enough.", "A payment code works once"),
}


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till)


async def shown(on: Scene, amount_fen: int = DEAR) -> str:
    """The till has read the payer's code; their sheet asks for the passkey."""
    wallet, owner = on.payer.wallet, on.till.owner
    [code] = await on.till.world.services.risk.issue_codes(
        IssueCodes(wallet.person_id, wallet.device_secret)
    )
    await owner.see("/cashier")
    fields = {"amount": str(amount_fen // 100), "pay_code": code.code}
    asked = await owner.tap("/orders", fields)
    path = f"/o/{asked.url.path.rpartition('_')[2]}"
    await on.payer.see(path)
    return path


EVERY_WAY = (*WAYS, shown)


def action_of(guest: Guest) -> str:
    found = re.search(r'action="(/payments/pay_\w+/confirmation)"', guest.browser.page.text)
    assert found, guest.browser.page.text
    return found[1]


def begins(guest: Guest) -> Callable[..., Awaitable[httpx.Response]]:
    """What the button does first; the answer is shown beside it."""
    fields = guest.browser.form(action_of(guest)).fields

    async def ask(**changed: str) -> httpx.Response:
        return await guest.browser.begin("/payments/ceremonies", fields | changed)

    return ask


async def both(
    on: Scene, path: str, ask: Callable[[], Awaitable[httpx.Response]], said: Said
) -> None:
    await refused(on.payer, ask, said, "pressed")
    await refused(on.payer, look(on.payer, path), said, "looked")


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_an_altered_amount(scene: Scene, way: Way) -> None:
    await way(scene, DEAR)
    ask = begins(scene.payer)
    said = OTHER_FORM if way is shown else ALTERED  # the till has begun that payment already
    await refused(scene.payer, lambda: ask(amount_fen="1"), said, way.__name__)


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_frozen_payer(scene: Scene, way: Way) -> None:
    path = await way(scene, DEAR)
    ask = begins(scene.payer)
    await freeze(scene.payer)
    await refused(scene.payer, ask, PAYER_FROZEN, f"{way.__name__} pressed")
    if way is not shown:  # that one has ended with the refusal
        await refused(scene.payer, look(scene.payer, path), PAYER_FROZEN, way.__name__)


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_while_the_security_system_is_away(scene: Scene, way: Way) -> None:
    """Down, nothing moves; healed, the same sheet goes on."""
    path, start = await way(scene, DEAR), await postings()
    ask, action = begins(scene.payer), action_of(scene.payer)
    scene.till.world.risk.down = True
    await both(scene, path, ask, AWAY)
    scene.till.world.risk.heal()
    await scene.payer.see(path)
    if way is shown:
        assert action_of(scene.payer) == action
    await scene.payer.browser.ceremony(action_of(scene.payer), scene.payer.wallet.passkey)
    assert await postings() == start + 1


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_a_passkey_that_did_not_verify_its_person(scene: Scene, way: Way) -> None:
    before = await books()
    for language in LANGUAGES:
        await speak(scene.payer, language)
        await way(scene, DEAR)
        key = scene.payer.wallet.passkey
        key.user_verified = False
        answer = await scene.payer.browser.ceremony(action_of(scene.payer), key)
        key.user_verified = True
        tells(answer, WRONG_KEY, language, way.__name__)
    assert await books() == before


async def test_a_payment_code_that_is_not_confirmed_in_time(scene: Scene) -> None:
    path = await shown(scene)
    ask = begins(scene.payer)
    scene.till.world.later(minutes=5, seconds=1)
    await both(scene, path, ask, EXPIRED)


async def test_a_payment_code_that_the_till_takes_back(scene: Scene) -> None:
    path = await shown(scene)
    ask = begins(scene.payer)
    world, wallet = scene.till.world, scene.till.owner.wallet
    seat = await world.seat(scene.till.shop)
    await world.services.merchant.reverse(seat, f"ord_{path[3:]}", wallet.device_secret)
    await refused(scene.payer, look(scene.payer, path), CANCELLED, "looked")
    await refused(scene.payer, ask, CANCELLED, "pressed")


async def test_a_payment_code_of_a_shop_that_is_frozen_meanwhile(scene: Scene) -> None:
    path = await shown(scene)
    ask = begins(scene.payer)
    await freeze(scene.till.owner)
    await refused(scene.payer, look(scene.payer, path), PAYEE_FROZEN, "looked")
    await refused(scene.payer, ask, PAYEE_FROZEN, "pressed")


async def test_a_payment_code_is_its_payers_alone(scene: Scene) -> None:
    path = await shown(scene)
    fields = scene.payer.browser.form(action_of(scene.payer)).fields
    stranger = await scene.enter(balance=2_000_00)
    await refused(stranger, look(stranger, path), NOT_FOR_YOU, "looked")
    assert "¥800" not in main_of(stranger.browser.page)
    await stranger.see("/scan")
    token = {"_csrf_token": stranger.browser.form("/scan").fields["_csrf_token"]}

    async def ask() -> httpx.Response:
        return await stranger.browser.begin("/payments/ceremonies", fields | token)

    await refused(stranger, ask, OTHER_FORM, "pressed")


async def test_a_code_that_was_refused_is_told_to_its_payer(scene: Scene) -> None:
    """The till had its answer; the payer's screen says it too, with the way on."""
    scene.payer = await scene.enter(balance=10_00)
    before = await books()
    await shown(scene, 23_00)
    payment = await _payment_of(scene)
    for language, words in REFUSED_CODE.items():
        await speak(scene.payer, language)
        page = await scene.payer.see(f"/payments/{payment}")
        for said in (*words, UNMOVED[language]):
            assert said in page.text, said
        assert 'href="/code"' in page.text
        assert 'href="/topups/new"' in page.text
    assert await books() == before


async def test_a_confirmation_that_was_used(scene: Scene) -> None:
    """Its answer serves once: for another payment it is nothing."""
    sent: list[dict[str, str]] = []

    async def keep(request: httpx.Request) -> None:
        if request.url.path.endswith("/confirmation"):
            sent.append(dict(httpx.QueryParams(request.content.decode())))

    payer = scene.payer
    await WAYS[0](scene, DEAR)
    payer.browser.client.event_hooks["request"] = [keep]
    await payer.browser.ceremony(action_of(payer), payer.wallet.passkey)
    payer.browser.client.event_hooks["request"] = []
    await WAYS[0](scene, DEAR)
    assert (await begins(payer)()).status_code == 200
    action = action_of(payer)

    async def replay() -> httpx.Response:
        payer.browser.page = await payer.browser.client.post(
            action, data=sent[0], headers=NAVIGATION, follow_redirects=True
        )
        return payer.browser.page

    await refused(payer, replay, USED_UP, "replayed")


async def _payment_of(on: Scene) -> str:
    order_id = on.till.owner.browser.page.url.path.rpartition("/")[2]
    charged = await on.till.world.services.payments.charged(on.till.shop.shop_id, order_id)
    return charged.payment_id
