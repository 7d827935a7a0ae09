"""Faults between a tap and its answer, in both languages: networks that lose what was done, and a
security system that is slow, silent or gone. It is told what is known; asked again, it is the
truth; the money has moved once or not at all."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import httpx
import msgspec
import pytest

from backend import risk, rpc
from backend.risk import IssueCodes
from backend.rpc import client as rpc_client
from tests.web.browser import NAVIGATION
from tests.web.pages.conftest import Enter, Guest, Till
from tests.web.pages.paying import (
    LANGUAGES,
    UNSURE,
    WAYS,
    Said,
    Scene,
    Way,
    books,
    dynamic,
    look,
    main_of,
    make_scene,
    personal,
    personal_amount,
    postings,
    press,
    refused,
    speak,
    tells,
)
from tests.world import Line, World

PENDING = Said(
    503,
    ("付款结果还在确认。", "请不要重复付款；一分钟内账单会显示结果。"),
    ("It isn't known yet whether the payment went through.", "Don't pay again; your bills show"),
)
AWAY = Said(
    503,
    ("安全系统暂时没有回应，所以没有付款。", "请稍后再试。"),
    ("The security system doesn't answer, so nothing was paid.", "Try again in a moment."),
)
AWAY_AT_THE_TILL = Said(
    503,
    ("安全系统暂时没有回应，所以没有收款。", "请稍后用新的付款码再试。"),
    ("The security system doesn't answer, so nothing was charged.", "with a new payment code."),
)
PAID_ALREADY = Said(
    409,
    ("这笔订单已经付过了。", "不需要再付"),
    ("This order is paid already.", "You need not pay"),
)
TOO_SLOW = Said(
    200,
    ("系统响应太慢，所以没有收款。", "请用新的付款码重新收款。"),
    ("We were too slow, so nothing was charged.", "Charge again with a new payment code."),
)
NOBODY_WAS_ASKED = ("顾客没有及时确认", "The customer did not confirm")
ONCE = {"zh-CN": "没有重复扣款。", "en": "Nothing was taken a second time."}
NEVER_CAME = {
    "zh-CN": "上一笔收款没有送达，没有发生扣款，请重新收款。",
    "en": "The last charge never reached us. Nothing has moved: charge again.",
}
BEFORE, PRICE = 2_000_00, 23_00

Hook: TypeAlias = Callable[[httpx.Request], Awaitable[None]]


@pytest.fixture
async def scene(enter: Enter, till: Till) -> Scene:
    return await make_scene(enter, till, BEFORE)


def done(way: Way, language: str) -> str:
    transfer = way in (personal, personal_amount)
    words = {"zh-CN": ("付款成功", "转账成功"), "en": ("Paid", "Transferred")}
    return words[language][transfer]


async def balance(guest: Guest) -> int:
    return await guest.world.balance(guest.wallet.account_id)


# The consumer's network


@pytest.mark.parametrize("way", WAYS)
async def test_lost_after_the_debit(scene: Scene, way: Way) -> None:
    """The answer never arrives. The button again, the sheet again, the bills: all tell the same."""
    path, start = await way(scene, PRICE), await postings()
    tap = press(scene.payer)
    await tap()  # and nobody sees this
    assert await postings() == start + 1
    for language in LANGUAGES:
        await speak(scene.payer, language)
        again = await tap()
        assert again.status_code == 200
        assert again.url.path.startswith("/payments/pay_")
        assert done(way, language) in main_of(again)
        tells(await scene.payer.see(path), PAID_ALREADY, language, way.__name__, ONCE)
        bill = again.url.path.replace("/payments/", "/bills/")
        assert f'href="{bill}"' in scene.payer.browser.page.text
        assert "23" in main_of(await scene.payer.see(bill))
    assert await postings() == start + 1
    assert await balance(scene.payer) == BEFORE - PRICE


async def test_lost_after_a_confirmation_by_passkey(scene: Scene) -> None:
    await dynamic(scene, 800_00)
    start, payer = await postings(), scene.payer
    action = _confirmation(payer)
    sent = await _sent(payer, action)
    for language in LANGUAGES:
        await speak(payer, language)
        again = await payer.browser.client.post(action, data=sent, headers=NAVIGATION)
        assert again.status_code == 303
        assert done(dynamic, language) in main_of(await payer.see(again.headers["location"]))
    assert await postings() == start + 1
    assert await balance(payer) == BEFORE - 800_00


def _confirmation(payer: Guest) -> str:
    """Where the sheet's button leads."""
    actions = (part.split('"')[0] for part in payer.browser.page.text.split('action="')[1:])
    return next(action for action in actions if action.startswith("/payments/pay_"))


