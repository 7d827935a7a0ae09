"""Writes that a phone may repeat: the Idempotency-Key (Internet-Draft 07, still a draft).

Every unsafe method needs one, but for handlers with opt={"idempotent": False}: their answers are
secrets, and they carry ids of their own. Who runs a write gets ids from its key (`Once`), so that
one that was cut off half-way goes on where it stood, even when no answer was kept. FRESH: answers
that are secrets or live for minutes are not kept; asked again, they are made again. REPEATABLE: the
database decides it once, so who asks again after a crash need not wait until the first is surely
dead; `repeatable_but(field)` where that field of the body is a guess, and guesses are counted.

A key is its caller's own: of a person, for staff in the shop that they act for, or, where nobody is
signed in, of the phone's key that has just proven itself.
"""

import asyncio
import re
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
import structlog
from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from backend.idempotency import (
    LEASE,
    MAX_KEY_CHARS,
    MIN_KEY_CHARS,
    SHORT_LEASE,
    Answer,
    Claim,
    Idempotency,
    KeyInvalid,
    KeyMissing,
    Write,
)
from mobile_api import seat
from mobile_api.auth import provide_holder
from mobile_api.caller import Caller, Once
from mobile_api.strict import StrictRequest

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPT = "idempotent"
_FRESH = "fresh"
FRESH = {_FRESH: True}
_LEASE, _GUESS = "lease", "guess"
REPEATABLE = {_LEASE: SHORT_LEASE}
HEADER, REPLAYED = "idempotency-key", "idempotent-replayed"

# Nothing was begun: the key is free for the mended request. (401 and 429 too: who may not ask now
# may ask later.)
FORGOTTEN = frozenset({400, 401, 404, 405, 413, 415, 429})
_KEY = re.compile(rf"[\x21-\x7e]{{{MIN_KEY_CHARS},{MAX_KEY_CHARS}}}")
_RETRYABLE, _ONCE = "retryable", "once"

_log = structlog.get_logger(__name__)


class IdempotencyMiddleware(ASGIMiddleware):
    """Stands behind the one that knows the caller.

    Refuses: KeyMissing, KeyInvalid, KeyReused, WriteRunning, Invalid, and as who may do it.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] != ScopeType.HTTP or not _is_once(scope):
            await next_app(scope, receive, send)
            return
        request = StrictRequest(scope, receive)
        write = await _write(request, await _account(request))
        idempotency: Idempotency = scope["litestar_app"].state.services.idempotency
        begun = await _begun(idempotency, write, await _lease(request))
        if isinstance(begun, Answer):
            await _answer(send, begun, replayed=True)
            return
        scope["state"][_ONCE] = Once(seed=_seed(write), not_for_good=partial(not_for_good, scope))
        heard = _Heard()
        try:
            await next_app(scope, receive, heard.send)
        except BaseException:
            await idempotency.release(begun)
            raise
        await _answer(send, await _settled(idempotency, begun, heard.answer(), scope))


def repeatable_but(guess: str) -> dict[str, Any]:
    """The opt of handlers that are REPEATABLE unless this field of the body says something."""
    return REPEATABLE | {_GUESS: guess}


def not_for_good(scope: Scope) -> None:
    """This answer is one that trying again may change: it is not kept."""
    scope["state"][_RETRYABLE] = True


async def provide_once(request: Request[Any, Any, Any]) -> Once:
    found = request.scope["state"].get(_ONCE)
    assert isinstance(found, Once), "only a write with an Idempotency-Key makes ids"
    return found


class _Heard:
    """What the handler says, held back until it is kept."""

    def __init__(self) -> None:
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message["body"]

    def answer(self) -> Answer:
        assert self._start is not None
        assert self._start["type"] == "http.response.start"
        headers = tuple((bytes(name), bytes(value)) for name, value in self._start["headers"])
        return Answer(self._start["status"], headers, bytes(self._body))


async def _lease(request: StrictRequest) -> timedelta:
    opt = request.route_handler.opt
    if _GUESS in opt and getattr(await request.json(), opt[_GUESS]):
        return LEASE
    found = opt.get(_LEASE, LEASE)
    assert isinstance(found, timedelta)
    return found


async def _begun(idempotency: Idempotency, write: Write, lease: timedelta) -> Claim | Answer:
    """Whoever is cancelled while the lease is being taken gives it back."""
    beginning = asyncio.ensure_future(idempotency.begin(write, lease))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        with suppress(Exception):  # refused: there is nothing to give back; else the lease ends
            begun = await beginning
            if isinstance(begun, Claim):
                await idempotency.release(begun)
        raise


async def _settled(idempotency: Idempotency, claim: Claim, answer: Answer, scope: Scope) -> Answer:
    if scope["state"].get(_RETRYABLE) or answer.status >= 500:
        await idempotency.release(claim)
        return answer
    if answer.status in FORGOTTEN:
        await idempotency.forget(claim)
        return answer
    if scope["route_handler"].opt.get(_FRESH):
        await idempotency.release(claim)
        return answer
    try:
        return await idempotency.keep(claim, answer)
    except Exception:
        # It is done: its caller must hear so. Asked again, the same ids find what was done.
        _log.exception("answer_not_kept")
        return answer


async def _account(request: StrictRequest) -> str:
    """Whose key it is. Who may not do this (any more) gets no kept answer either. Refuses: NoShop,
    PermissionMissing, ProofRefused, ProofReplayed, NonceWanted."""
    caller = request.scope["state"].get("caller")
    if not isinstance(caller, Caller):
        return (await provide_holder(request)).thumbprint
    if seat.OPT not in request.route_handler.opt:
        return caller.person.person_id
    services = request.app.state.services
    found = await seat.find_seat(request, caller, services)
    return f"{caller.person.person_id}\n{found.shop_id}"


async def _write(request: StrictRequest, account: str) -> Write:
    key = _key(request)
    decoded = await request.json()
    content = (
        request.scope["path"].encode(),
        request.scope["query_string"],
        msgspec.json.encode(decoded, order="deterministic"),
    )
    return Write(
        account=account,
        route=f"{request.method} {request.scope['path_template']}",
        key=key,
        content=b"\0".join(content),
    )


def _key(request: StrictRequest) -> str:
    """As a structured field, in quotes, or plain."""
    given = request.headers.get(HEADER)
    if given is None:
        raise KeyMissing()
    if len(given) > 1 and given[0] == given[-1] == '"':
        given = given[1:-1]
    if _KEY.fullmatch(given) is None:
        raise KeyInvalid()
    return given


def _seed(write: Write) -> str:
    return sha256("\0".join(("once", write.account, write.route, write.key)).encode()).hexdigest()


def _is_once(scope: Any) -> bool:
    if scope["method"] in SAFE_METHODS:
        return False
    return bool(scope["route_handler"].opt.get(OPT, True))


async def _answer(send: Send, answer: Answer, *, replayed: bool = False) -> None:
    start: Any = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": list(answer.headers),
    }
    if replayed:
        MutableScopeHeaders.from_message(start)[REPLAYED] = "true"
    await send(start)
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
