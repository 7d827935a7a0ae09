"""A posting becomes a work: what can be known of it without the books is found out here."""

from hashlib import sha256
from pathlib import Path

from backend import keys
from backend.chain import NO_VERDICT, content_of, verdict_bytes
from backend.clock import Clock, to_ms
from backend.errors import DomainError
from backend.ledger import Post, VerdictExpired, VerdictInvalid, VerdictRequired
from backend.ledger.batch import FOREVER_MS, Work
from backend.ledger.rules import side
from backend.posting import Op
from backend.verdict import SignedVerdict, fault_of_hash

MOVE, VOID = Op.MOVE, Op.VOID  # looked up once: enum members are slow to reach


class VerdictKeys:
    """The security system's public keys, read again when an unknown key id arrives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = keys.published(path)

    def fault(self, signed: SignedVerdict, content_hash: bytes, now_ms: int) -> str:
        if signed.key_id not in self._keys:
            self._keys = keys.published(self._path)
        return fault_of_hash(signed, content_hash, self._keys, now_ms)


def work_of(post: Post, verdict_keys: VerdictKeys, clock: Clock) -> Work:
    """Of a well-formed posting."""
    posting, signed = post.posting, post.verdict
    work = Work()
    work.posting = posting
    work.content = content_of(posting)
    work.content_hash = sha256(work.content).digest()
    work.hold_ops = ()
    work.expiry = work.spent = False
    work.tries = 0
    work.futures = []
    customers = _sides(work)
    if signed is None:
        work.verdict = work.verdict_id = None
        work.verdict_hash, work.valid_until_ms = NO_VERDICT, FOREVER_MS
        work.fault = VerdictRequired if customers else None
    else:
        work.verdict = verdict_bytes(signed)
        work.verdict_id = signed.verdict.verdict_id
        work.verdict_hash = sha256(work.verdict).digest()
        work.valid_until_ms = signed.verdict.expires_at_ms
        now_ms = to_ms(clock.now())
        work.fault = _refusal(verdict_keys.fault(signed, work.content_hash, now_ms))
    return work


def _sides(work: Work) -> bool:
    """Note the accounts' keys and the hold operations; whether customers' money is touched.

    The same answer as `posting.needs_verdict`, from what is kept per account id.
    """
    customers, sides, hold_ops = False, [], []
    for transfer in work.posting.transfers:
        debit, credit = side(transfer.debit), side(transfer.credit)
        assert debit is not None, "the posting is well-formed"
        assert credit is not None, "the posting is well-formed"
        sides.append(debit.key)
        sides.append(credit.key)
        if transfer.op is not MOVE:
            hold_ops.append(transfer)
        if (debit.customer or credit.customer) and transfer.op is not VOID:
            customers = True
    work.keys = tuple(sides)
    if hold_ops:
        work.hold_ops = tuple(hold_ops)
    return customers


def _refusal(why: str) -> type[DomainError] | None:
    if not why:
        return None
    return VerdictExpired if why == "expired" else VerdictInvalid
