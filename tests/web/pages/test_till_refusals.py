"""What a till is told when a charge comes to nothing, in the words of both languages: it speaks of
the customer, keeps what was typed, and nothing has moved."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import httpx
import pytest

from backend.risk import CODE_GRACE, CODE_LIFE, IssueCodes
from backend.shop_roles import Role
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Guest, Till, sign_in
from tests.web.pages.paying import (
    LANGUAGES,
    UNMOVED,
    Said,
    Scene,
    books,
    main_of,
    make_scene,
    personal_path,
    postings,
    refused,
    speak,
    static_path,
    tells,
)
from tests.world import Line

CODE_WRONG = Said(
    409,
    ("这个付款码不能用。", "请顾客刷新付款码后再扫一次。"),
    ("This payment code can&#39;t be used.", "Ask the customer to refresh the code"),
)
TOO_MANY = Said(
    429,
    ("这台收银设备扫到的无效付款码太多。", "可以先让顾客扫你的收款码付款。"),
    ("This till has read too many codes that don&#39;t work.", "the customer can scan your code"),
)
OWN = Said(
    409,
    ("这是店主自己的付款码", "请扫顾客的付款码。"),
    ("This is the code of the shop&#39;s own owner", "Scan a customer&#39;s code."),
)
CLOSED = Said(
    409,
    ("这家店现在不收款。", "请向店员确认是否营业"),
    ("This shop takes no payments now.", "Ask the staff whether they are open"),
)
FROZEN = Said(
    403,
    ("店铺或店主账户已冻结，不能收款。", "店主可在安全页面查看状态。"),
    ("The shop or its owner is frozen", "its owner sees the state on the security page."),
)
SHORT = Said(
    200,
    ("顾客的余额不足。", "请顾客充值后重新出示付款码。"),
    ("The customer&#39;s balance is not enough.", "Ask the customer to top up"),
)
OVER_LIMIT = Said(
    200,
    ("超出了顾客的限额。", "请减少金额或换一种方式付款"),
    ("The customer has reached a limit.", "Charge less, or take another way to pay"),
)
AHEAD = Said(
    200,
    ("这个付款码不经通行密钥付不了这么多。", "请顾客联网后重新出示付款码。"),
    ("This code can&#39;t pay as much without", "Ask the customer to go online"),
)
NOT_CONFIRMED = Said(
    200,
    ("顾客没有及时确认。", "请用新的付款码重新收款。"),
    ("The customer did not confirm in time.", "Charge again with a new payment code."),
)
TOO_SLOW = Said(
    200,
    ("系统响应太慢，所以没有收款。", "请用新的付款码重新收款。"),
    ("We were too slow, so nothing was charged.", "Charge again with a new payment code."),
)
IN_TIME = {"zh-CN": "扫码后 90 秒内收款成功，否则不收款", "en": "paid within 90 seconds of reading"}
RISK_AWAY = Said(
    503,
    ("安全系统暂时没有回应，所以没有收款。", "请稍后用新的付款码再试。"),
    ("The security system doesn&#39;t answer, so nothing was charged.", "Try again in a moment"),
)
LEDGER_AWAY = Said(
    503,
    ("账本暂时连不上，所以没有收款。", "请稍后用新的付款码再试。"),
    ("The ledger can&#39;t be reached, so nothing was charged.", "Try again in a moment"),
)

Code: TypeAlias = Callable[[], Awaitable[str]]


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till)


async def code_of(payer: Guest, *, ahead: bool = False) -> str:
    wallet = payer.wallet
    [shown] = await payer.world.services.risk.issue_codes(
        IssueCodes(wallet.person_id, wallet.device_secret, ahead=ahead)
    )
    return shown.code


async def charge(cashier: Guest, code: Code, amount: str = "23") -> httpx.Response:
    fields = {"amount": amount, "note": "3 号桌", "pay_code": await code()}
    await cashier.see("/cashier")
    answer = await cashier.tap("/orders", fields)
    assert not fields["pay_code"] or fields["pay_code"] not in answer.text
    return answer


async def said_at_the_till(
    on: Scene, code: Code, said: Said, amount: str = "23", cashier: Guest | None = None
) -> None:
    """Twice, once in each language, with a code each."""
    guest = cashier or on.till.owner
    await refused(guest, partial(charge, guest, code, amount), said, "till")
    page = guest.browser.page.text
    if said.status == 200:
        assert 'data-state="failed"' in page
        assert f"/cashier?amount={amount}" in page  # the way on: charge again
        return
    form = guest.browser.form("/orders").fields
    assert (form["amount"], form["note"], form["pay_code"]) == (amount, "3 号桌", "")


async def test_codes_that_are_none_any_more(scene: Scene) -> None:
    """Expired, altered, invented, used, withdrawn, and of somebody frozen: all look alike, because
    a till has no business knowing which."""
    world, payer = scene.till.world, scene.payer

    async def invented() -> str:
        return "88" + "0" * 16

    async def altered() -> str:
        code = await code_of(payer)
        return code[:-1] + str((int(code[-1]) + 1) % 10)

    async def expired() -> str:
        code = await code_of(payer)
        world.clock.move(CODE_LIFE + CODE_GRACE)
        return code

    async def withdrawn() -> str:
        code = await code_of(payer)
        wallet = payer.wallet
        await world.services.risk.revoke_codes(wallet.person_id, wallet.device_secret)
        return code

    others = [await scene.enter(balance=100_00) for _ in LANGUAGES]

    async def frozen() -> str:
        other = others.pop()
        code, wallet = await code_of(other), other.wallet
        await world.services.payments.freeze(wallet.person_id, wallet.device_secret)
        return code

    for code in (invented, altered, expired, withdrawn, frozen):
        world.later(minutes=11)  # wrong codes are counted by the terminal
        await said_at_the_till(scene, code, CODE_WRONG)


async def test_a_code_that_has_paid(scene: Scene) -> None:
    code = await code_of(scene.payer)

    async def used() -> str:
        return code

    assert 'data-state="paid"' in (await charge(scene.till.owner, used)).text
    await said_at_the_till(scene, used, CODE_WRONG)
    assert await scene.till.world.balance(scene.payer.wallet.account_id) == 2_000_00 - 23_00


@pytest.mark.parametrize("language", LANGUAGES)
async def test_two_cashiers_charge_the_same_code(
    scene: Scene, visitor: Visitor, language: str
) -> None:
    """One is paid; the other is told that this code can't be used, and that nothing moved."""
    world = scene.till.world
    member = await world.person(name="小满")
    await world.hire(scene.till.owner.wallet, member, Role.CASHIER)
    tills = (scene.till.owner, await sign_in(await visitor(), world, member))
    code, before = await code_of(scene.payer), await postings()
    for guest in tills:
        await speak(guest, language)
        await guest.see("/cashier")
    fields = {"amount": "23", "pay_code": code}
    answers = await asyncio.gather(*(guest.tap("/orders", fields) for guest in tills))
    paid = [answer for answer in answers if 'data-state="paid"' in answer.text]
    assert len(paid) == 1
    [other] = [answer for answer in answers if answer not in paid]
    tells(other, CODE_WRONG, language, "the slower till")
    assert await postings() == before + 1
    assert await world.balance(scene.payer.wallet.account_id) == 2_000_00 - 23_00