async def _sent(payer: Guest, action: str, *hooks: Hook) -> dict[str, str]:
    """Confirm with the passkey; what the form said then."""
    sent: list[dict[str, str]] = []

    async def keep(request: httpx.Request) -> None:
        if request.url.path == action:
            sent.append(dict(httpx.QueryParams(request.content.decode())))

    payer.browser.client.event_hooks["request"] = [keep, *hooks]
    await payer.browser.ceremony(action, payer.wallet.passkey)
    payer.browser.client.event_hooks["request"] = []
    return sent[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", WAYS)
async def test_the_books_answer_is_lost(scene: Scene, way: Way, language: str) -> None:
    """Nobody knows yet: so it is told, and the bills know within a minute."""
    await speak(scene.payer, language)
    path, start = await way(scene, PRICE), await postings()
    tap, world = press(scene.payer), scene.till.world
    world.ledger.lost = {"post", "outcome"}
    first = await tap()
    tells(first, PENDING, language, "first", UNSURE)
    assert 'href="/bills"' in first.text
    world.ledger.heal()
    assert await postings() == start + 1
    again = await tap()
    assert done(way, language) in main_of(again)
    tells(await scene.payer.see(path), PAID_ALREADY, language, "looked", ONCE)
    assert await postings() == start + 1
    assert await balance(scene.payer) == BEFORE - PRICE


# The till's network


async def shown_code(payer: Guest) -> str:
    wallet = payer.wallet
    [shown] = await payer.world.services.risk.issue_codes(
        IssueCodes(wallet.person_id, wallet.device_secret)
    )
    return shown.code


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("amount", "state", "moves"), [("23", "paid", 1), ("600", "user_paying", 0)]
)
async def test_a_till_asks_again_with_the_same_order_number(
    scene: Scene, language: str, amount: str, state: str, moves: int
) -> None:
    owner = scene.till.owner
    await speak(owner, language)
    fields = {"amount": amount, "pay_code": await shown_code(scene.payer)}
    await owner.see("/cashier")
    form, start = owner.browser.page, await postings()
    order_id = owner.browser.form("/orders").fields["order_id"]
    await owner.tap("/orders", fields)  # and the till sees nothing of it
    for kind in (owner.tap, owner.tap_htmx):
        owner.browser.page = form
        assert f'data-state="{state}"' in (await kind("/orders", fields)).text
    reloaded = await owner.see(f"/cashier?lost={order_id}")
    assert reloaded.url.path == f"/orders/{order_id}"
    assert f'data-state="{state}"' in reloaded.text
    words = {
        "paid": {"zh-CN": "收款到账", "en": "Received"},
        "user_paying": {"zh-CN": "顾客确认中", "en": "The customer is confirming"},
    }
    assert words[state][language] in main_of(reloaded)
    assert await postings() == start + moves
    assert await balance(scene.payer) == BEFORE - PRICE * moves


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_till_that_shows_a_code_asks_again(scene: Scene, language: str) -> None:
    owner, before = scene.till.owner, await books()
    await speak(owner, language)
    await owner.see("/cashier")
    form = owner.browser.page
    shown = set()
    for _ in range(2):
        owner.browser.page = form
        shown.add((await owner.tap("/orders", {"amount": "23"})).url.path)
    assert len(shown) == 1  # one order, not two
    assert await books() == before


async def test_a_charge_that_never_arrived(scene: Scene) -> None:
    owner, before = scene.till.owner, await books()
    await owner.see("/cashier")
    order_id = owner.browser.form("/orders").fields["order_id"]
    for language in LANGUAGES:
        await speak(owner, language)
        page = await owner.see(f"/cashier?lost={order_id}")
        assert NEVER_CAME[language] in page.text
        assert owner.browser.form("/orders").fields["order_id"] != order_id
    assert await books() == before


# The security system, behind a real line


class Far(msgspec.Struct):
    """The real system at the other end of a socket; `line`: faults over there."""

    line: Line
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]


@pytest.fixture
async def far(world: World) -> AsyncIterator[Far]:
    settings, line = world.settings, Line(world.risk.end)
    running: list[Callable[[], Awaitable[None]]] = []

    async def start() -> None:
        running.append(await rpc.serve(risk.Risk, line, settings.risk_rpc, settings))

    async def stop() -> None:
        await running.pop()()

    await start()
    remote, client = rpc.connect(risk.Risk, settings.risk_rpc, settings)
    world.risk.lead_to(remote)
    yield Far(line, start, stop)
    world.risk.lead_to(line.end)
    await client.close()
    while running:
        await stop()


