"""The bank's call-backs. No session and no token of ours: the bank signs what it says."""

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency

from backend.errors import BadRequest
from backend.risk import BankWord
from backend.services import Services
from web.http import WebRequest

_words = msgspec.json.Decoder(BankWord)


@post("/bank/callbacks", status_code=204, opt={"asset": True, "exclude_from_csrf": True})
async def heard(request: WebRequest, services: NamedDependency[Services]) -> Response[None]:
    """Any answer but 2xx makes the bank say it again. Refuses: BadRequest, BankWordInvalid."""
    try:
        word = _words.decode(await request.body())
    except msgspec.MsgspecError:
        raise BadRequest() from None
    await services.banking.bank_said(word)
    return Response(None, status_code=204)


handlers = [heard]