async def test_too_many_wrong_codes(scene: Scene) -> None:
    async def invented() -> str:
        return "88" + "1" * 16

    for _ in range(40):
        if (await charge(scene.till.owner, invented)).status_code == 429:
            break
        scene.till.world.later(seconds=3)
    await said_at_the_till(scene, invented, TOO_MANY)


async def test_the_owners_own_code(scene: Scene, visitor: Visitor) -> None:
    world, owner = scene.till.world, scene.till.owner
    await world.fund(owner.wallet, 100_00)
    await said_at_the_till(scene, partial(code_of, owner), OWN)
    member = await world.person(name="小满")
    await world.hire(owner.wallet, member, Role.CASHIER)
    cashier = await sign_in(await visitor(), world, member)
    await said_at_the_till(scene, partial(code_of, owner), OWN, cashier=cashier)


async def none() -> str:
    """The shop shows a code instead."""
    return ""


async def test_a_closed_shop(scene: Scene) -> None:
    world = scene.till.world
    await world.services.merchant.set_open(await world.seat(scene.till.shop), False)
    for code in (none, partial(code_of, scene.payer)):
        await said_at_the_till(scene, code, CLOSED)


async def test_a_frozen_shop(scene: Scene) -> None:
    world, owner = scene.till.world, scene.till.owner.wallet
    code = partial(code_of, scene.payer)
    await world.services.payments.freeze(owner.person_id, owner.device_secret)
    for kind in (none, code):
        await said_at_the_till(scene, kind, FROZEN)


