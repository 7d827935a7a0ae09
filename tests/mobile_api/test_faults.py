"""Whatever breaks on the way, a phone that asks again with the same Idempotency-Key hears the
truth, and the money has moved once: each kind of money × each fault."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import msgspec
import pytest

from backend import ids
from backend.db import LEDGER
from backend.identity import REFRESH_RETRY
from backend.merchant import Shop
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import keeper_of, paid, yuan
from tests.phone import AnswerLost, Phone
from tests.world import World

BIG_FEN = 800_00  # takes a passkey
TRIES = 8
PATIENCE_S = 0.3  # of a phone whose network is slow

Ask = Callable[[], Awaitable[httpx.Response]]


class Cast(msgspec.Struct):
    world: World
    payer: Phone
    payee: Phone
    keeper: Phone
    shop: Shop


@pytest.fixture
async def cast(phones: Phones, world: World) -> Cast:
    keeper, payee = await keeper_of(phones), await phones("小博")
    payer = await phones("安娜", balance=20_000_00)
    friends = world.services.friends
    await friends.ask(ids.new("frq"), payer.person_id, await friends.link(payee.person_id), "")
    await friends.accept(payee.person_id, payer.person_id)
    [seat] = (await keeper.done(keeper.get("/v1/seats")))["data"]
    return Cast(world, payer, payee, keeper, await world.services.merchant.shop(seat["id"]))


# What moves money: each makes ready without a fault, and gives the call that is asked again.


async def pays(on: Cast) -> Ask:
    order = await on.keeper.done(on.keeper.post("/v1/till/orders", yuan(23_00)))
    return _post(on.payer, "/v1/payments", {"order": order["id"]} | yuan(23_00))


async def pays_with_the_passkey(on: Cast) -> Ask:
    order = await on.keeper.done(on.keeper.post("/v1/till/orders", yuan(BIG_FEN)))
    body = {"order": order["id"]} | yuan(BIG_FEN)
    asked = await on.payer.done(on.payer.post("/v1/payments", body))
    signed = on.payer.signed(asked["requirement"]["ceremony"])
    return _post(on.payer, f"/v1/payments/{asked['id']}/confirm", signed)


async def sends(on: Cast) -> Ask:
    return _post(on.payer, "/v1/transfers", {"payee": on.payee.person_id} | yuan(8_00))


async def gives_a_packet(on: Cast) -> Ask:
    return _post(on.payer, "/v1/red-packets", {"kind": "equal"} | yuan(10_00))


async def opens_a_packet(on: Cast) -> Ask:
    sent = on.payer.post("/v1/red-packets", {"kind": "equal"} | yuan(10_00))
    packet = (await on.payer.consent(await sent)).json()
    return _post(on.payee, f"/v1/red-packets/{packet['id']}/open", {})


async def charges(on: Cast) -> Ask:
    code = (await on.payer.done(on.payer.post("/v1/payment-codes")))["code"]
    return _post(on.keeper, "/v1/till/charges", {"pay_code": code} | yuan(23_00))


async def refunds(on: Cast) -> Ask:
    order = await paid(on.keeper, on.payer)
    where = f"/v1/shop/orders/{order['id']}/refunds"
    return _post(on.keeper, where, {"reason": "少一份"} | yuan(10_00))


async def recalls(on: Cast) -> Ask:
    body = {"payee": on.payee.person_id, "delay_hours": 24} | yuan(8_00)
    sent = (await on.payer.consent(await on.payer.post("/v1/transfers", body))).json()
    return _post(on.payer, f"/v1/transfers/{sent['id']}/recall", None)


async def scans_a_static_code(on: Cast) -> Ask:
    [terminal] = (await on.keeper.done(on.keeper.get("/v1/shop/terminals")))["data"]
    where = f"/v1/static-codes/{terminal['code']}/orders"
    order = await on.payer.done(on.payer.post(where, yuan(5_00)))
    return _post(on.payer, "/v1/payments", {"order": order["id"]} | yuan(5_00))


ACTS = (
    pays,
    pays_with_the_passkey,
    sends,
    recalls,
    gives_a_packet,
    opens_a_packet,
    scans_a_static_code,
    charges,
    refunds,
)


@contextmanager
def answer_lost(on: Cast) -> Iterator[None]:
    for phone in (on.payer, on.payee, on.keeper):
        phone.lose = 1
    yield
    for phone in (on.payer, on.payee, on.keeper):
        phone.lose = 0


@contextmanager
def security_down(on: Cast) -> Iterator[None]:
    on.world.risk.down = True
    yield
    on.world.risk.heal()


@contextmanager
def security_slow(on: Cast) -> Iterator[None]:
    """Slower than the phone's patience: the request is cut off wherever it stands."""
    on.world.risk.slow_s = PATIENCE_S / 2
    yield
    on.world.risk.heal()


@contextmanager
def verdict_lost(on: Cast) -> Iterator[None]:
    on.world.risk.lost |= {"authorize", "authorize_refund", "authorize_shares", "redeem_code"}
    yield
    on.world.risk.heal()


@contextmanager
def ledger_down(on: Cast) -> Iterator[None]:
    on.world.ledger.down = True
    yield
    on.world.ledger.heal()


@contextmanager
def ledger_answer_lost(on: Cast) -> Iterator[None]:
    on.world.ledger.lost.add("post")
    yield
    on.world.ledger.heal()


@contextmanager
def dies_before_the_books(on: Cast) -> Iterator[None]:
    on.world.ledger.crash_before.add("post")
    yield
    on.world.ledger.heal()


@contextmanager
def dies_after_the_books(on: Cast) -> Iterator[None]:
    on.world.ledger.crash_after.add("post")
    yield
    on.world.ledger.heal()


