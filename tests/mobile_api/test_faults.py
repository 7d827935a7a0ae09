"""Whatever breaks on the way, a phone that asks again with the same Idempotency-Key hears the
truth, and the money has moved once: each kind of money × each fault."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import pytest

from backend.db import LEDGER
from backend.identity import REFRESH_RETRY
from tests.api_client import Operation, committed
from tests.mobile_api.acts import ACTS, Ask, Cast, cast, pays, pays_with_the_passkey
from tests.mobile_api.conftest import wallet_of
from tests.mobile_api.problem import is_problem
from tests.phone import AnswerLost, Phone
from tests.web.pages.conftest import bank_world
from tests.world import World

__all__ = ["bank_world", "cast"]

TRIES = 8
BANK_STEP_S = 15
PATIENCE_S = 0.3  # of a phone whose network is slow
# Nothing moves by a step alone that is named so: it opens a ceremony.
CEREMONY = "_ceremony"


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


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
    on.world.risk.lost |= {
        "authorize",
        "authorize_refund",
        "authorize_shares",
        "authorize_top_up",
        "authorize_withdrawal",
        "redeem_code",
    }
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


def test_every_write_that_moves_money_is_here() -> None:
    """By what the contract says that it may answer, or by its name."""
    operations = committed().operations
    assert ACTS.keys() <= operations.keys()
    moving = {name for name, each in operations.items() if _moves_money(each)}
    assert moving <= ACTS.keys(), moving - ACTS.keys()


@pytest.mark.parametrize("fault", FAULTS)
async def test_asked_again_it_is_done_once(cast: Cast, fault: object) -> None:
    assert callable(fault)
    for name, act in ACTS.items():
        await _swept(cast)  # yesterday's packets go back
        ask = await act.ready(cast)
        before = await _postings()
        with fault(cast):
            await _tried(ask)
        answer = await _until_done(cast, ask)
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
        await _swept(cast)
        moved = await _postings() - before
        assert moved == act.postings, f"{name}: {moved} postings"
        again = await ask()
        assert again.content == answer.content, f"{name} tells two stories"
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
    """What was promised and not posted yet is driven on within a minute; the bank takes steps."""
    for _ in range(60 // BANK_STEP_S):
        on.world.later(seconds=BANK_STEP_S)
        await on.world.services.banking.sweep()
    await on.world.services.payments.sweep()
    await on.world.services.redpackets.sweep()


async def _postings() -> int:
    [row] = await LEDGER.query("select count(*) as n from ledger.posting")
    return int(row["n"])


def _moves_money(operation: Operation) -> bool:
    if operation.method == "get" or operation.name.endswith(CEREMONY):
        return False
    told = {"ledger_unavailable", "payment_pending", "insufficient_funds"}
    return bool(codes(operation) & told) or operation.name in {"create_topup", "open_red_packet"}


def codes(operation: Operation) -> set[str]:
    """Of all the problems that it may answer."""
    contents = [each.get("content", {}) for each in operation.answers.values()]
    schemas = [content[kind]["schema"] for content in contents for kind in content]
    told = [part.get("properties", {}) for schema in schemas for part in schema.get("allOf", [])]
    return {code for each in told for code in each.get("code", {}).get("enum", [])}
