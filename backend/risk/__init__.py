"""The security system's face. It decides; it trusts nothing that the transaction system says."""

from typing import Annotated, Protocol

import msgspec

from backend.bankleave import Leave
from backend.intent import Intent
from backend.posting import MAX_TRANSFERS
from backend.risk.refusals import *  # noqa: F403 — the refusals are part of the face
from backend.risk.shapes import *  # noqa: F403 — so are these
from backend.risk.shapes import (
    Approval,
    BeginRegistration,
    Ceremony,
    CheckCode,
    Device,
    DeviceGrant,
    Enrolled,
    EnrolmentStarted,
    FinishRegistration,
    FinishSignIn,
    PhoneProven,
    Seen,
    SeenMark,
    SignedIn,
    StartEnrolment,
    Status,
)
from backend.risk.shapes_money import *  # noqa: F403 — and these
from backend.risk.shapes_money import (
    Assess,
    Authorize,
    AuthorizeTopUp,
    BankWord,
    FreezeState,
    Limit,
    Prepare,
    Requirement,
)
from backend.risk.shapes_pot import *  # noqa: F403 — and these
from backend.risk.shapes_pot import AuthorizeShares, EndPot, Judged, Opener
from backend.risk.shapes_shop import *  # noqa: F403 — and these
from backend.risk.shapes_shop import (
    AuthorizeRefund,
    ChangeMember,
    FoundShop,
    Invitation,
    InviteMember,
    IssueCodes,
    PayCode,
    PrepareRefund,
    RedeemCode,
    Redeemed,
    ShopMember,
    ShownCode,
)
from backend.verdict import SignedVerdict

Openers = Annotated[tuple[Opener, ...], msgspec.Meta(min_length=1, max_length=MAX_TRANSFERS)]


