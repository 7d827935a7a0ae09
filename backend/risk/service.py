"""The security system in this process: its verbs behind the face."""

from pathlib import Path

from backend.bankleave import Leave
from backend.clock import Clock, clock_for
from backend.db import SEC
from backend.intent import Intent
from backend.keys import FileSigner, publish, secret_key
from backend.risk import (
    Approval,
    Assess,
    Authorize,
    AuthorizeRefund,
    AuthorizeShares,
    AuthorizeTopUp,
    BankWord,
    BeginRegistration,
    Ceremony,
    ChangeMember,
    CheckCode,
    Device,
    DeviceGrant,
    EndPot,
    Enrolled,
    EnrolmentStarted,
    FinishRegistration,
    FinishSignIn,
    FoundShop,
    FreezeState,
    Invitation,
    InviteMember,
    IssueCodes,
    Judged,
    Limit,
    Opener,
    PayCode,
    PhoneProven,
    Prepare,
    PrepareRefund,
    RedeemCode,
    Redeemed,
    Requirement,
    Seen,
    SeenMark,
    ShopMember,
    ShownCode,
    SignedIn,
    StartEnrolment,
    Status,
    approvals,
    bank_cards,
    demo,
    demo_history,
    devices,
    enrolment,
    freeze,
    invitations,
    leaves,
    limits,
    pay_codes,
    payouts,
    pot_ends,
    refunds,
    registration,
    reservations,
    sealed,
    seen,
    shares,
    shops,
    sign_in,
    status,
    takeover,
    top_up,
    withdrawals,
)
from backend.risk.authorize import authorize
from backend.risk.bank_keys import BankKeys
from backend.risk.batch import Batch
from backend.risk.demo_history import Told
from backend.risk.parts import Parts
from backend.risk.passkeys import RelyingParty
from backend.risk.prepare import assess, prepare
from backend.risk.shares import Judge
from backend.risk.signing import Signatures
from backend.risk.sms import HttpSms, SmsGateway
from backend.settings import Settings
from backend.shop_roles import Role
from backend.verdict import SignedVerdict

VERDICT_KEY, CODE_KEY = "verdict", "pay-code"


