"""Who calls: an access token, and a proof by the phone's own key for this very request (RFC 9449).

A proof is for one method, address, token, body and moment, carries our nonce and is spent once. The
security system verifies it again for itself wherever money or security is at stake: whose it is,
that it is for a call of that operation, and that it was not spent for other money.
"""

import hmac
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import msgspec
import structlog
from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from backend import proof
from backend.access_token import TokenInvalid
from backend.base64url import base64url
from backend.clock import Clock, from_ms
from backend.errors import DomainError
from backend.identity import ProofsForgotten, SignedOut, SpentProof
from backend.proof import MAX_SKEW_S, Proof, ProofInvalid
from backend.services import Services
from backend.settings import Settings
from mobile_api.caller import Caller
from mobile_api.strict import StrictRequest

OPT = "open"  # handlers that nobody need be signed in for
SCHEME = "DPoP"
CHALLENGE = 'DPoP algs="ES256 EdDSA"'

# What RFC 6750, RFC 6749 and RFC 9449 call our refusals.
ERRORS: Mapping[str, str] = {
    "token_invalid": "invalid_token",
    "signed_out": "invalid_token",
    "proof_refused": "invalid_dpop_proof",
    "proof_replayed": "invalid_dpop_proof",
    "use_dpop_nonce": "use_dpop_nonce",
}
REFRESH_REFUSED = "invalid_grant"
KEPT = timedelta(minutes=1)  # beyond a proof's own end: who forgets it has a clock of its own
_CALLER, _HOLDER, _REFUSED = "caller", "holder", "auth_refused"

_log = structlog.get_logger(__name__)


class ProofRefused(DomainError, code="proof_refused"):
    """The proof is missing, or not for this request; params: why."""


class NonceWanted(DomainError, code="use_dpop_nonce"):
    """The proof carries no nonce of ours, or an old one: again with the one in DPoP-Nonce."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a key, whoever that is: of a request that nobody is signed in for.

    proof: for the security system, which verifies it itself.
    """

    thumbprint: str
    proof: str
    address: str


class AuthMiddleware(ASGIMiddleware):
    """Finds the caller. Handlers with the opt `open` have none.

    Refuses: SignedOut, TokenInvalid, ProofRefused, ProofReplayed, NonceWanted.
    """

    scopes = (ScopeType.HTTP,)
    exclude_opt_key = OPT

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request = StrictRequest(scope, receive)
        with refusing(scope):
            scope["state"][_CALLER] = await _caller(request)
        await next_app(scope, receive, send)


def refused(scope: Scope) -> str | None:
    """What RFC 6750 and RFC 9449 call why this request was not let in, "" for no token; None if
    nobody refused it."""
    found = scope["state"].get(_REFUSED)
    return found if isinstance(found, str) else None


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    found = request.scope["state"].get(_CALLER)
    assert isinstance(found, Caller), "an open handler has no caller"
    return found


async def provide_holder(request: Request[Any, Any, Any]) -> Holder:
    """The same all through a request: its proof is spent once. Refuses: ProofRefused,
    ProofReplayed, NonceWanted."""
    known = request.scope["state"].get(_HOLDER)
    if isinstance(known, Holder):
        return known
    with refusing(request.scope):
        text, proven = await _proven(request, "")
        async with _remembering(_services(request)) as memory_id:
            await _services(request).identity.spend_proof(_spent(proven, memory_id))
    found = Holder(thumbprint=proven.thumbprint, proof=text, address=_address(request))
    request.scope["state"][_HOLDER] = found
    return found


