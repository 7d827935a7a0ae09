"""The till and customers' payment codes: paid, refused, followed, taken back; never in doubt."""

import asyncio

import pytest

from backend import ids
from backend.ledger import Balance
from backend.risk import IssueCodes
from backend.shop_roles import Role
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Guest, Till, sign_in
from web.security import cookies


async def code_of(payer: Guest) -> str:
    wallet = payer.wallet
    [shown] = await payer.world.services.risk.issue_codes(
        IssueCodes(wallet.person_id, wallet.device_secret)
    )
    return shown.code


async def charge(till: Till, code: str, amount: str = "23") -> str:
    """The page that the till shows then."""
    await till.owner.see("/cashier")
    return (await till.owner.tap("/orders", {"amount": amount, "pay_code": code})).text


async def test_a_small_amount_is_paid_at_once(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    page = await charge(till, code)
    assert 'data-state="paid"' in page
    assert code not in page
    assert code not in str(till.owner.browser.page.url)
    assert await till.world.balance(payer.wallet.account_id) == 77_00


async def test_htmx_hears_the_chime_at_once(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    await till.owner.see("/cashier")
    code = await code_of(payer)
    answer = await till.owner.tap_htmx("/orders", {"amount": "23", "pay_code": code})
    assert "data-chime=" in answer.text
    assert code not in answer.text + answer.headers["hx-push-url"]


@pytest.mark.parametrize("shape", ["{}", " {} ", "{}\r\n", "{0[0]}{0[1]} - "])
async def test_what_scanners_add_does_no_harm(till: Till, enter: Enter, shape: str) -> None:
    code = await code_of(await enter(balance=100_00))
    if "[" in shape:
        shape = " ".join(("{}", "{}", "{}", "{}", "{}"))
        parts = (code[:4], code[4:8], code[8:12], code[12:16], code[16:])
        assert 'data-state="paid"' in await charge(till, shape.format(*parts))
    else:
        assert 'data-state="paid"' in await charge(till, shape.format(code))


async def test_a_large_amount_is_followed_until_the_customer_confirms(
    till: Till, enter: Enter
) -> None:
    payer = await enter(balance=1_000_00)
    page = await charge(till, await code_of(payer), "600")
    assert 'data-state="user_paying"' in page
    path = till.owner.browser.page.url.path
    assert f"/events?topics=order:{path.rpartition('/')[2]}" in page
    assert (await till.owner.part(f"{path}?seen=user_paying")).status_code == 204
    await payer.see(f"/o/{path.rpartition('_')[2]}")
    order_id = path.rpartition("/")[2]
    charged = await till.world.services.payments.charged(till.shop.shop_id, order_id)
    await payer.browser.ceremony(
        f"/payments/{charged.payment_id}/confirmation", payer.wallet.passkey
    )
    turned = await till.owner.part(f"{path}?seen=user_paying")
    assert 'data-state="paid"' in turned.text
    assert "data-chime=" in turned.text


async def test_after_half_a_minute_the_till_is_advised_to_take_it_back(
    till: Till, enter: Enter
) -> None:
    payer = await enter(balance=1_000_00)
    await charge(till, await code_of(payer), "600")
    path = till.owner.browser.page.url.path
    till.world.later(seconds=31)
    late = await till.owner.part(f"{path}?seen=user_paying")
    assert "This takes long" in late.text
    assert (await till.owner.part(f"{path}?seen=user_paying-late")).status_code == 204
    await till.owner.see(path)
    ended = await till.owner.tap(f"{path}/reversal")
    assert 'data-state="cancelled"' in ended.text or 'data-state="failed"' in ended.text
    assert await till.world.balance(payer.wallet.account_id) == 1_000_00


async def test_what_was_paid_meanwhile_goes_back_whole(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    await charge(till, await code_of(payer))
    path = till.owner.browser.page.url.path
    services = till.world.services
    seat = await till.world.seat(till.shop)
    till.world.later(seconds=16)
    await till.owner.awake()
    order_id = path.rpartition("/")[2]
    await services.merchant.reverse(seat, order_id, till.owner.wallet.device_secret)
    page = await till.owner.see(path)
    assert 'data-state="reversed"' in page.text
    assert await till.world.balance(payer.wallet.account_id) == 100_00


async def test_an_unknown_answer_is_taken_back_and_never_in_doubt(till: Till, enter: Enter) -> None:
    """The ledger's answer was lost after the debit: found, and taken back whole."""
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    await till.owner.see("/cashier")
    till.world.ledger.lost = {"post", "outcome"}
    answer = await till.owner.tap("/orders", {"amount": "23", "pay_code": code})
    assert 'data-state="unknown"' in answer.text
    path = till.owner.browser.page.url.path
    till.world.ledger.heal()
    assert await till.world.balance(payer.wallet.account_id) == 77_00
    till.world.later(minutes=2)
    await till.world.services.payments.sweep()
    seat, order_id = await till.world.seat(till.shop), path.rpartition("/")[2]
    secret = till.owner.wallet.device_secret
    await till.world.services.merchant.reverse(seat, order_id, secret)
    assert 'data-state="reversed"' in (await till.owner.see(path)).text
    assert await till.world.balance(payer.wallet.account_id) == 100_00


async def test_an_unknown_answer_ends_by_itself(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    await till.owner.see("/cashier")
    till.world.ledger.lost = {"post", "outcome"}
    await till.owner.tap("/orders", {"amount": "23", "pay_code": code})
    path = till.owner.browser.page.url.path
    asking = (await till.owner.see(path)).text
    assert "It ends by itself" in asking
    assert "Take the charge back" in asking
    till.world.ledger.heal()
    till.world.later(seconds=30)
    await till.world.services.payments.sweep()
    late = (await till.owner.see(path)).text
    assert 'data-state="unknown"' in late
    assert "goes back to the customer by itself" in late
    assert "Take the charge back" not in late
    till.world.later(seconds=10)
    await till.world.services.payments.sweep()
    assert 'data-state="reversed"' in (await till.owner.see(path)).text
    assert await till.world.balance(payer.wallet.account_id) == 100_00
    payment_id = (await till.world.services.payments.order(path.rsplit("/", 1)[1])).payment_id
    assert "Refunded" in (await payer.see(f"/bills/{payment_id}")).text


async def test_what_can_not_go_back_is_told_at_the_till_then_to_both_sides(
    till: Till, enter: Enter
) -> None:
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    await till.owner.see("/cashier")
    till.world.ledger.lost = {"post", "outcome"}
    await till.owner.tap("/orders", {"amount": "23", "pay_code": code})
    path = till.owner.browser.page.url.path
    till.world.ledger.heal()
    till.world.later(minutes=3)
    await till.world.services.payments.sweep()

    async def paid_out(account_ids: tuple[str, ...]) -> tuple[Balance, ...]:
        return tuple(Balance(account_id, 0, 0, 0, False) for account_id in account_ids)

    till.world.ledger.balances = paid_out  # type: ignore[attr-defined]
    for _ in range(2):
        till.world.later(seconds=10)
        await till.world.services.payments.sweep()
    waits = (await till.owner.see(path)).text
    assert "balance allows it" in waits
    assert "could not go back by itself" not in (await till.owner.see("/shop")).text
    till.world.later(hours=24)
    await till.world.services.payments.sweep()
    del till.world.ledger.balances
    await till.owner.awake()
    assert 'data-state="paid"' in (await till.owner.see(path)).text
    home = (await till.owner.see("/shop")).text
    assert "1 payment could not go back by itself" in home
    assert f'href="/shop{path}"' in home
    await payer.awake()
    assert "could not go back to you" in (await payer.see("/notices")).text


async def test_the_same_order_number_tells_the_truth(till: Till, enter: Enter) -> None:
    """The answer was lost on the way: the page sends its form again, or is loaded anew."""
    payer = await enter(balance=100_00)
    await till.owner.see("/cashier")
    fields = {"amount": "23", "pay_code": await code_of(payer)}
    first = await till.owner.tap_htmx("/orders", fields)
    again = await till.owner.tap_htmx("/orders", fields)
    assert 'data-state="paid"' in first.text
    assert 'data-state="paid"' in again.text
    order_id = till.owner.browser.form("/orders").fields["order_id"]
    reloaded = await till.owner.see(f"/cashier?lost={order_id}")
    assert reloaded.url.path == f"/orders/{order_id}"
    assert await till.world.balance(payer.wallet.account_id) == 77_00


async def test_a_charge_that_never_arrived_says_so(till: Till) -> None:
    page = await till.owner.see(f"/cashier?lost={ids.new('ord')}")
    assert "never reached us" in page.text
    assert 'action="/orders"' in page.text


async def test_two_cashiers_read_the_same_code(till: Till, enter: Enter, visitor: Visitor) -> None:
    member = await till.world.person(name="小满")
    await till.world.hire(till.owner.wallet, member, Role.CASHIER)
    cashier = await sign_in(await visitor(), till.world, member)
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    pages = []
    for guest in (till.owner, cashier):
        await guest.see("/cashier")
    for guest in (till.owner, cashier):
        pages.append(guest.tap("/orders", {"amount": "23", "pay_code": code}))
    answers = [answer.text for answer in await asyncio.gather(*pages)]
    assert sum('data-state="paid"' in text for text in answers) == 1
    assert await till.world.balance(payer.wallet.account_id) == 77_00


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ("134567890123456789", "another wallet"),  # WeChat Pay
        ("288888888888888888", "another wallet"),  # Alipay
        ("88123", "begins with 88"),
        ("6222000000010001", "card"),
        ("<script>alert(1)</script>", "begins with 88"),
    ],
)
async def test_foreign_codes_are_explained(till: Till, read: str, told: str) -> None:
    page = await charge(till, read)
    assert told in page
    assert read not in page
    assert 'value="23"' in page  # the amount stays


async def test_a_shops_own_code_is_explained(till: Till) -> None:
    order = await till.order()
    address = f"{till.world.settings.public_origin}/o/{order.order_id[4:]}".upper()
    assert "customers scan it" in await charge(till, address)


@pytest.mark.parametrize("code", ["88" + "0" * 16])
async def test_a_code_that_is_none_is_refused_and_the_next_order_is_new(
    till: Till, code: str
) -> None:
    await till.owner.see("/cashier")
    before = till.owner.browser.form("/orders").fields["order_id"]
    page = (await till.owner.tap("/orders", {"amount": "23", "pay_code": code})).text
    assert code not in page
    assert 'data-state="failed"' in page or "data-refused=" in page
    await till.owner.see("/cashier")
    assert till.owner.browser.form("/orders").fields["order_id"] != before


async def test_while_the_security_system_is_away_nothing_moves(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    await till.owner.see("/cashier")
    till.world.risk.down = True
    answer = await till.owner.tap("/orders", {"amount": "23", "pay_code": code})
    till.world.risk.heal()
    assert 'data-state="paid"' not in answer.text
    assert await till.world.balance(payer.wallet.account_id) == 100_00


async def test_the_terminal_is_remembered(till: Till) -> None:
    seat = await till.world.seat(till.shop)
    [store] = await till.world.services.merchant.stores(seat)
    second = await till.world.services.merchant.open_terminal(
        seat, ids.new("trm"), store.store_id, "外带"
    )
    await till.owner.see("/cashier")
    await till.owner.tap("/orders", {"amount": "23", "terminal_id": second.terminal_id})
    assert till.owner.browser.client.cookies[cookies.TILL] == second.terminal_id
    page = (await till.owner.see("/cashier")).text
    assert f'value="{second.terminal_id}" selected' in page


async def test_a_closed_shop_takes_nothing(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    code = await code_of(payer)
    await till.world.services.merchant.set_open(await till.world.seat(till.shop), False)
    page = await charge(till, code)
    assert 'data-refused="shop_closed"' in page
    assert await till.world.balance(payer.wallet.account_id) == 100_00


async def test_a_cashier_sees_their_own_shift_only(
    till: Till, enter: Enter, visitor: Visitor
) -> None:
    member = await till.world.person(name="小满")
    await till.world.hire(till.owner.wallet, member, Role.CASHIER)
    cashier = await sign_in(await visitor(), till.world, member)
    payer = await enter(balance=100_00)
    await charge(till, await code_of(payer), "7")
    await cashier.see("/cashier")
    await cashier.tap("/orders", {"amount": "23", "pay_code": await code_of(payer)})
    own = (await cashier.see("/cashier")).text
    assert "23.00" in own.replace('<span class="amount__fen">', "").replace("</span>", "")
    order = await till.order()
    assert (await cashier.see(f"/orders/{order.order_id}")).status_code == 404
