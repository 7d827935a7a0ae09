"""Refusals of the security system."""

from backend.errors import DomainError


class TooManyCodes(DomainError, code="too_many_codes"):
    """Limit of codes per number or per address; params: minutes."""


class ResendTooSoon(DomainError, code="resend_too_soon"):
    """params: seconds."""


class SmsUnavailable(DomainError, code="sms_unavailable", retryable=True):
    """The gateway did not take the message."""


class CodeWrong(DomainError, code="code_wrong"):
    """params: tries_left."""


class CodeExpired(DomainError, code="code_expired"):
    """After 10 minutes, or unknown enrolment."""


class CodeSpent(DomainError, code="code_spent"):
    """5 wrong tries."""


class PhoneNotProven(DomainError, code="phone_not_proven"):
    """Registration without a proven number."""


class HasWallet(DomainError, code="has_wallet"):
    """The number has a wallet: sign in, or add this device from an older one."""


class GrantInvalid(DomainError, code="grant_invalid"):
    """Unknown, used or older than 5 minutes."""


class CeremonyInvalid(DomainError, code="ceremony_invalid"):
    """Unknown, used, of another kind or older than 2 minutes."""


class PasskeyRefused(DomainError, code="passkey_refused"):
    """The assertion or registration does not verify."""


class LastDevice(DomainError, code="last_device"):
    """The only device with a passkey can't be removed."""


class FrozenByAlarm(DomainError, code="frozen_by_alarm"):
    """The security system froze it; only its people can undo that."""


class DeviceUnknown(DomainError, code="device_unknown"):
    """The device secret, or the phone's proof, is of no live device of the person: sign in
    again."""


class DeviceProofInvalid(DomainError, code="device_proof_invalid"):
    """The phone's key did not sign this very request for this passkey ceremony."""


class DeviceKeyTaken(DomainError, code="device_key_taken"):
    """The key is another device's, or a removed one's: make a new key."""


class PayerFrozen(DomainError, code="payer_frozen"):
    """The payer's account is frozen."""


class PayeeFrozen(DomainError, code="payee_frozen"):
    """The payee's account is frozen."""


class LimitExceeded(DomainError, code="limit_exceeded"):
    """params: limit (its name), left_fen."""


class NeedsPasskey(DomainError, code="needs_passkey"):
    """More than this device may pay without a passkey, and it has none yet."""


class KnownPayeesOnly(DomainError, code="known_payees_only"):
    """A new device pays known payees only; params: hours."""


class IntentInvalid(DomainError, code="intent_invalid"):
    """The transfers are not what the intent says."""


class IntentExpired(DomainError, code="intent_expired"):
    """Too late: start again."""


class IntentUsed(DomainError, code="intent_used"):
    """A verdict was given for it and has ended."""


class PasskeyRequired(DomainError, code="passkey_required"):
    """The intent takes a passkey and none came."""


class BankWordInvalid(DomainError, code="bank_word_invalid"):
    """Not signed by the bank, or about another order, amount or person."""


class PayCodeInvalid(DomainError, code="pay_code_invalid"):
    """Unknown, used, expired or revoked; nobody is told which."""


class TooManyCodesAhead(DomainError, code="too_many_codes_ahead"):
    """params: limit."""


class TooManyGuesses(DomainError, code="too_many_guesses"):
    """This terminal has read too many wrong codes; params: seconds."""


class MemberForbidden(DomainError, code="member_forbidden"):
    """The actor is no member of the shop, or the role does not allow it."""


class InvitationInvalid(DomainError, code="invitation_invalid"):
    """Unknown, used, withdrawn or older than a day."""


class AlreadyMember(DomainError, code="already_member"):
    """The person belongs to the shop."""


class RefundTooMuch(DomainError, code="refund_too_much"):
    """More than is left of the payment; params: left_fen."""


class RefundTooLate(DomainError, code="refund_too_late"):
    """More than a year after the payment."""


class ReversalsExhausted(DomainError, code="reversals_exhausted"):
    """As much of the shop's money as may go back by itself in a day has gone."""


class PaymentNotSeen(DomainError, code="payment_not_seen", retryable=True):
    """The security system has not seen the payment in the books yet: again in a moment."""


class PotUnknown(DomainError, code="pot_unknown"):
    """No such pot: nobody put money into it, or it was given back."""


class PotEnded(DomainError, code="pot_ended"):
    """Its time is over, or what was left of it has gone to where its terms say."""


class PotRunning(DomainError, code="pot_running"):
    """Too early: the pot has not ended."""


class PotExceeded(DomainError, code="pot_exceeded"):
    """More than is left in the pot, or more shares than were promised; params: left_fen, left."""


class ShareTaken(DomainError, code="share_taken"):
    """The person has a share of this packet; params: person_id."""


class NotForOpener(DomainError, code="not_for_opener"):
    """The packet is for one person, and this is another; params: person_id."""


class OpenerFrozen(DomainError, code="opener_frozen"):
    """The account of whoever opens is frozen."""


class OpenLimit(DomainError, code="open_limit"):
    """The person, or the device, has opened as much as one may on a day."""


class OpenerRefused(DomainError, code="opener_refused"):
    """One of those who open may not; params: person_id, why (a refusal's code)."""


class PayoutCardUnknown(DomainError, code="payout_card_unknown"):
    """The shop's owner has not set that card with a passkey, or the bank never told us of it."""


class PostingNotSeen(DomainError, code="posting_not_seen", retryable=True):
    """Our own books do not show yet that the money has left its account."""


class DeviceTooNew(DomainError, code="device_too_new"):
    """A new device takes no money out of the wallet yet; params: hours."""


class CardMismatch(DomainError, code="card_mismatch"):
    """Money was to go to another card than the one that the bank has confirmed as the owner's."""
