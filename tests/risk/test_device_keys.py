"""Phones with a key of their own: what a proof opens, and everything that is no proof."""

import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from backend import ids
from backend.errors import DomainError, NotFound
from backend.proof import MAX_PROOF_CHARS
from backend.risk import (
    Approval,
    Assess,
    Authorize,
    ChangeMember,
    DeviceGrant,
    DeviceUnknown,
    FoundShop,
    GrantInvalid,
    InviteMember,
    IssueCodes,
    OpenerRefused,
    PayCodeInvalid,
    Prepare,
    RedeemCode,
)
from backend.risk.operations import Operation
from backend.shop_roles import Role
from tests.device_key import DeviceKey, b64
from tests.risk.drawing import draw, withdrawal
from tests.risk.people import SHOP, Person, World, altered, card_word, found_shop, hire
from tests.risk.phones import PAYMENTS, Handset, call_of, handset
from tests.risk.pots import delayed, ended, fill, judged, sent, shares
from tests.risk.refunding import answer, give_back, refund_of, sell


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_phone_pays_with_its_key(world: World, algorithm: str) -> None:
    phone = await handset(world, algorithm)
    person = phone.person()
    signed = await world.free(person, world.intent(person))
    assert signed.verdict.level == "C"
    signed = await world.pay(phone.person(), world.intent(person, 600_00))
    assert signed.verdict.level == "A"
    [device] = await world.risk.devices(person.person_id)
    assert (device.key, device.passkey, device.device_id) == (True, True, person.device_id)
    [browser] = await world.risk.devices((await world.person()).person_id)
    assert not browser.key


async def test_a_synced_passkey_stays_level_b(world: World) -> None:
    phone = await handset(world, synced=True)
    signed = await world.pay(phone.person(), world.intent(phone.owner, 600_00))
    assert signed.verdict.level == "B"


async def test_one_proof_serves_one_request_whole(world: World) -> None:
    """Prepared and authorised with the same text."""
    phone = await handset(world)
    proof = phone.proof()
    person = phone.person(proof)
    wanted = world.intent(person)
    signed = await world.free(person, wanted)
    world.clock.move(timedelta(seconds=30))
    assert await world.risk.authorize(Authorize(wanted.intent_id, proof)) == signed


async def test_a_withdrawal_of_a_phone(world: World) -> None:
    phone = await handset(world)
    await world.risk.bind_card(card_word(phone.owner.person_id))
    by = phone.person(to=Operation.WITHDRAWAL)
    signed = await draw(world, by, withdrawal(world, phone.owner))
    assert signed.verdict.level == "A"


async def test_codes_of_a_phone(world: World) -> None:
    phone = await handset(world)
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    issuing = IssueCodes(phone.owner.person_id, phone.proof_to(Operation.ISSUE))
    [code] = await world.risk.issue_codes(issuing)
    with pytest.raises(DeviceUnknown):  # what it has signed for one set gives no second
        await world.risk.issue_codes(issuing)
    revealing = phone.proof_to(Operation.REVEAL)
    await world.risk.reveal_code(phone.owner.person_id, revealing, code.code)
    wanted = altered(world.intent(phone.owner, 20_00, shop_id), code="shown")
    redeem = RedeemCode(
        wanted.intent_id, code.code, shop_id, "trm_1", 20_00, owner.person_id, owner.secret
    )
    assert (await world.risk.redeem_code(redeem)).payer_id == phone.owner.person_id
    # The till has no device of the payer; its digits were shown, so the payer is asked.
    assert (await world.risk.prepare(Prepare(wanted, ""))).takes == "passkey"
    assert (await world.pay(phone.person(), wanted)).verdict.level == "A"
    await world.risk.revoke_codes(phone.owner.person_id, phone.proof_to(Operation.REVOKE))