async def auth_headers(message: Message, scope: Scope) -> None:
    """A nonce with every answer, and with a 401 why (RFC 6750, RFC 9449). A `before_send` hook."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    services = scope["litestar_app"].state.get("services")
    if services is not None:
        headers["dpop-nonce"] = services.nonces.current()
    if message["status"] == 401:
        error = scope["state"].get(_REFUSED, "")
        headers["www-authenticate"] = f'{CHALLENGE}, error="{error}"' if error else CHALLENGE


async def _caller(request: Request[Any, Any, Any]) -> Caller:
    services = _services(request)
    token = _token(request)
    access = services.tokens.read(token)
    text, proven = await _proven(request, token)
    if not hmac.compare_digest(access.cnf.jkt, proven.thumbprint):
        raise TokenInvalid()
    async with _remembering(services) as memory_id:
        found = await services.identity.phone_caller(access.sid, _spent(proven, memory_id))
    session = found.session
    if (session.person_id, session.device_id) != (access.sub, access.dev):
        raise TokenInvalid()
    return Caller(
        person=found.person,
        session_id=session.session_id,
        device_id=session.device_id,
        proof=text,
        address=_address(request),
    )


def _token(request: Request[Any, Any, Any]) -> str:
    """Refuses: SignedOut (there is none), TokenInvalid (of another scheme, or two)."""
    given = request.headers.getall("authorization", [])
    if not given:
        raise SignedOut()
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != SCHEME.lower():
        raise TokenInvalid()
    return token


async def _proven(request: Request[Any, Any, Any], token: str) -> tuple[str, Proof]:
    """The proof, if it is for this request. Refuses: ProofRefused, NonceWanted."""
    given = request.headers.getall("dpop", [])
    if len(given) != 1:
        raise ProofRefused(why="missing" if not given else "several")
    try:
        found = proof.read(given[0])
    except ProofInvalid as error:
        raise ProofRefused(why=str(error)) from None
    if why := _mismatch(request, found, token, await request.body()):
        raise ProofRefused(why=why)
    if not _services(request).nonces.is_good(found.nonce):
        raise NonceWanted()
    return given[0], found


def _mismatch(request: Request[Any, Any, Any], found: Proof, token: str, body: bytes) -> str:
    """What the proof says otherwise than the request, in a word; "" if nothing."""
    settings: Settings = request.app.state.settings
    clock: Clock = request.app.state.clock
    wanted = {
        "method": (found.htm, request.method),
        "address": (unquote(found.htu), f"{settings.public_origin}/api{request.scope['path']}"),
        "token": (found.ath, _digest(token.encode()) if token else ""),
        # Of an empty body it may be told or left out.
        "body": (found.bsh, _digest(body) if body or found.bsh else ""),
    }
    for why, (told, true) in wanted.items():
        if not hmac.compare_digest(told.encode(), true.encode()):
            return why
    return "" if found.is_fresh(clock.now()) else "time"


@contextmanager
def refusing(scope: Scope, error: str = "") -> Iterator[None]:
    """Keeps why, for the header of the answer: this error, or what the refusal is called."""
    try:
        yield
    except DomainError as refusal:
        scope["state"][_REFUSED] = error or _called(refusal, scope)
        _log.info("not_let_in", code=refusal.code, why=refusal.params.get("why", ""))
        raise


def _called(refusal: DomainError, scope: Scope) -> str:
    """ "" where no token was shown at all: nothing was wrong with it (RFC 6750 §3.1)."""
    if isinstance(refusal, SignedOut) and b"authorization" not in dict(scope["headers"]):
        return ""
    return ERRORS.get(refusal.code, "")


@asynccontextmanager
async def _remembering(services: Services) -> AsyncIterator[str]:
    """The memory that the nonce of this proof was made for. Entered where the nonce was checked:
    nothing waits in between. Refuses: NonceWanted (a crash emptied that memory)."""
    try:
        yield services.nonces.memory_id
    except ProofsForgotten:
        services.nonces.memory_id = await services.identity.proof_memory()
        raise NonceWanted() from None


def _spent(proven: Proof, memory_id: str) -> SpentProof:
    ends_at = from_ms((proven.iat + MAX_SKEW_S) * 1000) + KEPT
    return SpentProof(
        thumbprint=proven.thumbprint, jti=proven.jti, ends_at=ends_at, memory_id=memory_id
    )


def _services(request: Request[Any, Any, Any]) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


def _address(request: Request[Any, Any, Any]) -> str:
    """The socket's: nothing a client can write into a header."""
    return request.client.host if request.client else ""


def _digest(data: bytes) -> str:
    return base64url(sha256(data).digest())
