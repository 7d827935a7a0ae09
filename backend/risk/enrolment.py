"""Proving a phone number: a code that the security system itself sends, counts and forgets."""

import asyncio
import secrets
from datetime import datetime, timedelta
from hashlib import scrypt

import msgspec

from backend.db import SEC
from backend.errors import IdReused
from backend.risk import (
    CheckCode,
    CodeExpired,
    CodeSpent,
    CodeWrong,
    EnrolmentStarted,
    PhoneProven,
    ResendTooSoon,
    SmsUnavailable,
    StartEnrolment,
    TooManyCodes,
)
from backend.risk.parts import Parts

CODE_LIFE = timedelta(minutes=10)
RESEND_AFTER = timedelta(seconds=60)
MAX_TRIES = 5
PROOF_LIFE = timedelta(minutes=15)  # from the right code to the finished registration

# (window, codes): sent to one number, and asked for from one network address, which many may share
PER_NUMBER = ((timedelta(hours=1), 5), (timedelta(days=1), 10))
PER_ADDRESS = ((timedelta(hours=1), 50), (timedelta(days=1), 200))

# A million codes are soon tried against a fast hash. 16 MB and about 40 ms each.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1

TEXTS = {
    "zh-CN": "【易支付】验证码 {code}，10 分钟内有效。请勿告诉任何人，我们的员工也不会向您索取。",
    "en": "[YiPay] Your code is {code}, valid for 10 minutes. Tell nobody; our staff never ask.",
}


class Enrolment(msgspec.Struct, frozen=True):
    phone: str
    messages: int
    resend_at: datetime
    expires_at: datetime


async def start(parts: Parts, asked: StartEnrolment) -> EnrolmentStarted:
    """Whether the number has a wallet is not even looked at: nobody learns it here."""
    code = f"{secrets.randbelow(10**6):06d}"
    salt = secrets.token_bytes(16)
    code_hash = await _hash(code, salt)
    now = parts.clock.now()
    async with SEC.transaction():
        await _lock(asked)
        known = await _stored(asked.enrolment_id)
        if known is not None and known.phone != asked.phone:
            raise IdReused()
        if known is not None and now < known.resend_at:
            return EnrolmentStarted(known.resend_at, known.expires_at)  # the same call again
        await _count(asked, now)
        enrolment = await _store(asked, salt, code_hash, now)
    text = TEXTS.get(asked.language, TEXTS["en"]).format(code=code)
    try:
        await parts.sms.send(f"{asked.enrolment_id}:{enrolment.messages}", asked.phone, text)
    except SmsUnavailable:
        await SEC.query(  # no code, no pause: the same call may be made again at once
            "update risk.enrolment set resend_at = $2 where enrolment_id = $1",
            asked.enrolment_id,
            now,
        )
        raise
    return EnrolmentStarted(enrolment.resend_at, enrolment.expires_at)


async def check(parts: Parts, asked: CheckCode) -> PhoneProven:
    """A try is counted before it is looked at, so that tries at the same time count too."""
    now = parts.clock.now()
    rows = await SEC.query(
        "update risk.enrolment set tries = tries + 1 "
        "where enrolment_id = $1 and expires_at > $2 and tries < $3 and used_at is null "
        "returning phone, tries, code_salt, code_hash",
        asked.enrolment_id,
        now,
        MAX_TRIES,
    )
    if not rows:
        raise await _why_closed(asked.enrolment_id, now)
    [row] = rows
    given = await _hash(asked.code, row["code_salt"])
    if not secrets.compare_digest(given, row["code_hash"]):
        left = MAX_TRIES - int(row["tries"])
        raise CodeWrong(tries_left=left) if left else CodeSpent()
    await SEC.query(
        "update risk.enrolment set tries = greatest(tries - 1, 0), "
        "proven_at = coalesce(proven_at, $2) where enrolment_id = $1",
        asked.enrolment_id,
        now,
    )
    wallets = await SEC.query("select 1 from risk.person where phone = $1", row["phone"])
    return PhoneProven(row["phone"], bool(wallets))