async def test_a_till_on_a_phone(world: World) -> None:
    till = await handset(world)
    shop_id = await found_shop(world, till.person(to=Operation.FOUND))
    payer = await world.person()
    [code] = await world.risk.issue_codes(IssueCodes(payer.person_id, payer.secret))
    wanted = altered(world.intent(payer, 20_00, shop_id), code="shown")
    actor_id, by = till.owner.person_id, till.proof_to(Operation.REDEEM)
    redeem = RedeemCode(wanted.intent_id, code.code, shop_id, "trm_1", 20_00, actor_id, by)
    for _ in range(2):
        assert (await world.risk.redeem_code(redeem)).payer_id == payer.person_id
    [code] = await world.risk.issue_codes(IssueCodes(payer.person_id, payer.secret))
    other = RedeemCode(ids.new("pay"), code.code, shop_id, "trm_1", 20_00, actor_id, by)
    with pytest.raises(DeviceUnknown):  # its one proof has read one code
        await world.risk.redeem_code(other)
    clerk = await hire(world, shop_id, till.person(to=Operation.INVITE), Role.CASHIER)
    by = till.proof_to(Operation.CHANGE_MEMBER)
    out = ChangeMember(shop_id, clerk.person_id, actor_id, by, None)
    await world.risk.change_member(await world.approve(till.owner, out.purpose), out)
    assert [m.person_id for m in await world.risk.members(shop_id)] == [till.owner.person_id]


async def test_a_refund_from_a_phone(world: World) -> None:
    sale = await sell(world)
    manager = await handset(world)
    ask = InviteMember(
        ids.new("inv"), sale.shop_id, sale.owner.person_id, sale.owner.secret, Role.MANAGER
    )
    invited = await world.risk.invite_member(await world.approve(sale.owner, ask.purpose), ask)
    approval = await world.approve(manager.owner, f"join_shop:{invited.invitation_id}")
    await world.risk.join_shop(approval, invited.secret)
    by = manager.person(to=Operation.REFUND)
    first = refund_of(world, sale, 10_00, by=by)
    for _ in range(2):
        assert (await give_back(world, first)).verdict.level == "C"
    with pytest.raises(DeviceUnknown):  # the same proof for another refund
        await give_back(world, refund_of(world, sale, 5_00, by=by))
    asked = refund_of(world, sale, 10_00, by=manager.person(manager.proof("GET")))
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare_refund(asked)
    with pytest.raises(DomainError):
        await world.risk.authorize_refund(answer(asked))


async def test_packets_and_recalls_of_a_phone(world: World) -> None:
    phone, sender = await handset(world), await world.demo_person()
    funding = await sent(world, sender)
    assert await judged(world, funding, phone.person(phone.proof("GET"))) == ["device_unknown"]
    assert await judged(world, funding, phone.person()) == ["device_unknown"]
    assert await judged(world, funding, phone.person(to=Operation.OPEN)) == [""]
    opener = phone.person(to=Operation.OPEN)
    await world.risk.authorize_shares(shares(funding, (opener, 10_00)))
    other = await handset(world)
    stolen = other.person(phone.proof_to(Operation.OPEN))
    with pytest.raises(OpenerRefused):
        await world.risk.authorize_shares(shares(funding, (stolen, 1_00)))
    put_aside = delayed(world, phone.owner, sender)
    await fill(world, phone.person(to=Operation.DELAYED), put_aside)
    for device in (other.person(to=Operation.RECALL), phone.person(to=Operation.DELAYED)):
        with pytest.raises(DeviceUnknown):
            await world.risk.authorize_pot_end(ended(put_aside, 30_00, device=device))
    recalling = phone.person(to=Operation.RECALL)
    await world.risk.authorize_pot_end(ended(put_aside, 30_00, device=recalling))


async def test_a_phone_freezes(world: World) -> None:
    phone = await handset(world)
    by = phone.proof_to(Operation.FREEZE)
    assert (await world.risk.freeze(phone.owner.person_id, by)).frozen


# what is no proof --------------------------------------------------------------------------------


def forged(phone: Handset) -> str:
    """Another key's signature under this key's name."""
    return DeviceKey().proof(
        "POST", PAYMENTS, phone.world.clock.now().timestamp(), header={"jwk": phone.key.jwk}
    )


