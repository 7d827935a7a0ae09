"""Postings through the face, in both forms."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend.errors import BadRequest, IdReused, NotFound
from backend.ids import new
from backend.ledger import (
    AccountFrozen,
    InsufficientFunds,
    Ledger,
    MalformedPosting,
    NewAccount,
    Outcome,
    Post,
    UnknownAccount,
)
from backend.posting import Posting, Transfer
from tests.ledger.conftest import BANK, Person, balance, company, move
from tests.ledger.signing import Authority


async def test_money_moves(ledger: Ledger, person: Person, authority: Authority) -> None:
    payer, payee = await person(balance=100_00), await person()
    posted = await ledger.post(authority.post(move(payer, payee, 30_00)))
    assert posted.journal_seq == 2
    assert await balance(ledger, payer) == (70_00, 0)
    assert await balance(ledger, payee) == (30_00, 0)


async def test_a_repeat_gets_the_first_answer(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100_00), await person()
    post = authority.post(move(payer, payee, 30_00))
    first, *others = await asyncio.gather(*(ledger.post(post) for _ in range(5)))
    assert all(other == first for other in others)
    assert await ledger.post(post) == first
    assert await ledger.outcome(post.posting.posting_id) == Outcome(first)
    assert await balance(ledger, payee) == (30_00, 0)


async def test_other_content_under_a_used_id_is_refused(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=100_00), await person()
    post = authority.post(move(payer, payee, 30_00))
    await ledger.post(post)
    other = move(payer, payee, 31_00, post.posting.posting_id)
    with pytest.raises(IdReused):
        await ledger.post(authority.post(other))
    malformed = move(payer, payer, 31_00, post.posting.posting_id)
    with pytest.raises(IdReused):
        await ledger.post(authority.post(malformed))


async def test_linked_transfers_all_post_or_none(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    a, b, c = await person(balance=10_00), await person(), await person()
    legs = (Transfer(a, b, 10_00), Transfer(b, c, 4_00))
    await ledger.post(authority.post(Posting(new("pay"), "pay", legs)))
    assert [await balance(ledger, x) for x in (a, b, c)] == [(0, 0), (6_00, 0), (4_00, 0)]
    too_much = (Transfer(b, c, 6_00), Transfer(b, a, 1))
    with pytest.raises(InsufficientFunds):
        await ledger.post(authority.post(Posting(new("pay"), "pay", too_much)))
    assert await balance(ledger, b) == (6_00, 0)


async def test_transfers_are_applied_in_their_order(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    """What comes in later doesn't cover what goes out earlier: the lowest point counts."""
    a, b = await person(balance=10_00), await person()
    legs = (Transfer(b, BANK, 5_00), Transfer(a, b, 10_00))
    with pytest.raises(InsufficientFunds):
        await ledger.post(authority.post(Posting(new("pay"), "pay", legs)))


async def test_a_refusal_is_final(ledger: Ledger, person: Person, authority: Authority) -> None:
    payer, payee = await person(balance=1_00), await person()
    post = authority.post(move(payer, payee, 2_00))
    with pytest.raises(InsufficientFunds):
        await ledger.post(post)
    await ledger.post(authority.post(move(BANK, payer, 50_00)))
    with pytest.raises(InsufficientFunds):
        await ledger.post(post)
    assert await ledger.outcome(post.posting.posting_id) == Outcome(None, "insufficient_funds")


async def test_an_unknown_id_has_no_outcome(ledger: Ledger) -> None:
    assert await ledger.outcome("never") is None


