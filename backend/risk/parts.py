"""What the security system's verbs are made with."""

import msgspec

from backend.clock import Clock
from backend.keys import Signer
from backend.risk.bank_keys import BankKeys
from backend.risk.passkeys import RelyingParty
from backend.risk.signing import Signatures
from backend.risk.sms import SmsGateway


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    clock: Clock
    party: RelyingParty
    api: str  # what the addresses of phones' calls begin with
    sms: SmsGateway
    signer: Signer  # of verdicts, and of leaves for the bank
    signatures: Signatures
    bank_keys: BankKeys
    code_key: bytes  # of the hashes of payment codes; 32 bytes
    audited: bool  # nothing leaves for a card before the auditor has seen it in the books
