"""Payment codes, shops and their people, as the security system knows them."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from backend.ids import Id
from backend.intent import Intent
from backend.shop_roles import Role
from backend.verdict import CHARGE_LIFE_MS

CODE_LIFE = timedelta(seconds=60)
CODE_GRACE = timedelta(seconds=15)  # a code just renewed on the screen may still be scanned
AHEAD_LIFE = timedelta(hours=24)
MAX_AHEAD = 15  # per device
REFUND_FREE_FEN = 500_00  # a refund above it takes the actor's passkey
REFUND_WINDOW = timedelta(days=365)
REVERSAL_WINDOW = timedelta(minutes=5)  # an order of a code that was shown, its wait, and some
TILL_PATIENCE = timedelta(milliseconds=CHARGE_LIFE_MS)  # nobody takes back before it is over
LATE_WINDOW = timedelta(days=1)  # in which what came too late for its till goes back by itself
INVITATION_LIFE = timedelta(hours=24)
ALL_STORES, REMOVED = "all", "out"  # in what a passkey signs about staff

PayCode = Annotated[str, msgspec.Meta(pattern=r"^88[0-9]{16}$", max_length=18)]
"""What a payer shows: 18 digits, kept as a keyed hash only."""


class IssueCodes(msgspec.Struct, frozen=True, array_like=True):
    """ahead: for bad networks; only for amounts that need no passkey. replacing: the unused ones of
    the same sort that the device has end with this, if it succeeds."""

    person_id: str
    device_secret: str
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_AHEAD)] = 1
    ahead: bool = False
    replacing: bool = False


class ShownCode(msgspec.Struct, frozen=True, array_like=True):
    """expires_at: without the grace."""

    code: PayCode
    issued_at: datetime
    expires_at: datetime


class RedeemCode(msgspec.Struct, frozen=True, array_like=True):
    """A till has read a code. The payment's id binds it: payee and amount can't change later."""

    payment_id: Id
    code: PayCode
    shop_id: str
    terminal_id: str  # what guesses are counted by
    amount_fen: int
    actor_id: str  # who charges, on which device
    device_secret: str


class Redeemed(msgspec.Struct, frozen=True, array_like=True):
    """Whose code it was. The payer's id goes to no page of the shop."""

    payer_id: str
    ahead: bool


class FoundShop(msgspec.Struct, frozen=True, array_like=True):
    shop_id: Id
    owner_id: Id
    device_secret: str


class InviteMember(msgspec.Struct, frozen=True, array_like=True):
    """store_id: where a cashier is to work, "" for all stores."""

    invitation_id: Id
    shop_id: str
    actor_id: str
    device_secret: str
    role: Role  # any but owner
    store_id: str = ""

    @property
    def purpose(self) -> str:
        """What the actor's passkey signs."""
        return f"invite_member:{self.shop_id}:{self.role}:{self.store_id or ALL_STORES}"


class Invitation(msgspec.Struct, frozen=True, array_like=True):
    """secret: 43 characters, single use, given out once (the same call again gives a new one)."""

    invitation_id: str
    shop_id: str
    role: Role
    secret: str
    expires_at: datetime
    store_id: str = ""


class ShopMember(msgspec.Struct, frozen=True, array_like=True):
    shop_id: str
    person_id: str
    role: Role


class ChangeMember(msgspec.Struct, frozen=True, array_like=True):
    """role None: remove. The owner's own role never changes."""

    shop_id: str
    member_id: str
    actor_id: str
    device_secret: str
    role: Role | None
    store_id: str = ""

    @property
    def purpose(self) -> str:
        """What the actor's passkey signs."""
        role, store = self.role or REMOVED, self.store_id or ALL_STORES
        return f"change_member:{self.shop_id}:{self.member_id}:{role}:{store}"


class PrepareRefund(msgspec.Struct, frozen=True, array_like=True):
    """intent: kind "refund", payer_id the shop, payee_id who paid, code "none", fee_fen what comes
    back of the fee; its posting is reason "refund": fee:income → shop (if any), shop → person.
    reversal: the till never learnt the truth of a code it had read; whole amount only, by who read
    it or may refund. Without an actor it came too late for its till and goes back by itself: who
    read the code, on their own device, charged on this condition."""

    intent: Intent
    payment_id: str
    actor_id: str
    device_secret: str
    reversal: bool = False


class AuthorizeRefund(msgspec.Struct, frozen=True, array_like=True):
    """Of a prepared refund: with the actor's assertion where one was asked for."""

    intent_id: str
    actor_id: str
    device_secret: str
    ceremony_id: str = ""
    response_json: Annotated[bytes, msgspec.Meta(max_length=16_384)] = b""