FAULTS = (
    answer_lost,
    security_down,
    security_slow,
    verdict_lost,
    ledger_down,
    ledger_answer_lost,
    dies_before_the_books,
    dies_after_the_books,
)


@pytest.mark.parametrize("fault", FAULTS)
async def test_asked_again_it_is_done_once(cast: Cast, fault: object) -> None:
    assert callable(fault)
    for act in ACTS:
        await _swept(cast)  # yesterday's packets go back
        ask = await act(cast)
        before = await _postings()
        with fault(cast):
            await _tried(ask)
        answer = await _until_done(cast, ask)
        assert answer.is_success, f"{act.__name__}: {answer.status_code} {answer.text}"
        await _swept(cast)
        assert await _postings() - before == 1, f"{act.__name__} moved money not once"
        again = await ask()
        assert again.content == answer.content, f"{act.__name__} tells two stories"
        assert again.headers["Idempotent-Replayed"] == "true"
        cast.world.later(days=1)  # yesterday's limits are no limits today
    [books] = await LEDGER.query("select coalesce(sum(posted_fen), 0) as sum from ledger.account")
    assert books["sum"] == 0


async def test_a_fault_is_told_with_what_the_money_did(cast: Cast) -> None:
    """Down: nothing moves and reading goes on. Lost: nobody knows yet, and it says so."""
    ask = await pays(cast)
    with security_down(cast):
        told = is_problem(await ask(), 503, "risk_unavailable")
        assert (told["retryable"], told["money_moved"]) == (True, "no")
        assert (await cast.payer.get("/v1/balance")).status_code == 200
        assert (await cast.payer.get("/v1/bills")).status_code == 200
    with ledger_answer_lost(cast):
        told = is_problem(await ask(), 503, "payment_pending")
        assert (told["retryable"], told["money_moved"]) == (True, "unknown")
    assert (await ask()).json()["status"] == "posted"


async def test_a_refresh_whose_answer_was_lost(phone: Phone, world: World) -> None:
    old = phone.refresh_token
    phone.lose = 1
    with pytest.raises(AnswerLost):
        await phone.refresh()
    assert phone.refresh_token == old
    world.clock.move(REFRESH_RETRY)
    await phone.refresh()  # the same token by the same key, just in time
    await phone.done(phone.get("/v1/me"))
    first = phone.refresh_token
    phone.lose = 1
    with pytest.raises(AnswerLost):
        await phone.refresh()
    assert phone.refresh_token == first
    world.clock.move(REFRESH_RETRY + timedelta(seconds=1))
    is_problem(await phone.try_refresh(), 401, "refresh_reused")
    is_problem(await phone.get("/v1/me"), 401, "signed_out")
    await phone.sign_in()  # whoever holds key and passkey comes back
    await phone.done(phone.get("/v1/me"))


@pytest.mark.parametrize("seconds", [-30, 30])
async def test_money_moves_by_a_clock_that_is_a_little_wrong(cast: Cast, seconds: int) -> None:
    cast.payer.skew = timedelta(seconds=seconds)
    assert (await (await pays(cast))()).json()["status"] == "posted"
    signed = await pays_with_the_passkey(cast)
    assert (await signed()).json()["status"] == "posted"


@pytest.mark.parametrize("seconds", [-61, 61])
async def test_no_money_moves_by_a_clock_that_is_wrong(cast: Cast, seconds: int) -> None:
    ask = await pays(cast)
    await cast.payer.refresh()
    cast.payer.skew = timedelta(seconds=seconds)
    answer = await ask()
    told = is_problem(answer, 401, "proof_refused")
    assert told["money_moved"] == "no"
    assert 'error="invalid_dpop_proof"' in answer.headers["WWW-Authenticate"]
    assert await cast.world.balance(f"shop:{cast.shop.shop_id}") == 0
    cast.payer.skew = timedelta()
    assert (await ask()).json()["status"] == "posted"


async def test_a_payment_that_is_played_again(cast: Cast, api: httpx.AsyncClient) -> None:
    """By somebody who saw all of it on the wire: word by word, with another key, too late."""
    payer = cast.payer
    ask = await pays(cast)
    sent = (await ask()).request
    for key in (sent.headers["Idempotency-Key"], str(uuid.uuid4())):
        headers = dict(sent.headers) | {"idempotency-key": key}
        again = await api.post(str(sent.url), content=sent.content, headers=headers)
        is_problem(again, 401, "proof_replayed")
    cast.world.later(seconds=61)
    late = await api.post(str(sent.url), content=sent.content, headers=dict(sent.headers))
    is_problem(late, 401, "proof_refused")
    assert await cast.world.balance(wallet_of(payer).account_id) == 20_000_00 - 23_00


def _post(phone: Phone, path: str, body: object) -> Ask:
    """The same write every time."""
    key = str(uuid.uuid4())

    async def ask() -> httpx.Response:
        return await phone.post(path, body, key)

    return ask


async def _tried(ask: Ask) -> None:
    """As far as it gets: the answer may be a refusal, or none at all."""
    with suppress(AnswerLost, TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await ask()


async def _until_done(on: Cast, ask: Ask) -> httpx.Response:
    """As an app does: again while it is told to."""
    answer = await ask()
    for _ in range(TRIES):
        if answer.is_success or not answer.json()["retryable"]:
            break
        on.world.later(seconds=10)
        answer = await ask()
    return answer


async def _swept(on: Cast) -> None:
    """What was promised and not posted yet is driven on within a minute."""
    on.world.later(seconds=60)
    await on.world.services.payments.sweep()
    await on.world.services.redpackets.sweep()


async def _postings() -> int:
    [row] = await LEDGER.query("select count(*) as n from ledger.posting")
    return int(row["n"])
