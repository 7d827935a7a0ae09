"""Sales to refund, and the ways to ask for it."""

import secrets
from datetime import timedelta
from typing import Any

import msgspec

from backend import ids
from backend.clock import to_ms
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.risk import (
    Authorize,
    AuthorizeRefund,
    Ceremony,
    IssueCodes,
    Prepare,
    PrepareRefund,
    RedeemCode,
)
from backend.shop_roles import Role
from backend.verdict import SignedVerdict
from tests.risk.people import Person, World, altered, found_shop, hire, with_fee

BIG = 600_00  # takes a passkey


class Sale(msgspec.Struct):
    """A payment that was allowed, and the shop's owner."""

    owner: Person
    payer: Person
    shop_id: str
    paid: Intent


async def sell(world: World, amount_fen: int = 100_00, fee_fen: int = 0) -> Sale:
    owner, payer = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    paid = world.intent(payer, amount_fen, shop_id)
    paid = with_fee(paid, fee_fen) if fee_fen else paid
    await (world.free if amount_fen <= 500_00 else world.pay)(payer, paid)
    return Sale(owner, payer, shop_id, paid)


async def charge(
    world: World, fee_fen: int = 0, by: Role | None = None, at: Sale | None = None
) -> tuple[Sale, Person]:
    """As `sell`, but the payer's code was read, by the owner or by somebody new. at: the shop of an
    earlier sale."""
    owner, payer = at.owner if at else await world.person(), await world.person()
    shop_id = at.shop_id if at else await found_shop(world, owner)
    reader = await hire(world, shop_id, owner, by) if by else owner
    wanted = altered(world.intent(payer, 100_00, shop_id), code="shown")
    wanted = with_fee(wanted, fee_fen) if fee_fen else wanted
    [shown] = await world.risk.issue_codes(IssueCodes(payer.person_id, payer.secret))
    await world.risk.redeem_code(
        RedeemCode(
            wanted.intent_id,
            shown.code,
            shop_id,
            "trm_1",
            100_00,
            reader.person_id,
            reader.secret,
        )
    )
    await world.risk.prepare(Prepare(wanted, ""))
    await world.risk.authorize(Authorize(wanted.intent_id))
    return Sale(owner, payer, shop_id, wanted), reader


def refund_of(
    world: World, sale: Sale, amount_fen: int, fee_fen: int = 0, by: Person | None = None
) -> PrepareRefund:
    intent_id, actor = ids.new("rfd"), by or sale.owner
    shop = f"shop:{sale.shop_id}"
    back = Transfer(shop, f"person:{sale.payer.person_id}", amount_fen)
    fee = (Transfer("fee:income", shop, fee_fen),) if fee_fen else ()
    intent = Intent(
        intent_id=intent_id,
        kind="refund",
        payer_id=sale.shop_id,
        payee_id=sale.payer.person_id,
        payee_name="小明",
        amount_fen=amount_fen,
        fee_fen=fee_fen,
        source=shop,
        code="none",
        posting=Posting(intent_id, "refund", (*fee, back)),
        expires_at_ms=to_ms(world.clock.now() + timedelta(minutes=15)),
        nonce=secrets.token_bytes(32),
    )
    return PrepareRefund(intent, sale.paid.intent_id, actor.person_id, actor.secret)


def reversal_of(world: World, sale: Sale, by: Person, fee_fen: int = 0) -> PrepareRefund:
    asked = refund_of(world, sale, sale.paid.amount_fen, fee_fen, by)
    return msgspec.structs.replace(asked, reversal=True)


def answer(asked: PrepareRefund, key: Any = None, ceremony: Ceremony | None = None) -> Any:
    response = key.sign(ceremony.options_json) if ceremony else b""
    ceremony_id = ceremony.ceremony_id if ceremony else ""
    return AuthorizeRefund(
        asked.intent.intent_id, asked.actor_id, asked.device_secret, ceremony_id, response
    )


async def give_back(world: World, asked: PrepareRefund) -> SignedVerdict:
    """Without a passkey."""
    await world.risk.prepare_refund(asked)
    return await world.risk.authorize_refund(answer(asked))