async def test_a_customer_who_can_not_pay(scene: Scene) -> None:
    poor, rich = await scene.enter(balance=10_00), await scene.enter(balance=200_000_00)
    synced = await scene.enter(balance=200_000_00, synced=True)
    for guest, amount, ahead, said in (
        (poor, "23.00", False, SHORT),
        (synced, "5000.01", False, OVER_LIMIT),
        (rich, "100000.01", False, OVER_LIMIT),
        (rich, "600.00", True, AHEAD),
    ):
        await said_at_the_till(scene, partial(code_of, guest, ahead=ahead), said, amount)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_customer_who_does_not_confirm(scene: Scene, language: str) -> None:
    owner, before = scene.till.owner, await books()
    await speak(owner, language)
    asked = await charge(owner, partial(code_of, scene.payer), "600")
    assert 'data-state="user_paying"' in asked.text
    scene.till.world.later(minutes=6)
    await scene.till.world.services.payments.sweep()
    ended = await owner.see(asked.url.path)
    tells(ended, NOT_CONFIRMED, language, "not confirmed")
    assert await books() == before


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", ["prepare", "authorize"])
async def test_a_customer_who_was_never_asked(scene: Scene, method: str, language: str) -> None:
    """Slow were we: the till is not told that the customer was."""
    owner, world, before = scene.till.owner, scene.till.world, await books()
    await speak(owner, language)
    await owner.see("/cashier")
    order_id = owner.browser.form("/orders").fields["order_id"]
    fields = {"amount": "23", "pay_code": await code_of(scene.payer)}
    world.risk.lost = {method}
    await owner.tap("/orders", fields)
    world.risk.heal()
    asking = await owner.see(f"/orders/{order_id}")
    assert 'data-state="unknown"' in asking.text
    assert IN_TIME[language] in asking.text
    world.later(minutes=2)
    await world.services.payments.sweep()
    ended = await owner.see(f"/orders/{order_id}")
    tells(ended, TOO_SLOW, language, method)
    assert not any(said in ended.text for said in (NOT_CONFIRMED.zh[0], NOT_CONFIRMED.en[0]))
    assert await books() == before


async def test_while_a_system_is_away(scene: Scene) -> None:
    world = scene.till.world
    owner = scene.till.owner
    for line, said in ((world.risk, RISK_AWAY), (world.ledger, LEDGER_AWAY)):

        async def ask(line: Line = line) -> httpx.Response:
            fields = {"amount": "23", "pay_code": await code_of(scene.payer)}
            await owner.see("/cashier")
            line.down = True
            answer = await owner.tap("/orders", fields)
            line.heal()
            return answer

        await refused(owner, ask, said, said.en[0])
    world.later(minutes=2)
    await world.services.payments.sweep()
    assert await world.balance(scene.payer.wallet.account_id) == 2_000_00
    paid = await charge(scene.till.owner, partial(code_of, scene.payer))
    assert 'data-state="paid"' in paid.text  # healed


WALLETS = ("这是其他钱包的付款码", "That is another wallet&#39;s payment code.")
CARD = ("这是银行卡号，不是付款码。", "That is a card&#39;s number, not a payment code.")
UNKNOWN = ("这不是易支付的付款码", "That is no payment code of YiPay")
FOREIGN = {
    "134567890123456789": WALLETS,  # WeChat Pay
    "288888888888888888": WALLETS,  # Alipay
    "1345 6789 0123 4567 89": WALLETS,
    "6222000000010001": CARD,
    "88123": UNKNOWN,
    "88" + "0" * 17: CARD,
    "87" + "0" * 16: CARD,
    "88" + "٣" * 16 + "x": UNKNOWN,
    "https://evil.example/pay": UNKNOWN,
    "<script>alert(1)</script>": UNKNOWN,
}


async def test_foreign_codes_are_explained_at_the_field(scene: Scene) -> None:
    origin = scene.till.world.settings.public_origin
    order = await scene.till.order()
    ours = {
        f"{origin}/o/{order.order_id[4:]}".upper(): (
            "这是订单收款码",
            "That is an order&#39;s code",
        ),
        f"{origin}{await static_path(scene)}": (
            "这是店铺的收款码",
            "That is a shop&#39;s own code",
        ),
        f"{origin}{await personal_path(scene)}": ("这是收款码", "That code receives money."),
    }
    owner, before = scene.till.owner, await books()
    for at, language in enumerate(LANGUAGES):
        await speak(owner, language)
        for read, said in (FOREIGN | ours).items():

            async def code(read: str = read) -> str:
                return read

            answer = await charge(owner, code)
            assert answer.status_code == 422
            error = answer.text.split('id="f-pay_code-error"')
            assert len(error) == 2, f"{read}: {main_of(answer)}"
            assert said[at] in error[1].split("</p>")[0], f"{read}: {main_of(answer)}"
            assert UNMOVED[language] in answer.text
            form = owner.browser.form("/orders").fields
            assert (form["amount"], form["note"], form["pay_code"]) == ("23", "3 号桌", "")
        scene.till.world.later(seconds=61)
    assert await books() == before
