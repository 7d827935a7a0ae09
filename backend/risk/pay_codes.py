"""Payment codes: what a payer shows at a till. Known here by a keyed hash alone."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from backend import ids
from backend.db import SEC
from backend.errors import BadRequest, IdReused
from backend.money import MAX_AMOUNT_FEN
from backend.risk import (
    AHEAD_LIFE,
    CODE_GRACE,
    CODE_LIFE,
    MAX_AHEAD,
    DeviceUnknown,
    IssueCodes,
    PayCode,
    PayCodeInvalid,
    PayeeFrozen,
    PayerFrozen,
    RedeemCode,
    Redeemed,
    ShownCode,
    TooManyCodesAhead,
    code_guesses,
    registry,
    shops,
)
from backend.risk.holders import Use, spend
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.shop_roles import Permission

PREFIX, RANDOM_DIGITS = "88", 16

MAX_SHOWN = 3  # live codes of one device: the newest, and what a till may be reading just now

# Also revokes what is too many, in the same statement.
_INSERT = """
with old as (
    update risk.pay_code set revoked_at = $4 where not $6 and code_hash in (
        select code_hash from risk.pay_code where device_id = $3 and not ahead
            and used_at is null and revoked_at is null
        order by issued_at desc, code_hash offset greatest(0, $7 - cardinality($1::bytea[]))))
insert into risk.pay_code (code_hash, person_id, device_id, issued_at, expires_at, ahead)
select u.code_hash, $2, $3, $4, $5, $6 from unnest($1::bytea[]) as u (code_hash)
"""
# One statement: of two tills that read the same code, the second finds it used. A code dies with
# its device and stops with its person's money, and all this looks like a code that never was.
_BURN = """
update risk.pay_code c set used_at = $2, payment_id = $3, shop_id = $4, terminal_id = $5,
    amount_fen = $6, charged_by = $8
from risk.device d join risk.person p using (person_id)
where c.code_hash = $1 and c.used_at is null and c.revoked_at is null and c.expires_at > $7
    and d.device_id = c.device_id and d.removed_at is null
    and (p.frozen_at is null or p.thaws_at <= $2)
    and not exists (select 1 from risk.frozen_account f
        where f.account_id = 'person:' || c.person_id)
