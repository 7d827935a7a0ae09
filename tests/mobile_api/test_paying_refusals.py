"""Why an order can't be paid, told to phones: for every way to come by one the status, the code,
whether money moved, and the words of the caller's language; and nothing has moved."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import httpx
import msgspec
import pytest

from backend import ids
from backend.merchant import Shop
from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import joined, keeper_of, yuan
from tests.phone import Phone
from tests.web.pages.paying import books, postings
from tests.world import Line, World

LANGUAGES = ("zh-CN", "en")
PRICE = 23_00

# Status, and the title in each language.
TOLD = {
    "order_expired": (410, "订单已过期。", "This order has expired."),
    "order_cancelled": (410, "商家已取消这笔订单。", "The shop took this order back."),
    "order_paid": (409, "这笔订单已经付过了。", "This order is paid already."),
    "order_busy": (503, "这笔订单正在被支付。", "Somebody is paying this order right now."),
    "amount_changed": (409, "金额与订单不一致。", "The amount isn't the order's."),
    "own_shop": (409, "不能给自己的店付款。", "You can't pay your own shop."),
    "own_code": (409, "不能给自己的收款码付款。", "You can't pay your own code."),
    "not_for_you": (403, "这笔订单是开给别人的。", "This order was opened for somebody else."),
    "not_found": (404, "没有找到，或者它不属于你。", "It doesn't exist, or it isn't yours."),
    "payer_frozen": (403, "你的账户已冻结，不能付款。", "Your account is frozen; it can't pay."),
    "payee_frozen": (403, "收款方账户已冻结。", "The payee's account is frozen."),
    "shop_frozen": (
        403,
        "店铺或店主账户已冻结，不能收款。",
        "The shop or its owner is frozen; it can't collect.",
    ),
    "shop_closed": (409, "这家店现在不收款。", "This shop takes no payments now."),
    "limit_exceeded": (403, "超出限额。", "This is over a limit."),
    "insufficient_balance": (422, "余额不足。", "Your balance is not enough."),
    "pay_code_invalid": (409, "这个付款码不能用。", "This payment code can't be used."),
    "too_many_guesses": (
        429,
        "这台收银设备扫到的无效付款码太多。",
        "This till has read too many codes that don't work.",
    ),
    "risk_unavailable": (
        503,
        "安全系统暂时没有回应，所以没有付款。",
        "The security system doesn't answer, so nothing was paid.",
    ),
    "ledger_unavailable": (
        503,
        "账本暂时连不上，所以没有付款。",
        "The ledger can't be reached, so nothing was paid.",
    ),
}


class Scene(msgspec.Struct):
    """keeper: of the shop; payee: whose personal code is paid."""

    world: World
    phones: Phones
    keeper: Phone
    payer: Phone
    payee: Phone
    shop: Shop


Way: TypeAlias = Callable[[Scene, int], Awaitable[str]]
Ask: TypeAlias = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
async def on(phones: Phones, world: World) -> Scene:
    keeper, payee = await keeper_of(phones), await phones("小博")
    payer = await phones("安娜", balance=2_000_00)
    [seat] = (await keeper.done(keeper.get("/v1/seats")))["data"]
    shop = await world.services.merchant.shop(seat["id"])
    return Scene(world, phones, keeper, payer, payee, shop)


async def dynamic(on: Scene, fen: int = PRICE) -> str:
    """The id of an order that the payer may pay."""
    return await _opened(on.keeper, "/v1/till/orders", fen)


async def static(on: Scene, fen: int = PRICE) -> str:
    return await _opened(on.payer, await static_orders(on), fen)


async def personal(on: Scene, fen: int = PRICE) -> str:
    return await _opened(on.payer, await personal_orders(on), fen)


async def personal_amount(on: Scene, fen: int = PRICE) -> str:
    return await _opened(on.payer, await personal_orders(on, yuan(fen)), fen)


WAYS: tuple[Way, ...] = (dynamic, static, personal, personal_amount)


async def static_orders(on: Scene) -> str:
    [terminal] = (await on.keeper.done(on.keeper.get("/v1/shop/terminals")))["data"]
    return f"/v1/static-codes/{terminal['code']}/orders"


async def personal_orders(on: Scene, wanted: dict[str, Any] | None = None) -> str:
    code = await on.payee.done(on.payee.post("/v1/receive-codes", wanted or {}))
    return f"/v1/receive-codes/{code['id']}/orders"


async def _opened(phone: Phone, path: str, fen: int) -> str:
    return str((await phone.done(phone.post(path, yuan(fen))))["id"])


def asks(phone: Phone, order_id: str, fen: int = PRICE) -> dict[str, Ask]:
    """What paying may cost, and paying."""
    body = {"order": order_id} | yuan(fen)
    return {
        "quoted": lambda: phone.get(f"/v1/orders/{order_id}/quote"),
        "paid": lambda: phone.post("/v1/payments", body),
    }


async def speak(on: Scene, phone: Phone, language: str) -> None:
    await on.world.services.identity.set_language(phone.person_id, language)


async def refused(on: Scene, phone: Phone, ask: Ask, code: str, case: str = "") -> None:
    """In both languages, whatever the phone itself would like to hear; and nothing moves."""
    before, seen = await books(), set()
    status, *titles = TOLD[code]
    for language, title in zip(LANGUAGES, titles, strict=True):
        await speak(on, phone, language)
        body = is_problem(await ask(), status, code)
        assert body["title"] == title, case
        assert body["money_moved"] == "no", case
        assert body["detail"], case
        seen.add(body["todo"])
    assert len(seen - {""}) == len(LANGUAGES), f"{case}: what to do is said in each language"
    assert await books() == before, case


async def all_refused(
    on: Scene, phone: Phone, named: Iterable[tuple[str, Ask]], code: str, way: Way
) -> None:
    for name, ask in named:
        await refused(on, phone, ask, code, f"{way.__name__} {name}")


async def test_expired(on: Scene) -> None:
    orders = [(way, await way(on, PRICE)) for way in WAYS]
    on.world.later(minutes=15, seconds=1)
    for way, order_id in orders:
        await all_refused(on, on.payer, asks(on.payer, order_id).items(), "order_expired", way)


async def test_taken_back(on: Scene) -> None:
    order_id = await dynamic(on)
    await on.keeper.done(on.keeper.post(f"/v1/till/orders/{order_id}/cancel"))
    await all_refused(on, on.payer, asks(on.payer, order_id).items(), "order_cancelled", dynamic)


async def test_altered_amounts(on: Scene) -> None:
    for way in WAYS:
        order_id = await way(on, PRICE)
        for fen in (1, PRICE + 1, 10**10):
            ask = asks(on.payer, order_id, fen)["paid"]
            await refused(on, on.payer, ask, "amount_changed", way.__name__)
    fixed = await personal_orders(on, yuan(PRICE))
    ask = partial(on.payer.post, fixed, yuan(1))
    await refused(on, on.payer, ask, "amount_changed", "a code for one amount")


async def test_altered_and_foreign_numbers(on: Scene) -> None:
    """Of nobody, of another kind, or no number at all."""
    for wrong in (ids.new("ord"), ids.new("stc"), on.payee.person_id):
        for ask in asks(on.payer, wrong).values():
            await refused(on, on.payer, ask, "not_found", wrong)
    for path in (f"/v1/static-codes/{ids.new('stc')}", f"/v1/receive-codes/{ids.new('rcv')}"):
        await refused(on, on.payer, partial(on.payer.get, path), "not_found", path)
        opening = partial(on.payer.post, f"{path}/orders", yuan(PRICE))
        await refused(on, on.payer, opening, "not_found", path)


async def test_paid_already(on: Scene) -> None:
    other = await on.phones(balance=100_00)
    for way in WAYS:
        order_id = await way(on, PRICE)
        start = await postings()
        await on.payer.done(asks(on.payer, order_id)["paid"]())
        await all_refused(on, on.payer, asks(on.payer, order_id).items(), "order_paid", way)
        theirs = "order_paid" if way is dynamic else "not_for_you"
        await all_refused(on, other, asks(other, order_id).items(), theirs, way)
        assert await postings() == start + 1


async def test_somebody_is_paying_it(on: Scene) -> None:
    other, order_id = await on.phones(balance=2_000_00), await dynamic(on, 800_00)
    started = await on.payer.done(asks(on.payer, order_id, 800_00)["paid"]())
    assert started["requirement"]["takes"] == "passkey"
    named = asks(other, order_id, 800_00).items()
    await all_refused(on, other, named, "order_busy", dynamic)


async def test_ones_own(on: Scene) -> None:
    order_id = await dynamic(on)
    await all_refused(on, on.keeper, asks(on.keeper, order_id).items(), "own_shop", dynamic)
    ask = partial(on.keeper.post, await static_orders(on), yuan(PRICE))
    await refused(on, on.keeper, ask, "own_shop")
    for wanted in ({}, yuan(PRICE)):
        ask = partial(on.payee.post, await personal_orders(on, wanted), yuan(PRICE))
        await refused(on, on.payee, ask, "own_code")


async def freeze(phone: Phone) -> None:
    await phone.done(phone.post("/v1/freeze"))


async def test_a_frozen_payer(on: Scene) -> None:
    orders = [(way, await way(on, PRICE)) for way in WAYS]
    await freeze(on.payer)
    for way, order_id in orders:
        await all_refused(on, on.payer, asks(on.payer, order_id).items(), "payer_frozen", way)


async def test_a_frozen_payee(on: Scene) -> None:
    orders = [(way, await way(on, PRICE)) for way in WAYS]
    static_code, person = await static_orders(on), await personal_orders(on)
    await freeze(on.keeper)
    await freeze(on.payee)
    for way, order_id in orders:
        await all_refused(on, on.payer, asks(on.payer, order_id).items(), "payee_frozen", way)
    for path, code in ((static_code, "shop_frozen"), (person, "payee_frozen")):
        await refused(on, on.payer, partial(on.payer.post, path, yuan(PRICE)), code, path)
    at_the_till = partial(on.keeper.post, "/v1/till/orders", yuan(PRICE))
    await refused(on, on.keeper, at_the_till, "shop_frozen")


async def test_a_closed_shop(on: Scene) -> None:
    static_code, order_id = await static_orders(on), await dynamic(on)
    merchant = on.world.services.merchant
    await merchant.set_open(await merchant.seat(on.keeper.person_id), False)
    await refused(on, on.payer, partial(on.payer.post, static_code, yuan(PRICE)), "shop_closed")
    at_the_till = partial(on.keeper.post, "/v1/till/orders", yuan(PRICE))
    await refused(on, on.keeper, at_the_till, "shop_closed")
    with_code = partial(charged, on, on.payer)
    await refused(on, on.keeper, with_code, "shop_closed")
    paid = await on.payer.done(asks(on.payer, order_id)["paid"]())
    assert paid["status"] == "posted"  # what was shown before the door closed is still payable


async def test_above_a_limit_and_above_the_balance(on: Scene) -> None:
    rich, fen = await on.phones(balance=200_000_00), 100_000_01
    on.payer, poor = rich, on.payer
    for way in WAYS:
        order_id = await way(on, fen)
        await all_refused(on, rich, asks(rich, order_id, fen).items(), "limit_exceeded", way)
    on.payer = poor
    for way in WAYS:
        order_id = await way(on, 3_000_00)
        ask = asks(poor, order_id, 3_000_00)["paid"]
        await refused(on, poor, ask, "insufficient_balance", way.__name__)


@pytest.mark.parametrize("way", WAYS)
async def test_while_a_system_is_away(on: Scene, way: Way) -> None:
    """Nothing moves; healed, the same order is paid, once."""
    order_id, start = await way(on, PRICE), await postings()
    for line, code in _lines(on.world):
        line.down = True
        await all_refused(on, on.payer, asks(on.payer, order_id).items(), code, way)
        line.heal()
    paid = await on.payer.done(asks(on.payer, order_id)["paid"]())
    assert paid["status"] == "posted"
    assert await postings() == start + 1


def _lines(world: World) -> tuple[tuple[Line, str], ...]:
    return (world.risk, "risk_unavailable"), (world.ledger, "ledger_unavailable")


# The till


async def code_of(phone: Phone) -> str:
    return str((await phone.done(phone.post("/v1/payment-codes")))["code"])


async def charged(on: Scene, payer: Phone, code: str = "") -> httpx.Response:
    body = {"pay_code": code or await code_of(payer)} | yuan(PRICE)
    return await on.keeper.post("/v1/till/charges", body)


async def test_codes_that_are_none_any_more(on: Scene) -> None:
    spent = await code_of(on.payer)
    assert (await on.keeper.done(charged(on, on.payer, spent)))["state"] == "paid"
    late = await code_of(on.payer)
    on.world.later(seconds=76)
    frozen = await on.phones(balance=100_00)
    gone = await code_of(frozen)
    await freeze(frozen)
    for read in ("88" + "0" * 16, spent, late, gone, "134567890123456789", "6222000000010001xx"):
        on.world.later(minutes=11)  # wrong codes are counted by the terminal
        await refused(on, on.keeper, partial(charged, on, on.payer, read), "pay_code_invalid", read)
    for _ in range(40):
        if (await charged(on, on.payer, "88" + "1" * 16)).status_code == 429:
            break
    ask = partial(charged, on, on.payer, "88" + "1" * 16)
    await refused(on, on.keeper, ask, "too_many_guesses")


async def test_the_owners_own_code(on: Scene) -> None:
    await on.world.fund(wallet_of(on.keeper), 100_00)
    await refused(on, on.keeper, partial(charged, on, on.keeper), "own_shop")


@pytest.mark.parametrize(
    ("balance", "fen", "code", "told"),
    [
        (
            10_00,
            PRICE,
            "insufficient_balance",
            (
                "顾客的余额不足。 没有资金变动。 请顾客充值后重新出示付款码。",
                "The customer's balance is not enough. No money has moved."
                " Ask the customer to top up, then scan a new code.",
            ),
        ),
        (
            200_000_00,
            100_000_01,
            "limit_exceeded",
            (
                "超出了顾客的限额。 没有资金变动。"
                " 请减少金额或换一种方式付款；顾客可在限额页面查看剩余额度。",
                "The customer has reached a limit. No money has moved. Charge less, or take"
                " another way to pay; the customer's limits page shows what is left.",
            ),
        ),
    ],
)
async def test_a_customer_who_can_not_pay(
    on: Scene, balance: int, fen: int, code: str, told: tuple[str, str]
) -> None:
    """An end, not a problem: the charge was made and came to nothing, told of the customer."""
    customer = await on.phones(balance=balance)
    before = await books()
    for language, words in zip(LANGUAGES, told, strict=True):
        await speak(on, on.keeper, language)
        body = {"pay_code": await code_of(customer)} | yuan(fen)
        ended = await on.keeper.done(on.keeper.post("/v1/till/charges", body))
        seen = await on.keeper.done(on.keeper.get(f"/v1/till/orders/{ended['id']}"))
        for order in (ended, seen):
            assert (order["state"], order["final"], order["refusal"]) == ("failed", True, code)
            assert order["told"] == words
    assert await books() == before


async def test_two_cashiers_charge_the_same_code(on: Scene) -> None:
    second = await joined(on.keeper, await on.phones("小满"), Role.CASHIER)
    body, start = {"pay_code": await code_of(on.payer)} | yuan(PRICE), await postings()
    tills = (on.keeper, second)
    answers = await asyncio.gather(*(till.post("/v1/till/charges", body) for till in tills))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    [slower] = [till for till, answer in zip(tills, answers, strict=True) if answer.is_error]
    again = partial(slower.post, "/v1/till/charges", body)
    await refused(on, slower, again, "pay_code_invalid")
    assert await postings() == start + 1
    assert await on.world.balance(wallet_of(on.payer).account_id) == 2_000_00 - PRICE


async def test_a_till_while_a_system_is_away(on: Scene) -> None:
    for line, code in _lines(on.world):

        async def ask(line: Line = line) -> httpx.Response:
            read = await code_of(on.payer)
            line.down = True
            answer = await charged(on, on.payer, read)
            line.heal()
            return answer

        await refused(on, on.keeper, ask, code)
    on.world.later(minutes=2)
    await on.world.services.payments.sweep()
    assert await on.world.balance(wallet_of(on.payer).account_id) == 2_000_00
    assert (await on.keeper.done(charged(on, on.payer)))["state"] == "paid"
