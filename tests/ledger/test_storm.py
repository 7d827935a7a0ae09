"""Many callers at once, repeating themselves and contradicting each other."""

import asyncio
import secrets

from backend.clock import SystemClock
from backend.errors import DomainError, IdReused
from backend.ids import new
from backend.ledger import InsufficientFunds, Ledger, NewAccount, Post, Posted
from backend.ledger.service import LedgerService, running
from backend.settings import Settings
from tests.ledger.conftest import BANK, Person, balance, company, move
from tests.ledger.signing import Authority
from tests.ledger.test_audit import prove

TASKS, EACH, PEOPLE = 64, 25, 6


async def test_a_storm_with_repeats_posts_each_id_once(
    ledger: Ledger, person: Person, authority: Authority, databases: Settings
) -> None:
    people = [await person(balance=5_00) for _ in range(PEOPLE)]
    posts = []
    for _ in range(TASKS * EACH // 4):
        debit, credit = secrets.choice(people), secrets.choice([*people, BANK])
        if debit != credit:
            posts.append(authority.post(move(debit, credit, 1 + secrets.randbelow(2_00))))
    answers: dict[str, set[Posted | str]] = {p.posting.posting_id: set() for p in posts}

    async def caller() -> None:
        for _ in range(EACH):
            post = secrets.choice(posts)
            try:
                answers[post.posting.posting_id].add(await ledger.post(post))
            except InsufficientFunds as refusal:
                answers[post.posting.posting_id].add(refusal.code)

    await asyncio.gather(*(caller() for _ in range(TASKS)))
    given = [answer for found in answers.values() for answer in found]
    assert all(len(found) <= 1 for found in answers.values()), "one id, two answers"
    seqs = [answer.journal_seq for answer in given if isinstance(answer, Posted)]
    assert sorted(seqs) == list(range(PEOPLE + 1, PEOPLE + 1 + len(seqs)))
    assert len(seqs) < len(given), "a storm that refuses nothing proves little"
    proof = await prove(databases)
    assert proof.clean
    assert proof.postings == PEOPLE + len(seqs)


async def test_contradictions_at_once_post_one_of_them(
    ledger: Ledger, person: Person, authority: Authority
) -> None:
    payer = await person(balance=100_00)
    posting_id = new("pay")
    posts = [authority.post(move(payer, BANK, n, posting_id)) for n in range(1, 11)]
    answers = await asyncio.gather(*(ledger.post(p) for p in posts), return_exceptions=True)
    posted = [a for a in answers if isinstance(a, Posted)]
    assert len(posted) == 1
    assert sum(isinstance(a, IdReused) for a in answers) == 9


async def test_a_cancelled_caller_takes_nobody_with_it(
    service: LedgerService, person: Person, authority: Authority
) -> None:
    payer = await person(balance=100_00)
    post = authority.post(move(payer, BANK, 1))
    first = asyncio.create_task(service.post(post))
    second = asyncio.create_task(service.post(post))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).posting_id == post.posting.posting_id
    assert await balance(service, payer) == (99_99, 0)


async def test_what_the_memory_forgot_the_books_know(
    databases: Settings, authority: Authority, service: LedgerService, person: Person
) -> None:
    """Repeats of old ids among new ones: the batch fails as a whole and is decided again."""
    payer = await person(balance=10_00)
    old = [authority.post(move(payer, BANK, 1)) for _ in range(20)]
    refused = authority.post(move(payer, BANK, 99_00))
    firsts = await asyncio.gather(*(service.post(p) for p in old))
    assert isinstance(await outcome_of(service, refused), InsufficientFunds)
    await service.stop()
    async with running(databases) as ledger:
        fresh = [authority.post(move(payer, BANK, 1)) for _ in range(20)]
        mixed = [post for pair in zip(old, fresh, strict=True) for post in pair]
        answers = await asyncio.gather(*(ledger.post(p) for p in mixed))
        assert answers[::2] == firsts
        assert isinstance(await outcome_of(ledger, refused), InsufficientFunds)
        assert await balance(ledger, payer) == (9_60, 0)
    assert (await prove(databases)).clean


async def outcome_of(ledger: Ledger, post: Post) -> Posted | DomainError:
    try:
        return await ledger.post(post)
    except DomainError as refusal:
        return refusal


async def test_freezing_beats_what_waits(
    service: LedgerService, person: Person, authority: Authority
) -> None:
    """After set_frozen returned, nothing more moves, though callers were in the midst of it."""
    payer = await person(balance=100_00)
    posts = [authority.post(move(payer, BANK, 1)) for _ in range(300)]
    waiting = [asyncio.create_task(outcome_of(service, post)) for post in posts]
    await asyncio.sleep(0.005)
    await service.set_frozen((payer,), True)
    frozen_at = await balance(service, payer)
    await asyncio.gather(*waiting)
    assert await balance(service, payer) == frozen_at


async def test_a_second_writer_waits_for_the_first(
    databases: Settings, service: LedgerService
) -> None:
    async def second() -> None:
        async with running(databases) as ledger:
            await ledger.post(company("bank:transit", BANK, 1))

    await service.open_accounts((NewAccount("bank:transit", None),))
    waiting = asyncio.create_task(second())
    done, _ = await asyncio.wait((waiting,), timeout=0.5)
    assert not done
    await service.post(company("bank:transit", BANK, 1))
    await service.stop()
    await asyncio.wait_for(waiting, 5)
    assert (await service.head()).journal_seq == 2


async def test_a_waiting_writer_can_be_told_to_stop(
    databases: Settings, service: LedgerService
) -> None:
    second = LedgerService(databases, SystemClock())
    waiting = asyncio.create_task(second.start())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await asyncio.wait_for(second.stop(), 10)
    await waiting
    await service.ping()