def unsigned(phone: Handset) -> str:
    head, claims, _ = phone.proof(header={"alg": "none"}).split(".")
    return f"{head}.{claims}."


def shared(phone: Handset) -> str:
    """As if the public key were a secret that both of us share."""
    head, claims, _ = phone.proof(header={"alg": "HS256"}).split(".")
    secret = json.dumps(phone.key.jwk).encode()
    return f"{head}.{claims}.{b64(hmac.digest(secret, f'{head}.{claims}'.encode(), 'sha256'))}"


def flipped(phone: Handset) -> str:
    text = phone.proof()
    return text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]


ATTACKS: dict[str, Callable[[Handset], str]] = {
    "forged": forged,
    "unsigned": unsigned,
    "shared secret": shared,
    "flipped": flipped,
    "algorithm swapped": lambda p: p.proof(header={"alg": "EdDSA"}),
    "private key shown": lambda p: p.proof(header={"jwk": p.key.jwk | {"d": b64(bytes(32))}}),
    "other type": lambda p: p.proof(header={"typ": "JWT"}),
    "key by address": lambda p: p.proof(header={"jku": "https://elsewhere.example"}),
    "61 s late": lambda p: p.proof(late_s=61),
    "61 s early": lambda p: p.proof(late_s=-61),
    "an hour late": lambda p: p.proof(late_s=3600),
    "elsewhere": lambda p: p.proof(url="https://elsewhere.example/api/v1/payments"),
    "almost here": lambda p: p.proof(url="http://localhost:80000/api/v1/payments"),
    "not the API": lambda p: p.proof(url="http://localhost:8000/pay"),
    "another scheme": lambda p: p.proof(url="https://localhost:8000/api/v1/payments"),
    "for reading": lambda p: p.proof("GET"),
    "for the head": lambda p: p.proof("HEAD"),
    "odd method": lambda p: p.proof("FETCH"),
    "no time": lambda p: p.proof(iat=None),
    "no method": lambda p: p.proof(htm=None),
    "no address": lambda p: p.proof(htu=None),
    "no name": lambda p: p.proof(jti=None),
    "long": lambda p: p.proof(more="x" * MAX_PROOF_CHARS),
    "of nobody's key": lambda p: DeviceKey().proof(
        "POST", PAYMENTS, p.world.clock.now().timestamp()
    ),
    "the public key itself": lambda p: json.dumps(p.key.jwk, separators=(",", ":"), sort_keys=True),
    "the thumbprint": lambda p: p.key.thumbprint,
    "dots": lambda p: "..",
    "nothing": lambda p: "",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_money_moves_by_no_false_proof(world: World, attack: str) -> None:
    phone = await handset(world)
    person = phone.person(ATTACKS[attack](phone)) if attack != "nothing" else phone.owner
    wanted = world.intent(person)
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare(Prepare(wanted, person.secret))
    await world.risk.prepare(Prepare(wanted, phone.proof()))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    big = world.intent(person, 600_00)
    authorize = await world.sign(phone.person(), big)
    with pytest.raises(DeviceUnknown):  # the passkey alone is not enough
        await world.risk.authorize(
            Authorize(big.intent_id, person.secret, authorize.ceremony_id, authorize.response_json)
        )


@pytest.mark.parametrize("late_s", [60, 30, -30, -60])
async def test_clocks_may_differ_by_a_minute(world: World, late_s: int) -> None:
    phone = await handset(world)
    person = phone.person(phone.proof(late_s=late_s))
    assert (await world.free(person, world.intent(person))).verdict.level == "C"


async def test_a_proof_ends_with_its_minute(world: World) -> None:
    phone = await handset(world)
    person = phone.person()
    wanted = world.intent(person)
    await world.risk.prepare(Prepare(wanted, person.secret))
    world.clock.move(timedelta(seconds=61))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))


