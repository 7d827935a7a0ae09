"""Coarse brakes, told in draft 11 of the RateLimit headers.

They keep one caller from taking up a process; each process counts for itself. The real limits are
rules of the security system, which counts in its database. An address is the socket's: behind a
proxy it is the proxy's, and all strangers share one count, which callers who are let in are not
part of.
"""

from collections import Counter
from typing import Any

import msgspec
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from backend.clock import Clock
from backend.errors import DomainError
from mobile_api import auth
from mobile_api.auth import NonceWanted
from mobile_api.caller import Caller

WINDOW_S = 60


class Quota(msgspec.Struct, frozen=True):
    """So many requests a minute."""

    name: str
    most: int


# Of a person, and of an address: where nobody is signed in, and of requests that were not let in.
# Phones of one mobile network share addresses, so theirs is the same.
PERSON = Quota("person", 600)
ADDRESS = Quota("address", 600)

KNOWN = "known"  # the opt of an open handler that who was let in before comes back to

_RATE = "rate"


class TooManyCalls(DomainError, code="too_many_calls"):
    """More requests within a minute than one caller may make; params: seconds to wait."""


class Counters:
    """Of the minute that runs; those of the last one are forgotten with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def seconds_left(self) -> int:
        return WINDOW_S - int(self._clock.now().timestamp()) % WINDOW_S

    def count(self, quota: Quota, who: str, *, by: int = 1) -> int:
        """How many are left, below 0 for one too many."""
        minute = int(self._clock.now().timestamp()) // WINDOW_S
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        self._counts[quota.name, who] += by
        return quota.most - self._counts[quota.name, who]


class Told(msgspec.Struct, frozen=True):
    quota: Quota
    left: int
    seconds: int


class AddressBrake(ASGIMiddleware):
    """Stands before whoever asks who calls: counts open routes, and requests that were not let in.
    Who is let in is never stopped by what strangers at the same address do, nor is the way in: a
    request that only lacks our nonce does not count, and getting the next tokens counts when it
    fails.

    Refuses: TooManyCalls.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, counters: Counters, quota: Quota = ADDRESS) -> None:
        self._counters, self._quota = counters, quota

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        opt = scope["route_handler"].opt
        is_stranger = bool(opt.get(auth.OPT)) and not opt.get(KNOWN)
        left = self._count(scope, 1 if is_stranger else 0)
        _told(scope, self._quota, left, self._counters)
        if is_stranger and left < 0:
            raise _too_many(self._counters)
        try:
            await next_app(scope, receive, send)
        except DomainError:
            if self._count_refused(scope, is_stranger=is_stranger) < 0:
                raise _too_many(self._counters) from None  # instead of why it was not let in
            raise
        self._count_refused(scope, is_stranger=is_stranger)

    def _count_refused(self, scope: Scope, *, is_stranger: bool) -> int:
        """How many are left; 0 at least where this one does not count."""
        refused = auth.refused(scope)
        only_nonce = refused == NonceWanted.code
        if is_stranger and only_nonce:
            self._count(scope, -1)
        if is_stranger or only_nonce or refused is None:
            return 0
        left = self._count(scope, 1)
        _told(scope, self._quota, left, self._counters)
        return left

    def _count(self, scope: Scope, by: int) -> int:
        client = scope["client"]
        return self._counters.count(self._quota, client[0] if client else "", by=by)


class PersonBrake(ASGIMiddleware):
    """Stands behind whoever knows the caller. Refuses: TooManyCalls."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, counters: Counters, quota: Quota = PERSON) -> None:
        self._counters, self._quota = counters, quota

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        caller = scope["state"].get("caller")
        if isinstance(caller, Caller):
            left = self._counters.count(self._quota, caller.person.person_id)
            _told(scope, self._quota, left, self._counters)
            if left < 0:
                raise _too_many(self._counters)
        await next_app(scope, receive, send)


async def rate_headers(message: Message, scope: Scope) -> None:
    """A `before_send` hook."""
    told = scope["state"].get(_RATE)
    if message["type"] != "http.response.start" or not isinstance(told, Told):
        return
    headers = MutableScopeHeaders.from_message(message)
    headers["ratelimit-policy"] = f'"{told.quota.name}";q={told.quota.most};w={WINDOW_S}'
    headers["ratelimit"] = f'"{told.quota.name}";r={told.left};t={told.seconds}'


def _told(scope: Any, quota: Quota, left: int, counters: Counters) -> None:
    scope["state"][_RATE] = Told(quota, max(left, 0), counters.seconds_left())


def _too_many(counters: Counters) -> TooManyCalls:
    return TooManyCalls(seconds=counters.seconds_left())