class Service:
    """Implements `Risk`. Prepares and authorisations that come together are decided together."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._prepare = Batch[Prepare, Requirement](
            lambda asked: prepare(parts, asked), lambda p: p.intent.intent_id
        )
        self._judge = Batch[Judge, tuple[Judged, ...]](
            lambda asked: shares.judge(parts, asked), lambda j: j.pot_id
        )
        self._shares = Batch[AuthorizeShares, SignedVerdict](
            lambda asked: shares.authorize(parts, asked), lambda a: a.intent.intent_id
        )
        self._authorize = Batch[Authorize, SignedVerdict](
            lambda asked: authorize(parts, asked), lambda a: a.intent_id
        )

    async def start_enrolment(self, start: StartEnrolment) -> EnrolmentStarted:
        return await enrolment.start(self._parts, start)

    async def check_code(self, check: CheckCode) -> PhoneProven:
        return await enrolment.check(self._parts, check)

    async def begin_registration(self, begin: BeginRegistration) -> Ceremony:
        return await registration.begin(self._parts, begin)

    async def finish_registration(self, finish: FinishRegistration) -> Enrolled:
        return await registration.finish(self._parts, finish)

    async def begin_sign_in(self) -> Ceremony:
        return await sign_in.begin(self._parts)

    async def finish_sign_in(self, finish: FinishSignIn) -> SignedIn:
        return await sign_in.finish(self._parts, finish)

    async def devices(self, person_id: str) -> tuple[Device, ...]:
        return await devices.of_person(person_id)

    async def device_of(self, device_secret: str) -> str:
        return await devices.held(self._parts, device_secret)

    async def begin_approval(self, person_id: str, purpose: str) -> Ceremony:
        return await approvals.begin(self._parts, person_id, purpose)

    async def grant_device(self, approval: Approval) -> DeviceGrant:
        return await devices.grant(self._parts, approval)

    async def grant_first_passkey(self, person_id: str, device_secret: str) -> DeviceGrant:
        return await devices.grant_first_passkey(self._parts, person_id, device_secret)

    async def remove_device(self, approval: Approval, device_id: str) -> None:
        await devices.remove(self._parts, approval, device_id)

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        return await freeze.freeze(self._parts, person_id, device_secret)

    async def unfreeze(self, approval: Approval) -> FreezeState:
        return await freeze.unfreeze(self._parts, approval)

    async def freeze_state(self, person_id: str) -> FreezeState:
        return await freeze.state(self._parts, person_id)

    async def assess(self, assess_: Assess) -> Requirement:
        return await assess(self._parts, assess_)

    async def prepare(self, prepare_: Prepare) -> Requirement:
        return await self._prepare(prepare_)

    async def authorize(self, authorize_: Authorize) -> SignedVerdict:
        return await self._authorize(authorize_)

    async def authorize_top_up(self, authorize_: AuthorizeTopUp) -> SignedVerdict:
        return await top_up.authorize(self._parts, authorize_)

    async def limits(self, person_id: str, device_secret: str) -> tuple[Limit, ...]:
        return await limits.of_person(self._parts, person_id, device_secret)

    async def sealed_intent(self, intent_id: str) -> bytes:
        return await sealed.intent(intent_id)

    async def issue_codes(self, issue: IssueCodes) -> tuple[ShownCode, ...]:
        return await pay_codes.issue(self._parts, issue)

    async def reveal_code(self, person_id: str, device_secret: str, code: PayCode) -> None:
        await pay_codes.reveal(self._parts, person_id, device_secret, code)

    async def revoke_codes(self, person_id: str, device_secret: str) -> None:
        await pay_codes.revoke(self._parts, person_id, device_secret)

    async def end_codes(self, person_id: str, device_id: str) -> None:
        await pay_codes.end(self._parts, person_id, device_id)

    async def suspect_takeover(self, person_id: str, device_id: str) -> None:
        await takeover.suspect(self._parts, person_id, device_id)

    async def redeem_code(self, redeem: RedeemCode) -> Redeemed:
        return await pay_codes.redeem(self._parts, redeem)

    async def found_shop(self, found: FoundShop) -> None:
        await shops.found(self._parts, found)

    async def invite_member(self, approval: Approval, invite: InviteMember) -> Invitation:
        return await invitations.invite(self._parts, approval, invite)

    async def invitation(self, secret: str) -> Invitation:
        return await invitations.of_secret(self._parts, secret)

    async def join_shop(self, approval: Approval, secret: str) -> ShopMember:
        return await invitations.join(self._parts, approval, secret)

    async def change_member(self, approval: Approval, change: ChangeMember) -> None:
        await shops.change_member(self._parts, approval, change)

    async def members(self, shop_id: str) -> tuple[ShopMember, ...]:
        return await shops.members(shop_id)

    async def set_payout_card(self, approval: Approval, shop_id: str, card_id: str) -> None:
        await shops.set_payout_card(self._parts, approval, shop_id, card_id)

    async def bind_card(self, word: BankWord) -> None:
        await bank_cards.bind(self._parts, word)

    async def payout_leave(self, order_id: str, token: str) -> Leave:
        return await leaves.give(self._parts, order_id, token)

    async def prepare_refund(self, prepare_: PrepareRefund) -> Requirement:
        return await refunds.prepare(self._parts, prepare_)

    async def authorize_refund(self, authorize_: AuthorizeRefund) -> SignedVerdict:
        return await refunds.authorize(self._parts, authorize_)

    async def authorize_payout(self, intent: Intent) -> SignedVerdict:
        return await payouts.authorize(self._parts, intent)

    async def authorize_payout_return(self, authorize_: AuthorizeTopUp) -> SignedVerdict:
        return await payouts.authorize_return(self._parts, authorize_)

    async def prepare_withdrawal(self, prepare_: Prepare) -> Requirement:
        return await withdrawals.prepare(self._parts, prepare_)

    async def authorize_withdrawal(self, authorize_: Authorize) -> SignedVerdict:
        return await withdrawals.authorize(self._parts, authorize_)

    async def authorize_withdrawal_return(self, authorize_: AuthorizeTopUp) -> SignedVerdict:
        return await withdrawals.authorize_return(self._parts, authorize_)

    async def judge_openers(
        self, packet_id: str, openers: tuple[Opener, ...]
    ) -> tuple[Judged, ...]:
        return await self._judge(Judge(packet_id, openers))

    async def authorize_shares(self, authorize_: AuthorizeShares) -> SignedVerdict:
        return await self._shares(authorize_)

    async def authorize_pot_end(self, authorize_: EndPot) -> SignedVerdict:
        return await pot_ends.authorize(self._parts, authorize_)

    async def release(self, intent_id: str) -> None:
        await reservations.release(intent_id, self._parts.clock.now())

    async def seen(self, after: SeenMark) -> tuple[Seen, ...]:
        return await seen.after(after)

    async def status(self) -> Status:
        return await status.status()

    async def ping(self) -> None:
        await SEC.query("select 1")


class DemoService(Service):
    """Implements `RiskWithDemo`."""

    async def demo_enrol(
        self, person_id: str, display_name: str, phone: str, device_label: str
    ) -> Enrolled:
        return await demo.enrol(self._parts, person_id, phone, device_label)

    async def demo_join(self, shop_id: str, person_id: str, role: Role) -> None:
        await demo.join(self._parts, shop_id, person_id, role)

    async def demo_agreed(self, person_id: str, purpose: str) -> Approval:
        return await demo.agreed(self._parts, person_id, purpose)

    async def demo_allow(self, told: tuple[Told, ...]) -> tuple[SignedVerdict, ...]:
        return tuple(await demo_history.allow(self._parts, told))


def build(
    settings: Settings,
    clock: Clock | None = None,
    sms: SmsGateway | None = None,
    *,
    audited: bool = True,
) -> Service:
    """The service on the open SEC database. Its verdict key is made and published if need be.

    audited: see `Parts`; False is for tests that run no auditor.
    """
    signer = FileSigner(Path(settings.keys_dir), VERDICT_KEY)
    publish(Path(settings.verdict_keys), signer)
    parts = Parts(
        clock=clock or clock_for(settings),
        party=RelyingParty(settings.rp_id, settings.origins),
        api=f"{settings.public_origin}/api/",
        sms=sms or HttpSms(settings.sms_url),
        signer=signer,
        signatures=Signatures(signer),
        bank_keys=BankKeys(Path(settings.bank_keys)),
        code_key=secret_key(Path(settings.keys_dir), CODE_KEY),
        audited=audited,
    )
    return DemoService(parts) if settings.demo else Service(parts)
