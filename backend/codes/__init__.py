"""What codes say: EMVCo payloads, our own addresses, and what a scanner has read. Pure functions.

Our own addresses are a path of one letter and 26 base32 characters, in either case:
/p/ a shop's static code, /o/ an order, /u/ a personal code, /r/ a red packet, /l/ a sign-in,
/j/ an invitation to a shop, /f/ a person's friend link, /g/ a group's, with their secrets.
"""

import msgspec

MAX_SCANNED = 1024  # characters; a QR code of ours has at most about 300

ADDRESSES = {"p": "stc", "o": "ord", "u": "rcv", "r": "red", "l": "sgn"}
"""Letter of the path → prefix of the id behind it."""


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What a scanner read, classified.

    kind: "static", "order", "personal", "packet", "sign_in" (ref is the id; of a static code also
    its 8 digits), "invitation", "friend" and "group" (ref is the secret); "pay_code" (somebody's
    payment code: only tills read those); "card" (a bank card's or other digits); "wallet" (foreign:
    name says whose); "emv" (a sound EMVCo code of somebody else, name is theirs); "broken" (an
    EMVCo code that is damaged; name is the reason's machine word); "address" (an unknown web
    address); "unknown".
    """

    kind: str
    ref: str = ""
    name: str = ""
    amount_fen: int | None = None  # of an EMVCo payload of ours