@pytest.mark.parametrize("way", WAYS)
async def test_slow_within_its_deadline(far: Far, scene: Scene, way: Way) -> None:
    """Nobody notices but by waiting."""
    far.line.slow_s = 0.1
    start = await postings()
    await way(scene, PRICE)
    assert done(way, "en") in main_of(await press(scene.payer)())
    assert await postings() == start + 1


async def test_slow_within_its_deadline_at_the_till(far: Far, scene: Scene) -> None:
    code, owner = await shown_code(scene.payer), scene.till.owner
    far.line.slow_s = 0.1
    await owner.see("/cashier")
    assert (
        'data-state="paid"' in (await owner.tap("/orders", {"amount": "23", "pay_code": code})).text
    )
    assert await balance(scene.payer) == BEFORE - PRICE


@pytest.mark.parametrize("fault", ["silent", "gone"])
async def test_no_answer_at_the_sheet(
    far: Far, scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Whether it was carried out over there or not: without a verdict nothing moves. Healed, the
    very same button pays, once."""
    for way in WAYS:
        path = await way(scene, PRICE)
        tap = press(scene.payer)
        heal = await _fail(far, fault, monkeypatch)
        for ask in (look(scene.payer, path), tap):
            await refused(scene.payer, ask, AWAY, f"{way.__name__} {fault}")
            assert "retry-after" in scene.payer.browser.page.headers
        await heal()
        start = await postings()
        await speak(scene.payer, "en")
        assert done(way, "en") in main_of(await tap())
        assert done(way, "en") in main_of(await tap())
        assert await postings() == start + 1
    assert await balance(scene.payer) == BEFORE - PRICE * len(WAYS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fault", ["silent", "gone"])
async def test_no_answer_to_a_confirmation_by_passkey(
    far: Far, scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: str, language: str
) -> None:
    """The passkey's word may have arrived over there or not. Sent again, it is the truth."""
    payer = scene.payer
    await speak(payer, language)
    await dynamic(scene, 800_00)
    before, action = await books(), _confirmation(payer)
    healing: list[Callable[[], Awaitable[None]]] = []

    async def fail(request: httpx.Request) -> None:
        if request.url.path == action and not healing:
            healing.append(await _fail(far, fault, monkeypatch))

    sent = await _sent(payer, action, fail)
    tells(payer.browser.page, AWAY, language, fault)
    assert await books() == before
    await healing[0]()
    again = await payer.browser.client.post(
        action, data=sent, headers=NAVIGATION, follow_redirects=True
    )
    assert done(dynamic, language) in main_of(again)
    assert await postings() == before[0] + 1
    assert await balance(payer) == BEFORE - 800_00


@pytest.mark.parametrize("fault", ["silent", "gone"])
async def test_no_answer_at_the_till(
    far: Far, scene: Scene, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The till hears that nothing was charged; the order of that try has ended within a minute, and
    the next one, with a new code, is paid."""
    owner, world, before = scene.till.owner, scene.till.world, await books()
    orders = []
    for language in LANGUAGES:
        await speak(owner, language)
        code = await shown_code(scene.payer)
        await owner.see("/cashier")
        orders.append(owner.browser.form("/orders").fields["order_id"])
        heal = await _fail(far, fault, monkeypatch)
        answer = await owner.tap("/orders", {"amount": "23", "pay_code": code})
        await heal()
        tells(answer, AWAY_AT_THE_TILL, language, fault)
        assert 'data-refused="risk_unavailable"' in answer.text
        assert owner.browser.form("/orders").fields["order_id"] != orders[-1]
    world.later(seconds=60)
    await world.services.payments.sweep()
    for order_id in orders:
        for language in LANGUAGES:
            await speak(owner, language)
            page = await owner.see(f"/orders/{order_id}")
            assert 'data-state="failed"' in page.text, main_of(page)
            tells(page, TOO_SLOW, language, fault)
            assert not any(words in page.text for words in NOBODY_WAS_ASKED)
    assert await books() == before
    fields = {"amount": "23", "pay_code": await shown_code(scene.payer)}
    await owner.see("/cashier")
    assert 'data-state="paid"' in (await owner.tap("/orders", fields)).text
    assert await balance(scene.payer) == BEFORE - PRICE


async def _fail(
    far: Far, fault: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Awaitable[None]]:
    """What heals it again. Silent: it answers after everybody has given up."""
    if fault == "gone":
        await far.stop()
        return far.start
    monkeypatch.setattr(rpc_client, "CALL_TIMEOUT_S", 0.2)
    far.line.slow_s = 0.5

    async def heal() -> None:
        monkeypatch.undo()
        far.line.heal()

    return heal
