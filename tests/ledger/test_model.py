"""The ledger against a dict: whatever Hypothesis does, both say the same."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from backend.clock import FixedClock, to_ms
from backend.errors import DomainError, IdReused
from backend.ids import new
from backend.ledger import NewAccount, Post, Posted
from backend.ledger.service import LedgerService, running
from backend.posting import Op, Posting, Transfer
from backend.settings import Settings
from tests.ledger.conftest import BANK
from tests.ledger.signing import Authority
from tests.ledger.test_audit import prove

T = TypeVar("T")

PEOPLE = 4
HOLD_LIFE = timedelta(seconds=30)
AMOUNTS = st.integers(1, 120) | st.integers(60, 100)
SIDES = st.integers(0, PEOPLE)  # the last is the bank, which has no floor


class Model:
    """What should be in the books, in a few dicts."""

    def __init__(self, accounts: list[str]) -> None:
        self.posted = dict.fromkeys(accounts, 0)
        self.held = dict.fromkeys(accounts, 0)
        self.frozen: set[str] = set()
        self.holds: dict[str, tuple[Transfer, bool]] = {}  # and whether it stands
        self.answers: dict[str, str] = {}  # "" where posted

    def post(self, posting: Posting) -> str:
        """Apply it; the refusal's code, or ""."""
        if posting.posting_id not in self.answers:
            self.answers[posting.posting_id] = self._decide(posting)
        return self.answers[posting.posting_id]

    def _decide(self, posting: Posting) -> str:
        moving = [t for t in posting.transfers if t.op is not Op.VOID]
        if any(t.debit in self.frozen for t in moving):
            return "account_frozen"
        ends = [t for t in posting.transfers if t.op in (Op.CAPTURE, Op.VOID)]
        if any(not self.holds[t.hold_id][1] for t in ends):
            return "hold_ended"
        if any(_too_much(t, self.holds[t.hold_id][0].amount_fen) for t in ends):
            return "hold_exceeded"
        before = dict(self.posted), dict(self.held), dict(self.holds)
        for transfer in posting.transfers:
            self._apply(transfer)
            if transfer.debit != BANK and self.posted[transfer.debit] < self.held[transfer.debit]:
                self.posted, self.held, self.holds = before
                return "insufficient_funds"
        return ""

    def _apply(self, transfer: Transfer) -> None:
        if transfer.op is Op.HOLD:
            self.held[transfer.debit] += transfer.amount_fen
            self.holds[transfer.hold_id] = (transfer, True)
        elif transfer.op is not Op.MOVE:
            made, _ = self.holds[transfer.hold_id]
            self.held[transfer.debit] -= made.amount_fen
            self.holds[transfer.hold_id] = (made, False)
        if transfer.op in (Op.MOVE, Op.CAPTURE):
            self.posted[transfer.debit] -= transfer.amount_fen
            self.posted[transfer.credit] += transfer.amount_fen

    def expire(self, now_ms: int) -> None:
        for hold_id, (made, stands) in self.holds.items():
            if stands and made.deadline_ms <= now_ms:
                self.held[made.debit] -= made.amount_fen
                self.holds[hold_id] = (made, False)


def _too_much(transfer: Transfer, held: int) -> bool:
    if transfer.op is Op.VOID:
        return transfer.amount_fen != held
    return transfer.amount_fen > held


