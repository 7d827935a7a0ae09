"""Withdrawals in the books: the auditor takes the real ones and their way back, and no other."""

import asyncio
import time
from pathlib import Path

import asyncpg
import msgspec
import pytest

from backend import ids, keys
from backend.clock import FixedClock, SystemClock
from backend.db import SEC
from backend.intent import Intent
from backend.keys import FileSigner
from backend.ledger import InsufficientFunds, NewAccount, Post
from backend.posting import Posting, Transfer
from backend.risk import PostingNotSeen
from backend.risk.auditor.full import verify
from backend.risk.service import DemoService, build
from backend.settings import Settings
from tests.risk.auditor.conftest import ANN, BANK, Town, Watch
from tests.risk.auditor.test_forgery import expect, forge
from tests.risk.drawing import TAKEN_FEN, brought_back, draw, withdrawal
from tests.risk.people import Outbox, Person, World

PAYOUT, FEES = "bank:payout", "fee:income"


@pytest.fixture
async def world(town: Town, databases: Settings, bank_keys: None) -> World:
    """The security system itself, which signs with the key that the ledger trusts."""
    outbox, clock = Outbox(), FixedClock(SystemClock().now())
    service = build(msgspec.structs.replace(databases, demo=True), SystemClock(), outbox)
    assert isinstance(service, DemoService)
    await town.ledger.open_accounts((NewAccount(FEES, None), NewAccount(PAYOUT)))
    return World(service, clock, outbox)


async def with_money(world: World, town: Town, amount_fen: int = TAKEN_FEN) -> Person:
    person = await world.person()
    account = f"person:{person.person_id}"
    await town.ledger.open_accounts((NewAccount(account),))
    await town.pay(BANK, account, amount_fen)
    return person


async def gone(world: World, town: Town, person: Person, fee: int = 0) -> Intent:
    """Out of the wallet, as it should be."""
    out = withdrawal(world, person, fee=fee)
    await town.ledger.post(Post(out.posting, await draw(world, person, out)))
    return out


async def test_out_to_the_bank_and_back_is_lawful(world: World, town: Town, watch: Watch) -> None:
    person = await with_money(world, town, 2 * TAKEN_FEN)
    paid = await gone(world, town, person, fee=10)
    sent = Transfer(PAYOUT, BANK, TAKEN_FEN - 10)
    await town.ledger.post(Post(Posting(f"sent:{paid.intent_id}", "payout_sent", (sent,))))
    out = await gone(world, town, person, fee=10)
    back = brought_back(world, out)
    signed = await world.risk.authorize_withdrawal_return(back)
    await town.ledger.post(Post(back.intent.posting, signed))
    await watch.caught_up()
    await watch.looked_around()
    assert await watch.alarms() == []
    report = await verify({town.signer.key_id: town.signer.public_key})
    assert not report.findings


