"""Of two refusals that apply together, the one that stands first in PRECEDENCE is the answer."""

import itertools
import time

import msgspec
import pytest

from backend.errors import DomainError, IdReused
from backend.ids import new
from backend.ledger import (
    PRECEDENCE,
    AccountFrozen,
    CurrencyMismatch,
    HoldEnded,
    HoldExceeded,
    InsufficientFunds,
    Ledger,
    MalformedPosting,
    NewAccount,
    Post,
    UnknownAccount,
    UnknownHold,
    VerdictExpired,
    VerdictInvalid,
    VerdictRequired,
    VerdictUsed,
)
from backend.posting import Op, Posting, Transfer
from backend.settings import Settings
from tests.ledger.conftest import BANK, Person, move
from tests.ledger.signing import Authority
from tests.ledger.test_holds import end, hold

ORDER: tuple[type[DomainError], ...] = (IdReused, *PRECEDENCE)

NEVER_TOGETHER = {
    frozenset((VerdictRequired, other)) for other in (VerdictInvalid, VerdictExpired, VerdictUsed)
}


class Faulty(msgspec.Struct):
    """A posting in the making, with what is wrong with it."""

    payer: str
    payee: str
    posting_id: str
    transfers: list[Transfer]
    verdict: bool = True
    stranger: bool = False
    verdict_id: str = ""
    life_ms: int = 60_000


def add(case: Faulty, fault: type[DomainError]) -> None:
    """Make the case so that this refusal applies."""
    pay, to = case.payer, case.payee
    transfers = {
        MalformedPosting: Transfer(pay, pay, 1),
        UnknownAccount: Transfer(pay, "person:nobody", 1),
        CurrencyMismatch: Transfer(pay, "person:dollars", 1),
        AccountFrozen: Transfer("person:frozen", pay, 1),
        UnknownHold: Transfer(pay, to, 1, Op.CAPTURE, "none"),
        HoldEnded: Transfer(pay, to, 1, Op.CAPTURE, "ended"),
        HoldExceeded: Transfer(pay, to, 2, Op.CAPTURE, "small"),
        InsufficientFunds: Transfer(pay, to, 1_000_000),
    }
    if fault in transfers:
        case.transfers.append(transfers[fault])
    elif fault is IdReused:
        case.posting_id = "taken"
    elif fault is VerdictRequired:
        case.verdict = False
    elif fault is VerdictInvalid:
        case.stranger = True
    elif fault is VerdictExpired:
        case.life_ms = 0
    elif fault is VerdictUsed:
        case.verdict_id = "spent"


async def answer(ledger: Ledger, case: Faulty, authority: Authority, stranger: Authority) -> object:
    posting = Posting(case.posting_id, "pay", tuple(case.transfers))
    signer = stranger if case.stranger else authority
    verdict = signer.allow(posting, verdict_id=case.verdict_id, life_ms=case.life_ms)
    try:
        return await ledger.post(Post(posting, verdict if case.verdict else None))
    except DomainError as refusal:
        return type(refusal)


@pytest.fixture
async def payer_payee(ledger: Ledger, person: Person, authority: Authority) -> tuple[str, str]:
    """Everything that the faults need to be there."""
    payer, payee = await person(balance=100), await person()
    await ledger.open_accounts(
        (NewAccount("person:dollars", 0, "USD"), NewAccount("person:frozen"))
    )
    await ledger.set_frozen(("person:frozen",), True)
    for hold_id in ("ended", "small"):
        await ledger.post(authority.post(hold(payer, payee, 1, hold_id)))
    await ledger.post(authority.post(end(Op.VOID, payer, payee, 1, "ended")))
    taken = move(BANK, payer, 1, "taken")
    await ledger.post(Post(taken, authority.allow(taken, verdict_id="spent")))
    return payer, payee


async def test_the_first_that_applies_is_the_answer(
    ledger: Ledger, payer_payee: tuple[str, str], authority: Authority, settings: Settings
) -> None:
    stranger = Authority(settings, published=False)
    seen = 0
    for faults in [*itertools.combinations(ORDER, 1), *itertools.combinations(ORDER, 2)]:
        if frozenset(faults) in NEVER_TOGETHER:
            continue
        for order in itertools.permutations(faults):
            case = Faulty(*payer_payee, new("pay"), [Transfer(*payer_payee, 1)])
            for fault in order:
                add(case, fault)
            found = await answer(ledger, case, authority, stranger)
            assert found is faults[0], f"{[f.code for f in order]} gave {found}"
            seen += 1
    assert seen == 13 + 2 * (78 - 3)
    clean = Faulty(*payer_payee, new("pay"), [Transfer(*payer_payee, 1)])
    assert not isinstance(await answer(ledger, clean, authority, stranger), type)


async def test_refusals_are_kept_but_for_malformed_and_reused(
    ledger: Ledger, payer_payee: tuple[str, str], authority: Authority, settings: Settings
) -> None:
    stranger = Authority(settings, published=False)
    for fault in ORDER:
        case = Faulty(*payer_payee, new("pay"), [Transfer(*payer_payee, 1)])
        add(case, fault)
        assert await answer(ledger, case, authority, stranger) is fault
        outcome = await ledger.outcome(case.posting_id)
        if fault is MalformedPosting:
            assert outcome is None
        elif fault is not IdReused:
            assert outcome is not None
            assert outcome.refusal_code == fault.code
            assert await answer(ledger, case, authority, stranger) is fault


@pytest.mark.parametrize("decision", ["deny", "hold"])
async def test_only_allow_is_leave_to_post(
    ledger: Ledger, payer_payee: tuple[str, str], authority: Authority, decision: str
) -> None:
    posting = move(*payer_payee, 1)
    with pytest.raises(VerdictInvalid):
        await ledger.post(Post(posting, authority.allow(posting, decision=decision)))


async def test_a_verdict_is_for_one_posting(
    ledger: Ledger, payer_payee: tuple[str, str], authority: Authority
) -> None:
    verdict = authority.allow(move(*payer_payee, 1))
    with pytest.raises(VerdictInvalid):
        await ledger.post(Post(move(*payer_payee, 1), verdict))


async def test_a_new_key_is_found_when_it_first_signs(
    ledger: Ledger, payer_payee: tuple[str, str], settings: Settings
) -> None:
    rolled = Authority(msgspec.structs.replace(settings, keys_dir=f"{settings.keys_dir}-2"))
    posting = move(*payer_payee, 1)
    began = int(time.time() * 1000)
    posted = await ledger.post(Post(posting, rolled.allow(posting)))
    assert posted.posted_at.timestamp() * 1000 >= began - 1