class Machine(RuleBasedStateMachine):
    postings = Bundle("postings")
    holds = Bundle("holds")

    def __init__(
        self,
        ledger: LedgerService,
        authority: Authority,
        clock: FixedClock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__()
        self._ledger, self._authority, self._clock, self._loop = ledger, authority, clock, loop
        self._accounts: list[str] = []

    def _run(self, task: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(timeout=20)

    @initialize()
    def open(self) -> None:
        people = [f"person:{new('usr')}" for _ in range(PEOPLE)]
        # The bank's account is shared by all runs: its balance is told apart by what it was.
        self._accounts = [*people, BANK]
        self._model = Model(self._accounts)
        self._run(self._ledger.open_accounts((NewAccount(BANK, None),)))
        self._run(self._ledger.open_accounts(tuple(NewAccount(p) for p in people)))
        [bank] = self._run(self._ledger.balances((BANK,)))
        self._bank_posted, self._bank_held = bank.posted_fen, bank.held_fen
        for account in people:  # with something to lose, the floors are met at once
            self._post(Posting(new("pay"), "fund", (Transfer(BANK, account, 100),)))

    def _post(self, posting: Posting) -> None:
        expected = self._model.post(posting)
        assert self._answer(self._authority.post(posting)) == expected

    def _answer(self, post: Post) -> str:
        try:
            assert isinstance(self._run(self._ledger.post(post)), Posted)
        except DomainError as refusal:
            return refusal.code
        return ""

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    @rule(target=postings, legs=st.lists(st.tuples(SIDES, SIDES, AMOUNTS), min_size=1, max_size=4))
    def move(self, legs: list[tuple[int, int, int]]) -> Any:
        transfers = tuple(
            Transfer(self._accounts[debit], self._accounts[credit], amount)
            for debit, credit, amount in legs
            if debit != credit
        )
        if not transfers:
            return multiple()
        posting = Posting(new("pay"), "pay", transfers)
        self._post(posting)
        return posting

    @rule(target=postings, to=st.integers(0, PEOPLE - 1), amount=AMOUNTS)
    def fund(self, to: int, amount: int) -> Posting:
        posting = Posting(new("pay"), "fund", (Transfer(BANK, self._accounts[to], amount),))
        self._post(posting)
        return posting

    @rule(target=holds, debit=st.integers(0, PEOPLE - 1), amount=AMOUNTS, life=st.integers(1, 60))
    def hold(self, debit: int, amount: int, life: int) -> Any:
        payer, payee = self._accounts[debit], self._accounts[debit - 1]
        deadline = self._now_ms() + life * 1000
        transfer = Transfer(payer, payee, amount, Op.HOLD, new("hld"), deadline)
        posting = Posting(new("pay"), "hold", (transfer,))
        self._post(posting)
        return transfer if not self._model.answers[posting.posting_id] else multiple()

    @rule(
        target=postings,
        made=holds,
        op=st.sampled_from((Op.CAPTURE, Op.VOID)),
        change=st.sampled_from((0, 0, -1, 1)),
        beside=st.booleans(),
    )
    def end_hold(self, made: Transfer, op: Op, change: int, beside: bool) -> Any:
        amount = made.amount_fen + change
        if amount <= 0:
            return multiple()
        transfers = [Transfer(made.debit, made.credit, amount, op, made.hold_id)]
        if beside:  # linked with a move of all that may be left
            transfers.append(Transfer(made.credit, made.debit, amount))
        posting = Posting(new("pay"), "end", tuple(transfers))
        self._post(posting)
        return posting

    @rule(posting=postings)
    def repeat(self, posting: Posting) -> None:
        self._post(posting)

    @rule(posting=consumes(postings), amount=st.integers(200, 300))
    def reuse_id(self, posting: Posting, amount: int) -> None:
        other = Posting(posting.posting_id, "other", (Transfer(BANK, self._accounts[0], amount),))
        assert self._answer(self._authority.post(other)) == IdReused.code

    @rule(who=st.integers(0, PEOPLE - 1), frozen=st.booleans())
    def freeze(self, who: int, frozen: bool) -> None:
        account = self._accounts[who]
        self._run(self._ledger.set_frozen((account,), frozen))
        (self._model.frozen.add if frozen else self._model.frozen.discard)(account)

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self._clock.move(timedelta(seconds=seconds))
        self._run(self._ledger.expire_due())
        self._model.expire(self._now_ms())

    @invariant()
    def same_books(self) -> None:
        if not self._accounts:
            return
        found = self._run(self._ledger.balances(tuple(self._accounts)))
        for balance in found:
            posted, held = balance.posted_fen, balance.held_fen
            if balance.account_id == BANK:
                posted, held = posted - self._bank_posted, held - self._bank_held
            account = balance.account_id
            assert (posted, held) == (self._model.posted[account], self._model.held[account])
            assert balance.frozen is (account in self._model.frozen)


async def test_the_ledger_does_what_the_model_does(databases: Settings) -> None:
    clock = FixedClock(datetime.now(UTC))  # noqa: TID251 — a start for the clock
    authority = Authority(databases, clock)
    loop = asyncio.get_running_loop()
    async with running(databases, clock) as ledger:
        await asyncio.to_thread(
            run_state_machine_as_test,
            cast(Any, lambda: Machine(ledger, authority, clock, loop)),
            settings=hypothesis_settings(
                max_examples=15,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    proof = await prove(databases)
    assert proof.clean, proof.faults[:5]
    assert proof.postings > 0