returning c.person_id as payer_id, c.ahead
"""


class _Burnt(msgspec.Struct, frozen=True):
    code_hash: bytes
    shop_id: str
    terminal_id: str
    amount_fen: int
    payer_id: str
    ahead: bool


async def issue(parts: Parts, asked: IssueCodes) -> tuple[ShownCode, ...]:
    now = parts.clock.now()
    expires_at = now + (AHEAD_LIFE if asked.ahead else CODE_LIFE)
    codes = [new_code() for _ in range(asked.count)]
    async with SEC.transaction():
        device_id = await _paying_device(parts, asked.person_id, asked.device_secret)
        if asked.replacing:
            await _replace(device_id, asked.ahead, now)
        if asked.ahead and await _ahead(device_id, now) + asked.count > MAX_AHEAD:
            raise TooManyCodesAhead(limit=MAX_AHEAD)
        await SEC.query(
            _INSERT,
            [hash_of(parts.code_key, code) for code in codes],
            asked.person_id,
            device_id,
            now,
            expires_at,
            asked.ahead,
            MAX_SHOWN,
        )
    return tuple(ShownCode(code, now, expires_at) for code in codes)


async def reveal(parts: Parts, person_id: str, device_secret: str, code: PayCode) -> None:
    now = parts.clock.now()
    device = await registry.live_device(parts, device_secret, Operation.REVEAL, person_id)
    rows = device and await SEC.query(
        "update risk.pay_code set revealed = true where code_hash = $1 and device_id = $2 "
        "and used_at is null and revoked_at is null and expires_at > $3 returning device_id",
        hash_of(parts.code_key, code),
        device.device_id,
        now - CODE_GRACE,
    )
    if not rows:
        raise PayCodeInvalid()


async def revoke(parts: Parts, person_id: str, device_secret: str) -> None:
    device = await registry.live_device(parts, device_secret, Operation.REVOKE, person_id)
    if device is None:
        raise DeviceUnknown()
    await revoke_all([device.device_id], parts.clock.now())


async def end(parts: Parts, person_id: str, device_id: str) -> None:
    await SEC.query(
        "update risk.pay_code set revoked_at = $3 where person_id = $1 "
        "and ($2 = '' or device_id = $2) and used_at is null and revoked_at is null",
        person_id,
        device_id,
        parts.clock.now(),
    )


async def revoke_all(device_ids: Sequence[str], now: datetime) -> None:
    await SEC.query(
        "update risk.pay_code set revoked_at = $2 where device_id = any($1) "
        "and used_at is null and revoked_at is null",
        device_ids,
        now,
    )


async def redeem(parts: Parts, asked: RedeemCode) -> Redeemed:
    """Burnt for good, whatever becomes of the payment."""
    if not 0 < asked.amount_fen <= MAX_AMOUNT_FEN:
        raise BadRequest()
    now, code_hash = parts.clock.now(), hash_of(parts.code_key, asked.code)
    # A code is read at a till by somebody who may charge there: the transaction system's word would
    # let it try codes for shops and people of its own making.
    if await shops.is_stopped(asked.shop_id, parts.clock.now()):
        raise PayeeFrozen()
    till = Use(asked.device_secret, Operation.REDEEM, asked.payment_id)
    await shops.actor(parts, asked.shop_id, asked.actor_id, till, Permission.CHARGE)
    guesser = code_guesses.Guesser(asked.terminal_id, asked.actor_id, asked.shop_id)
    try:
        async with SEC.transaction():
            await code_guesses.lock(guesser)
            await spend(parts, till)
            redeemed = await _again(asked, code_hash)
            if redeemed is None:
                await code_guesses.refuse_too_many(guesser, now)
                redeemed = await _burn(asked, code_hash, now)
            if redeemed is None:
                await code_guesses.record(guesser, now)
    except asyncpg.UniqueViolationError as error:  # another terminal was faster with this payment
        raise IdReused() from error
    if redeemed is None:
        raise PayCodeInvalid()
    return redeemed


def new_code() -> str:
    return f"{PREFIX}{secrets.randbelow(10**RANDOM_DIGITS):0{RANDOM_DIGITS}d}"


def hash_of(key: bytes, code: str) -> bytes:
    """Keyed: 10^16 codes could be tried against a stolen table of plain hashes."""
    return hmac.digest(key, code.encode(), "sha256")


async def _paying_device(parts: Parts, person_id: str, device_secret: str) -> str:
    """Locked, so that calls at once don't pass the number of codes ahead together.

    Refuses: DeviceUnknown, PayerFrozen.
    """
    found = await registry.live_device(parts, device_secret, Operation.ISSUE, person_id)
    if found is None:
        raise DeviceUnknown()
    await spend(parts, Use(device_secret, Operation.ISSUE, ids.new("use")))  # a proof issues once
    if await registry.is_stopped(person_id, parts.clock.now()):
        raise PayerFrozen()
    await SEC.query(
        "select 1 from risk.device where device_id = $1 for no key update",
        found.device_id,
    )
    return found.device_id


async def _replace(device_id: str, ahead: bool, now: datetime) -> None:
    await SEC.query(
        "update risk.pay_code set revoked_at = $3 where device_id = $1 and ahead = $2 "
        "and used_at is null and revoked_at is null",
        device_id,
        ahead,
        now,
    )


async def _ahead(device_id: str, now: datetime) -> int:
    rows = await SEC.query(
        "select count(*) as n from risk.pay_code where device_id = $1 and ahead "
        "and used_at is null and revoked_at is null and expires_at > $2",
        device_id,
        now,
    )
    return int(rows[0]["n"])


async def _again(asked: RedeemCode, code_hash: bytes) -> Redeemed | None:
    """The first answer, for the same call. Refuses: IdReused."""
    burnt = await SEC.one(
        _Burnt,
        "select code_hash, shop_id, terminal_id, amount_fen, person_id as payer_id, ahead "
        "from risk.pay_code where payment_id = $1",
        asked.payment_id,
    )
    if burnt is None:
        return None
    before = (burnt.code_hash, burnt.shop_id, burnt.terminal_id, burnt.amount_fen)
    if before != (code_hash, asked.shop_id, asked.terminal_id, asked.amount_fen):
        raise IdReused()
    return Redeemed(burnt.payer_id, burnt.ahead)


async def _burn(asked: RedeemCode, code_hash: bytes, now: datetime) -> Redeemed | None:
    return await SEC.one(
        Redeemed,
        _BURN,
        code_hash,
        now,
        asked.payment_id,
        asked.shop_id,
        asked.terminal_id,
        asked.amount_fen,
        now - CODE_GRACE,
        asked.actor_id,
    )