async def test_a_malformed_posting_is_not_kept(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer = await person(balance=10_00)
    wrong = move(payer, payer, 5_00)
    with pytest.raises(MalformedPosting):
        await ledger.post(authority.post(wrong))
    right = move(payer, BANK, 5_00, wrong.posting_id)
    await ledger.post(authority.post(right))


async def test_nothing_leaves_a_frozen_account_but_money_comes_in(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer, payee = await person(balance=10_00), await person()
    await ledger.set_frozen((payer, payee), True)
    with pytest.raises(AccountFrozen):
        await ledger.post(authority.post(move(payer, payee, 1_00)))
    await ledger.post(authority.post(move(BANK, payer, 5_00)))
    [frozen] = await ledger.balances((payer,))
    assert (frozen.frozen, frozen.posted_fen) == (True, 15_00)
    await ledger.set_frozen((payer,), False)
    await ledger.post(authority.post(move(payer, payee, 1_00)))
    with pytest.raises(NotFound):
        await ledger.set_frozen(("person:nobody",), True)


async def test_opening_again_is_harmless_unless_it_differs(ledger: Ledger) -> None:
    account = NewAccount("fee:income", None)
    await ledger.open_accounts((account, NewAccount("bank:transit")))
    await ledger.open_accounts((account,))
    with pytest.raises(IdReused):
        await ledger.open_accounts((NewAccount("fee:income", 0),))
    with pytest.raises(IdReused):
        await ledger.open_accounts((NewAccount("fee:income", None, "USD"),))
    with pytest.raises(BadRequest):
        await ledger.open_accounts((NewAccount("nonsense"),))


async def test_company_accounts_need_no_verdict(ledger: Ledger) -> None:
    await ledger.open_accounts((NewAccount("fee:income", None),))
    await ledger.post(company("fee:income", BANK, 5))
    with pytest.raises(UnknownAccount):
        await ledger.post(company("fee:other", BANK, 5))
    assert await balance(ledger, BANK) == (5, 0)


async def test_balances_come_in_the_order_asked(ledger: Ledger, person: Person) -> None:
    a, b = await person(balance=1), await person(balance=2)
    found = await ledger.balances((b, "person:nobody", a))
    assert [f.account_id for f in found] == [b, a]
    assert found[0].available_fen == 2
    assert found[0].entry_seq == 1


async def test_statement_pages(ledger: Ledger, person: Person, authority: Authority) -> None:
    payer, payee = await person(balance=100), await person()
    event_at = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
    for amount in range(1, 6):
        posting = Posting(
            new("pay"), "pay", (Transfer(payer, payee, amount),), int(event_at.timestamp() * 1000)
        )
        await ledger.post(authority.post(posting))
    page = await ledger.statement(payer, 0, 4)
    assert [e.entry_seq for e in page] == [6, 5, 4, 3]
    assert [e.amount_fen for e in page] == [-5, -4, -3, -2]
    assert [e.balance_fen for e in page] == [85, 90, 94, 97]
    assert {e.counterparty for e in page} == {payee}
    assert page[0].event_at == event_at
    assert page[0].posted_at > event_at
    rest = await ledger.statement(payer, 3, 100)
    assert [(e.entry_seq, e.amount_fen, e.counterparty) for e in rest] == [
        (2, -1, payee),
        (1, 100, BANK),
    ]
    with pytest.raises(BadRequest):
        await ledger.statement(payer, 0, 101)


async def test_balance_at_any_past_moment(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payee = await person()
    moments = []
    for amount in range(1, 40):
        posted = await ledger.post(authority.post(move(BANK, payee, amount)))
        moments.append((posted.posted_at, sum(range(1, amount + 1))))
        await asyncio.sleep(0.002)
    just_before = moments[0][0] - timedelta(milliseconds=1)
    assert await ledger.balance_at(payee, just_before) == 0
    for at, expected in moments:
        assert await ledger.balance_at(payee, at) == expected
    assert await ledger.balance_at(payee, moments[-1][0] + timedelta(days=1)) == moments[-1][1]
    assert await ledger.balance_at("person:nobody", moments[0][0]) == 0


async def test_the_balance_after_given_postings(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    shop, other = await person(), await person()
    after: dict[int, int] = {}
    for number in range(1, 61):
        payee = shop if number % 3 == 0 else other
        both = (Transfer(BANK, payee, 10 * number), Transfer(payee, BANK, number))
        posted = await ledger.post(authority.post(Posting(new("pay"), "pay", both)))
        if payee == shop:
            after[posted.journal_seq] = sum(9 * n for n in range(3, number + 1, 3))
    seqs = tuple(after)
    assert dict(await ledger.balances_after(shop, seqs)) == after
    assert dict(await ledger.balances_after(shop, (seqs[4],))) == {seqs[4]: after[seqs[4]]}
    ends = (seqs[-1], seqs[0])  # far apart: found one by one
    assert dict(await ledger.balances_after(shop, ends)) == {seq: after[seq] for seq in ends}
    assert await ledger.balances_after(shop, (seqs[0] - 1, seqs[-1] + 1000)) == ()
    assert await ledger.balances_after("shop:nobody", seqs) == ()
    assert await ledger.balances_after(shop, ()) == ()


async def test_the_head_names_the_last_posting(ledger: Ledger, person: Person) -> None:
    before = await ledger.head()
    assert before.journal_seq == 0
    await person(balance=1)
    after = await ledger.head()
    assert (after.batch_seq, after.journal_seq, len(after.chain_hash)) == (1, 1, 32)
    await ledger.ping()


async def test_a_posting_without_transfers_is_malformed(ledger: Ledger) -> None:
    with pytest.raises((MalformedPosting, BadRequest)):
        await ledger.post(Post(Posting("p1", "pay", ())))