async def test_leave_for_the_bank_is_given_once_it_was_seen_to_go(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """Only of the very posting that was allowed: a company's own one under the same id is none."""
    person = await with_money(world, town, 2 * TAKEN_FEN)
    out, hidden = withdrawal(world, person, fee=10), withdrawal(world, person)
    signed = await draw(world, person, out)
    await draw(world, person, hidden)
    own = Transfer(BANK, PAYOUT, TAKEN_FEN)
    await town.ledger.post(Post(Posting(hidden.intent_id, "payout_sent", (own,))))
    await watch.caught_up()
    for each in (out, hidden):
        with pytest.raises(PostingNotSeen):
            await world.risk.payout_leave(each.intent_id, each.payee_id)
    await town.ledger.post(Post(out.posting, signed))
    await watch.caught_up()
    leave = await world.risk.payout_leave(out.intent_id, out.payee_id)
    assert leave.statement.amount_fen == TAKEN_FEN - 10
    with pytest.raises(PostingNotSeen):
        await world.risk.payout_leave(hidden.intent_id, hidden.payee_id)


async def test_one_without_a_verdict(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """The same withdrawal once more, under another id."""
    person = await with_money(world, town, 2 * TAKEN_FEN)
    out = await gone(world, town, person)
    await watch.caught_up()
    since = time.monotonic()
    again = msgspec.structs.replace(out.posting, posting_id=ids.new("wdr"))
    await forge(root, again, None)
    await expect(watch, since, "verdict_missing", {out.source, PAYOUT})


async def test_more_than_was_agreed(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """With the verdict of the smaller one."""
    person = await with_money(world, town)
    small = withdrawal(world, person, 1_00)
    signed = await draw(world, person, small)
    await watch.caught_up()
    since = time.monotonic()
    more = msgspec.structs.replace(
        small.posting, transfers=(Transfer(small.source, PAYOUT, TAKEN_FEN),)
    )
    await forge(root, more, signed)
    await expect(watch, since, "verdict_invalid", {small.source, PAYOUT})


async def test_into_another_pocket(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """With a real verdict, but to a thief instead of the bank."""
    person = await with_money(world, town)
    out = withdrawal(world, person)
    signed = await draw(world, person, out)
    await watch.caught_up()
    since = time.monotonic()
    stolen = msgspec.structs.replace(out.posting, transfers=(Transfer(out.source, ANN, TAKEN_FEN),))
    await forge(root, stolen, signed)
    await expect(watch, since, "verdict_invalid", {out.source, ANN})


async def test_the_same_verdict_twice(world: World, town: Town, root: asyncpg.Connection) -> None:
    """Not even a superuser gets that past the table's own constraint."""
    person = await with_money(world, town, 2 * TAKEN_FEN)
    out = withdrawal(world, person)
    signed = await draw(world, person, out)
    await town.ledger.post(Post(out.posting, signed))
    again = msgspec.structs.replace(out.posting, posting_id=ids.new("wdr"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await forge(root, again, signed)


async def test_a_verdict_that_nobody_gave(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection, databases: Settings
) -> None:
    """Signed by somebody else's key, which was published where the ledger looks."""
    person = await with_money(world, town)
    out = withdrawal(world, person)
    stranger = FileSigner(Path(databases.keys_dir), "stranger")
    keys.publish(Path(databases.verdict_keys), stranger)
    [signed] = await Town(town.ledger, stranger).verdicts([out.posting])
    await watch.caught_up()
    since = time.monotonic()
    await forge(root, out.posting, signed)
    await expect(watch, since, "verdict_invalid", {out.source, PAYOUT})


async def test_a_return_that_the_bank_never_made(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """Out to the card, and the money in the wallet all the same."""
    person = await with_money(world, town)
    out = await gone(world, town, person)
    await watch.caught_up()
    since = time.monotonic()
    await forge(root, brought_back(world, out).intent.posting, None)
    await expect(watch, since, "verdict_missing", {out.source, PAYOUT})


async def test_asked_back_and_posted_all_the_same(world: World, town: Town, watch: Watch) -> None:
    person = await with_money(world, town)
    out = withdrawal(world, person)
    signed = await draw(world, person, out)
    await watch.caught_up()
    await world.risk.release(out.intent_id)
    since = time.monotonic()
    await town.ledger.post(Post(out.posting, signed))
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "posted_after_release"
    assert await watch.frozen() == {out.source}
    assert (await world.used(person))["withdraw_instant"] == TAKEN_FEN


async def test_a_released_one_counts_until_the_books_bear_it_out(
    world: World, town: Town, watch: Watch
) -> None:
    person = await with_money(world, town)
    out = withdrawal(world, person)
    signed = await draw(world, person, out)
    await town.pay(out.source, ANN, TAKEN_FEN)  # spent meanwhile
    await watch.caught_up()
    before = (await world.used(person))["tier_year"]
    await world.risk.release(out.intent_id)
    assert (await world.used(person))["withdraw_instant"] == TAKEN_FEN
    with pytest.raises(InsufficientFunds):
        await town.ledger.post(Post(out.posting, signed))
    deadline = time.monotonic() + 5
    while (await world.used(person))["withdraw_instant"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (await world.used(person))["tier_year"] == before
    rows = await SEC.query("select 1 from risk.known_payee where payee_id = $1", out.payee_id)
    assert rows == []  # as if it had never been
    assert await watch.alarms() == []