async def test_anothers_proof_opens_nothing(world: World) -> None:
    """Nor does one's own, for something else."""
    victim, thief = await handset(world), await handset(world)
    browser = await world.person()
    for by in (thief.proof(), browser.secret):
        with pytest.raises(DeviceUnknown):
            await world.risk.prepare(Prepare(world.intent(victim.owner), by))
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare(Prepare(world.intent(browser), victim.proof()))
    assert await world.risk.device_of(thief.proof()) == thief.owner.device_id


CALLS: dict[str, Callable[[World, Person, str], Awaitable[Any]]] = {
    "freeze": lambda w, p, by: w.risk.freeze(p.person_id, by),
    "issue": lambda w, p, by: w.risk.issue_codes(IssueCodes(p.person_id, by)),
    "revoke": lambda w, p, by: w.risk.revoke_codes(p.person_id, by),
    "reveal": lambda w, p, by: w.risk.reveal_code(p.person_id, by, "88" + "0" * 16),
    "found": lambda w, p, by: w.risk.found_shop(FoundShop(ids.new("mch"), p.person_id, by)),
    "invite": lambda w, p, by: w.risk.invite_member(
        Approval(p.person_id, "cer_x", b"{}"),
        InviteMember(ids.new("inv"), SHOP, p.person_id, by, Role.CASHIER),
    ),
    "change_member": lambda w, p, by: w.risk.change_member(
        Approval(p.person_id, "cer_x", b"{}"),
        ChangeMember(SHOP, p.person_id, p.person_id, by, None),
    ),
    "first_passkey": lambda w, p, by: w.risk.grant_first_passkey(p.person_id, by),
    "pay": lambda w, p, by: w.risk.prepare(Prepare(w.intent(p), by)),
    "withdrawal": lambda w, p, by: w.risk.prepare_withdrawal(Prepare(withdrawal(w, p), by)),
}


@pytest.mark.parametrize("call", CALLS)
async def test_the_proof_of_a_get_only_reads(world: World, call: str) -> None:
    phone = await handset(world)
    person_id, reading = phone.owner.person_id, phone.proof_to(Operation.LIMITS)
    with pytest.raises((DeviceUnknown, PayCodeInvalid)):
        await CALLS[call](world, phone.owner, reading)
    assert await world.risk.limits(person_id, reading)
    assert await world.risk.device_of(reading) == phone.owner.device_id
    asking = phone.proof_to(Operation.QUOTE)
    assess = Assess(person_id, SHOP, 20_00, "dynamic", asking)
    assert (await world.risk.assess(assess)).takes == "none"
    late = phone.proof(*call_of(Operation.LIMITS), late_s=61)
    for false in (forged(phone), asking, late):
        with pytest.raises(NotFound):
            await world.risk.limits(person_id, false)


async def test_a_removed_phone_proves_nothing(world: World) -> None:
    phone = await handset(world)
    other = await world.second_device(phone.owner)
    approval = await world.approve(phone.owner, f"remove_device:{phone.owner.device_id}", other.key)
    await world.risk.remove_device(approval, phone.owner.device_id)
    for name in ("pay", "freeze", "issue"):
        with pytest.raises(DeviceUnknown):
            await CALLS[name](world, phone.owner, phone.proof_to(Operation(name)))
    with pytest.raises(NotFound):
        await world.risk.limits(phone.owner.person_id, phone.proof_to(Operation.LIMITS))


async def test_a_phone_without_any_passkey_gets_none_by_anothers_hand(world: World) -> None:
    person, phone = await world.demo_person(), await handset(world)
    with pytest.raises(DeviceUnknown):
        await world.risk.grant_first_passkey(
            person.person_id, phone.proof_to(Operation.FIRST_PASSKEY)
        )
    with pytest.raises(GrantInvalid):
        await world.risk.grant_first_passkey(
            phone.owner.person_id, phone.proof_to(Operation.FIRST_PASSKEY)
        )
    given = await world.risk.grant_first_passkey(person.person_id, person.secret)
    assert isinstance(given, DeviceGrant)
