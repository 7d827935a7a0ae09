"""Holds: reserved, then captured, voided or expired."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from backend.clock import FixedClock, to_ms
from backend.errors import IdReused
from backend.ids import new
from backend.ledger import (
    AccountFrozen,
    HoldEnded,
    HoldExceeded,
    InsufficientFunds,
    Ledger,
    MalformedPosting,
    NewAccount,
    Post,
    UnknownHold,
)
from backend.ledger.deadlines import expiry_id
from backend.ledger.service import running
from backend.posting import Op, Posting, Transfer
from backend.settings import Settings
from tests.ledger.conftest import BANK, Person, balance, move
from tests.ledger.signing import Authority


def soon(ms: int = 60_000) -> int:
    return int(time.time() * 1000) + ms


def hold(debit: str, credit: str, amount: int, hold_id: str, deadline_ms: int = 0) -> Posting:
    transfer = Transfer(debit, credit, amount, Op.HOLD, hold_id, deadline_ms or soon())
    return Posting(new("pay"), "hold", (transfer,))


def end(op: Op, debit: str, credit: str, amount: int, hold_id: str) -> Posting:
    return Posting(new("pay"), "end", (Transfer(debit, credit, amount, op, hold_id),))


async def test_a_hold_reserves_and_a_capture_of_part_releases_the_rest(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100), await person()
    await ledger.post(authority.post(hold(payer, payee, 80, "h1")))
    assert await balance(ledger, payer) == (100, 80)
    with pytest.raises(InsufficientFunds):
        await ledger.post(authority.post(move(payer, payee, 21)))
    await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 50, "h1")))
    assert await balance(ledger, payer) == (50, 0)
    assert await balance(ledger, payee) == (50, 0)
    with pytest.raises(HoldEnded):
        await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 30, "h1")))


async def test_a_void_gives_all_back_and_needs_no_verdict(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100), await person()
    await ledger.post(authority.post(hold(payer, payee, 80, "h1")))
    with pytest.raises(HoldExceeded):
        await ledger.post(Post(end(Op.VOID, payer, payee, 79, "h1")))
    await ledger.set_frozen((payer,), True)
    with pytest.raises(AccountFrozen):
        await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 80, "h1")))
    with pytest.raises(AccountFrozen):
        await ledger.post(authority.post(hold(payer, payee, 1, "h2")))
    await ledger.post(Post(end(Op.VOID, payer, payee, 80, "h1")))
    assert await balance(ledger, payer) == (100, 0)


async def test_a_capture_names_its_hold_exactly(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee, other = await person(balance=100), await person(), await person()
    await ledger.post(authority.post(hold(payer, payee, 80, "h1")))
    with pytest.raises(UnknownHold):
        await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 1, "h2")))
    with pytest.raises(UnknownHold):
        await ledger.post(authority.post(end(Op.CAPTURE, payer, other, 1, "h1")))
    with pytest.raises(HoldExceeded):
        await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 81, "h1")))
    assert await balance(ledger, payer) == (100, 80)


async def test_a_holds_id_is_used_once(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100), await person()
    first = authority.post(hold(payer, payee, 10, "h1"))
    posted = await ledger.post(first)
    with pytest.raises(IdReused):
        await ledger.post(authority.post(hold(payer, payee, 10, "h1")))
    assert await ledger.post(first) == posted
    assert await balance(ledger, payer) == (100, 10)


async def test_a_hold_without_a_deadline_ahead_is_malformed(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100), await person()
    with pytest.raises(MalformedPosting):
        await ledger.post(authority.post(hold(payer, payee, 10, "h1", soon(-1))))
    twice = (
        Transfer(payer, payee, 1, Op.HOLD, "h2", soon()),
        Transfer(payer, payee, 1, Op.CAPTURE, "h2"),
    )
    with pytest.raises(MalformedPosting):
        await ledger.post(authority.post(Posting(new("pay"), "hold", twice)))


async def test_a_hold_past_its_deadline_ends_by_itself(
    databases: Settings, authority: Authority
) -> None:
    clock = FixedClock(datetime.now(UTC))  # noqa: TID251 — verdicts are signed for about now
    deadline_ms = to_ms(clock.now()) + 10_000
    payer, payee = "person:a", "person:b"
    async with running(databases, clock) as ledger:
        await ledger.open_accounts((NewAccount(BANK, None), NewAccount(payer), NewAccount(payee)))
        await ledger.post(authority.post(move(BANK, payer, 100)))
        await ledger.post(authority.post(hold(payer, payee, 80, "h1", deadline_ms)))
        assert await ledger.expire_due() == 0
        clock.move(timedelta(seconds=10))
        with pytest.raises(HoldEnded):
            await ledger.post(authority.post(end(Op.CAPTURE, payer, payee, 80, "h1")))
        await ledger.expire_due()
        assert await balance(ledger, payer) == (100, 0)
        outcome = await ledger.outcome(expiry_id("h1"))
        assert outcome is not None
        assert outcome.posted is not None
        assert await ledger.expire_due() == 0


async def test_nobody_else_posts_under_the_ledgers_own_ids(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer = await person(balance=100)
    with pytest.raises(MalformedPosting):
        await ledger.post(authority.post(move(payer, BANK, 1, expiry_id("h1"))))