async def proven_phone(enrolment_id: str, now: datetime) -> str | None:
    """The number, if its code was given lately and it was not used for a wallet yet."""
    rows = await SEC.query(
        "select phone from risk.enrolment "
        "where enrolment_id = $1 and proven_at > $2 and used_at is null",
        enrolment_id,
        now - PROOF_LIFE,
    )
    return str(rows[0]["phone"]) if rows else None


async def _hash(code: str, salt: bytes) -> bytes:
    def slow() -> bytes:
        return scrypt(code.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32)

    return await asyncio.to_thread(slow)


async def _lock(asked: StartEnrolment) -> None:
    """One at a time per number, then per address: what is counted must not grow meanwhile."""
    for space, key in ((1, asked.phone), (2, asked.address)):
        await SEC.query("select pg_advisory_xact_lock($1, hashtext($2))", space, key)


async def _stored(enrolment_id: str) -> Enrolment | None:
    return await SEC.one(
        Enrolment,
        "select phone, messages, resend_at, expires_at from risk.enrolment where enrolment_id = $1",
        enrolment_id,
    )


async def _count(asked: StartEnrolment, now: datetime) -> None:
    """Refuses: ResendTooSoon, TooManyCodes."""
    for column, value, limits in (
        ("phone", asked.phone, PER_NUMBER),
        ("address", asked.address, PER_ADDRESS),
    ):
        rows = await SEC.query(
            f"select requested_at from risk.code_request where {column} = $1 "  # noqa: S608 — ours
            "and requested_at > $2 order by requested_at desc",
            value,
            now - limits[-1][0],
        )
        times: list[datetime] = [row["requested_at"] for row in rows]
        if column == "phone":
            await _check_pause(asked.phone, now)
        for window, most in limits:
            if len(times) >= most and times[most - 1] > now - window:
                wait = times[most - 1] + window - now
                raise TooManyCodes(minutes=-(-wait // timedelta(minutes=1)))
    await SEC.query(
        "insert into risk.code_request (phone, address, requested_at) values ($1, $2, $3)",
        asked.phone,
        asked.address,
        now,
    )


async def _check_pause(phone: str, now: datetime) -> None:
    """A minute between messages, whichever enrolment asked for the last one."""
    rows = await SEC.query(
        "select max(resend_at) as at from risk.enrolment where phone = $1",
        phone,
    )
    at: datetime | None = rows[0]["at"]
    if at is not None and at > now:
        raise ResendTooSoon(seconds=-(-(at - now) // timedelta(seconds=1)))


async def _store(asked: StartEnrolment, salt: bytes, code_hash: bytes, now: datetime) -> Enrolment:
    """A new code ends the one before, and brings new tries."""
    stored = await SEC.one(
        Enrolment,
        "insert into risk.enrolment as e (enrolment_id, phone, code_salt, code_hash, tries, "
        "messages, resend_at, expires_at) values ($1, $2, $3, $4, 0, 1, $5, $6) "
        "on conflict (enrolment_id) do update set code_salt = $3, code_hash = $4, tries = 0, "
        "messages = e.messages + 1, resend_at = $5, expires_at = $6, "
        "proven_at = null "
        "returning phone, messages, resend_at, expires_at",
        asked.enrolment_id,
        asked.phone,
        salt,
        code_hash,
        now + RESEND_AFTER,
        now + CODE_LIFE,
    )
    assert stored is not None, "an upsert returns its row"
    return stored


async def _why_closed(enrolment_id: str, now: datetime) -> Exception:
    rows = await SEC.query(
        "select 1 from risk.enrolment where enrolment_id = $1 and expires_at > $2 "
        "and tries >= $3 and used_at is null",
        enrolment_id,
        now,
        MAX_TRIES,
    )
    return CodeSpent() if rows else CodeExpired()