class Risk(Protocol):
    """Own transactions; every write is idempotent by the caller's id.

    device_secret: of a browser. A phone passes the DPoP proof of its very request instead, and may
    do so in several calls of that request. It holds for the operations that the request's method
    and address are for (see `operations`), and, where money moves, for one intent or packet.
    """

    # enrolment
    async def start_enrolment(self, start: StartEnrolment) -> EnrolmentStarted:
        """Send a code. The same id within the minute: the first answer, no new code; after it, a
        new code. Refuses: TooManyCodes, ResendTooSoon (another id for the number), SmsUnavailable,
        IdReused (another number)."""
        ...

    async def check_code(self, check: CheckCode) -> PhoneProven:
        """Refuses: CodeWrong, CodeExpired, CodeSpent (5 tries)."""
        ...

    async def begin_registration(self, begin: BeginRegistration) -> Ceremony:
        """Refuses: BadRequest (not exactly one of enrolment and grant), PhoneNotProven, HasWallet,
        GrantInvalid."""
        ...

    async def finish_registration(self, finish: FinishRegistration) -> Enrolled:
        """Refuses: CeremonyInvalid, PasskeyRefused, DeviceProofInvalid, DeviceKeyTaken, and as
        `begin_registration`."""
        ...

    # sign-in
    async def begin_sign_in(self) -> Ceremony: ...

    async def finish_sign_in(self, finish: FinishSignIn) -> SignedIn:
        """Refuses: CeremonyInvalid, PasskeyRefused, DeviceProofInvalid, DeviceKeyTaken."""
        ...

    # devices
    async def devices(self, person_id: str) -> tuple[Device, ...]: ...

    async def device_of(self, device_secret: str) -> str:
        """Id of the live device that holds this secret, or the key of this proof.
        Refuses: NotFound."""
        ...

    async def begin_approval(self, person_id: str, purpose: str) -> Ceremony:
        """An assertion for a security change: "add_device", "remove_device:<id>", "unfreeze",
        "join_shop:<invitation_id>", "payout_card:<shop_id>:<card_id>", and the `purpose` of an
        InviteMember and a ChangeMember. The challenge is the digest of purpose and person.
        Refuses: BadRequest (no such purpose), NeedsPasskey (there is none to approve with)."""
        ...

    async def grant_device(self, approval: Approval) -> DeviceGrant:
        """Refuses: CeremonyInvalid, PasskeyRefused."""
        ...

    async def grant_first_passkey(self, person_id: str, device_secret: str) -> DeviceGrant:
        """For a bound device of a person without any passkey: the registration by this grant
        attaches the passkey to that device. Refuses: DeviceUnknown, GrantInvalid (has one)."""
        ...

    async def remove_device(self, approval: Approval, device_id: str) -> None:
        """Its secret and passkey are dead at once. Approved with another device's passkey, which is
        refused otherwise. Refuses: also NotFound, LastDevice."""
        ...

    # freeze
    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        """Nothing stronger than a signed-in device is needed: it can only stop money. Calls a
        running thaw off. Refuses: DeviceUnknown."""
        ...

    async def unfreeze(self, approval: Approval) -> FreezeState:
        """Starts the wait, at whose end the freeze is over without a further call. Refuses:
        FrozenByAlarm, CeremonyInvalid, PasskeyRefused."""
        ...

    async def freeze_state(self, person_id: str) -> FreezeState:
        """Refuses: NotFound."""
        ...

    # money
    async def assess(self, assess: Assess) -> Requirement:
        """What an intent like this would take; stores nothing. Refuses like `prepare`."""
        ...

    async def prepare(self, prepare: Prepare) -> Requirement:
        """Store the intent and say what it takes; the same intent again opens a new ceremony.
        Refuses: IntentInvalid, IntentExpired, IdReused, DeviceUnknown, PayerFrozen, PayeeFrozen,
        LimitExceeded, NeedsPasskey, PasskeyRequired (a code issued ahead)."""
        ...

    async def authorize(self, authorize: Authorize) -> SignedVerdict:
        """Verify, decide, sign. The same call again gives the same verdict while it lives.
        Refuses: as `prepare`, and PasskeyRequired, PasskeyRefused, CeremonyInvalid, IntentUsed,
        KnownPayeesOnly."""
        ...

    async def authorize_top_up(self, authorize: AuthorizeTopUp) -> SignedVerdict:
        """Refuses: IntentInvalid, BankWordInvalid, IdReused; PayeeFrozen never: money may come in.
        Again after the verdict ended: a new one, because the money has come in."""
        ...

    async def limits(self, person_id: str, device_secret: str) -> tuple[Limit, ...]:
        """Refuses: NotFound (no live device of the person)."""
        ...

    async def sealed_intent(self, intent_id: str) -> bytes:
        """The canonical bytes of an intent that was stored; their SHA-256 is the verdict's
        intent_hash. Refuses: NotFound."""
        ...

    # payment codes
    async def issue_codes(self, issue: IssueCodes) -> tuple[ShownCode, ...]:
        """Fresh codes of a live device. Refuses: DeviceUnknown, PayerFrozen, TooManyCodesAhead."""
        ...

    async def reveal_code(self, person_id: str, device_secret: str, code: PayCode) -> None:
        """Its digits were shown as text: every payment with it takes a passkey. Refuses:
        PayCodeInvalid."""
        ...

    async def revoke_codes(self, person_id: str, device_secret: str) -> None:
        """All unused codes of the device, those issued ahead too. Refuses: DeviceUnknown."""
        ...

    async def end_codes(self, person_id: str, device_id: str) -> None:
        """The same from elsewhere, for a device that is signed out ("": for all of the person's).
        It can only stop money, so nothing is asked of who calls."""
        ...

    async def suspect_takeover(self, person_id: str, device_id: str) -> None:
        """A session of that device was copied. All unused codes of the person end, and for 24 h
        each of their devices counts as new, those added later too: every payment takes a passkey,
        goes to known payees within the limit of a new device, and no withdrawal leaves. It can only
        stop money, so nothing is asked of who calls. Again: from then on anew. With an alarm that
        freezes nothing."""
        ...

    async def redeem_code(self, redeem: RedeemCode) -> Redeemed:
        """Burn the code for this payment, whatever becomes of it. The same call again: the same
        answer. `prepare` and `authorize` of the intent with that id and code "shown" then take the
        code's device for the payer's, without a device_secret. Refuses: PayCodeInvalid (unknown,
        used, expired, revoked: one answer for all), TooManyGuesses (of this terminal, person or
        shop), PayeeFrozen, MemberForbidden, DeviceUnknown, IdReused."""
        ...

    # shops and their people
    async def found_shop(self, found: FoundShop) -> None:
        """First come: the owner's live device. Refuses: DeviceUnknown, IdReused (other owner)."""
        ...

    async def invite_member(self, approval: Approval, invite: InviteMember) -> Invitation:
        """With the actor's passkey, over role and store; the purpose is the invite's own. The same
        call again: a new secret. Refuses: DeviceUnknown, MemberForbidden, IdReused, BadRequest
        (the owner's role), CeremonyInvalid, PasskeyRefused."""
        ...

    async def invitation(self, secret: str) -> Invitation:
        """A live one, as the invited sees it. Refuses: InvitationInvalid."""
        ...

    async def join_shop(self, approval: Approval, secret: str) -> ShopMember:
        """With the member's own passkey; its purpose is "join_shop:<invitation_id>". Refuses:
        InvitationInvalid, CeremonyInvalid, PasskeyRefused, AlreadyMember."""
        ...

    async def change_member(self, approval: Approval, change: ChangeMember) -> None:
        """With the actor's passkey, over who, role and store; the purpose is the change's own. The
        same call again: the same end. Refuses: DeviceUnknown, MemberForbidden, NotFound,
        CeremonyInvalid, PasskeyRefused."""
        ...

    async def members(self, shop_id: str) -> tuple[ShopMember, ...]: ...

    async def set_payout_card(self, approval: Approval, shop_id: str, card_id: str) -> None:
        """The owner's standing consent that settlements go to this card, which the bank has told
        us to be the owner's; the purpose is "payout_card:<shop_id>:<card_id>". Refuses:
        MemberForbidden, PayoutCardUnknown, CeremonyInvalid, PasskeyRefused."""
        ...

    # cards
    async def bind_card(self, word: BankWord) -> None:
        """The bank's word that a card is a person's: kept for good, apart from what the
        transaction system keeps. Refuses: BankWordInvalid, IdReused (another card or token)."""
        ...

    async def payout_leave(self, order_id: str, token: str) -> Leave:
        """What the bank is shown when a payout or withdrawal is handed over that has left its
        account: signed for this order, token, owner and amount alone, for a short time. Refuses:
        IntentInvalid (never allowed), PayoutCardUnknown (for good: the bank never told us of that
        card), CardMismatch, with an alarm, IntentUsed (released, or on its way back), PayerFrozen
        (by an alarm), PostingNotSeen (ask again: the auditor has not seen it leave yet)."""
        ...

    # money that leaves a shop
    async def prepare_refund(self, prepare: PrepareRefund) -> Requirement:
        """takes "none" or "passkey". Checked against the stored intent of the payment: same shop,
        same person, all refunds together never above the amount, the fee in proportion, within
        REFUND_WINDOW. Refuses: IntentInvalid, IdReused, DeviceUnknown, MemberForbidden,
        RefundTooMuch (left_fen), RefundTooLate, PayerFrozen (the shop), NeedsPasskey,
        PaymentNotSeen (allowed, but not in the audited books after a wait of 2 s)."""
        ...

    async def authorize_refund(self, authorize: AuthorizeRefund) -> SignedVerdict:
        """The same call again gives the same verdict while it lives. Refuses: as
        `prepare_refund`, and PasskeyRequired, PasskeyRefused, CeremonyInvalid, IntentUsed."""
        ...

    async def authorize_payout(self, intent: Intent) -> SignedVerdict:
        """kind "payout": payer_id the shop, payee_id the bank's token of the card set by its owner,
        payee_name "<bank> <last four>", posting reason "payout": shop → bank:payout. Refuses:
        IntentInvalid, PayoutCardUnknown, CardMismatch (as `prepare_withdrawal`), PayerFrozen."""
        ...

    async def authorize_payout_return(self, authorize: AuthorizeTopUp) -> SignedVerdict:
        """kind "payout_return", id "<payout id>:return": bank:payout → shop, on the bank's word
        that this payout was refused. Refuses: IntentInvalid, BankWordInvalid, IdReused."""
        ...

    # money to one's own card
    async def prepare_withdrawal(self, prepare: Prepare) -> Requirement:
        """kind "withdrawal": payer_id the person, payee_id the bank's token of their card,
        payee_name "<bank> <last four>", code its speed ("instant", "next_day"), posting person →
        bank:payout and the fee out of the amount. takes "passkey", or
        "wait" (reasons thawing, new_device); first_payment: to this card. The same again opens a
        new ceremony. Refuses: IntentInvalid, IntentExpired, IdReused, DeviceUnknown, PayerFrozen,
        CardMismatch (with an alarm: token or name are not those that the bank told us of a card of
        that person), NeedsPasskey, LimitExceeded ("withdraw_each", "withdraw_instant",
        "withdraw_next_day", "withdraw_synced": with a synced passkey)."""
        ...

    async def authorize_withdrawal(self, authorize: Authorize) -> SignedVerdict:
        """The same call again gives the same verdict while it lives. Refuses: as
        `prepare_withdrawal`, and PasskeyRequired, PasskeyRefused, CeremonyInvalid, DeviceTooNew,
        IntentUsed."""
        ...

    async def authorize_withdrawal_return(self, authorize: AuthorizeTopUp) -> SignedVerdict:
        """kind "withdrawal_return", id "<withdrawal id>:return": back to the person, fee too, on
        the bank's word that it refused. Refuses: IntentInvalid, BankWordInvalid, IdReused."""
        ...

    # pots
    async def judge_openers(self, packet_id: str, openers: Openers) -> tuple[Judged, ...]:
        """In the order asked. Who may open is let pass: `authorize_shares` then takes them without
        a device and without asking for limits again, also after the packet's time. Codes:
        payer_frozen (the sender), pot_ended, not_for_opener, share_taken, device_unknown,
        opener_frozen, open_limit. Refuses: PotUnknown."""
        ...

    async def authorize_shares(self, authorize: AuthorizeShares) -> SignedVerdict:
        """All or nothing. The same call again gives the same verdict while it lives, then a new
        one until the posting is seen in the books; a packet's end does not take back what was
        allowed. Openers who were not let pass are judged here. Refuses: IntentInvalid, PotUnknown,
        PayerFrozen (the sender), IdReused, IntentUsed (released, or seen in the books), PotEnded,
        PotExceeded, ShareTaken, NotForOpener, OpenerRefused."""
        ...

    async def authorize_pot_end(self, authorize: EndPot) -> SignedVerdict:
        """Once per pot, of exactly what is left. A packet returns after its time, or when all
        shares are out and something is left; a delayed transfer arrives after its time, is
        recalled before it with its owner's device, and returns whoever asks when its payee is
        frozen, or its owner at its time. The same call again: as `authorize_shares`. Refuses:
        IntentInvalid, PotUnknown, IdReused, IntentUsed, PotEnded, PotRunning, DeviceUnknown,
        PayerFrozen and PayeeFrozen (an arrival: return it instead)."""
        ...

    async def release(self, intent_id: str) -> None:
        """The ledger refused: what the intent used of the limits is given back."""
        ...

    # operation
    async def seen(self, after: SeenMark) -> tuple[Seen, ...]:
        """What happened to accounts' security after that, oldest first, without loss: for whoever
        tells their owners."""
        ...

    async def status(self) -> Status: ...

    async def ping(self) -> None: ...
