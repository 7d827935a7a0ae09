"""Where a browser stands in signing up, kept in its own cookie. Nothing is believed because of it:
the security system knows which number was proven."""

import base64
import binascii
from datetime import datetime

import msgspec

from backend.ids import Id
from backend.risk import Phone
from web.http import WebRequest
from web.security.cookies import ENROLMENT


class Enrolment(msgspec.Struct, frozen=True, array_like=True):
    """proven: the code was right; the next step is the passkey."""

    enrolment_id: Id
    phone: Phone
    resend_at: datetime
    proven: bool = False


def pack(enrolment: Enrolment) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(enrolment)).decode().rstrip("=")


def of(request: WebRequest) -> Enrolment | None:
    """None if there is none or it is damaged: then signing up starts again."""
    packed = request.cookies.get(ENROLMENT, "")
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        return msgspec.msgpack.decode(raw, type=Enrolment)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
