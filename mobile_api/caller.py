"""What a handler knows of its caller, and the ids of a write."""

from collections.abc import Callable

import msgspec

from backend import ids
from backend.identity import Person


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Proven by the access token and by the phone's own key.

    proof: the DPoP proof of this very request. It goes wherever the services take a device secret:
    the security system verifies it for itself.
    """

    person: Person
    session_id: str
    device_id: str
    proof: str
    address: str  # of the network, for limits


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """One write, by its Idempotency-Key: the same key makes the same ids, also after a crash.

    not_for_good: says that asking again may change the answer, so that it is not kept.
    """

    seed: str
    not_for_good: Callable[[], None]

    def id(self, prefix: str, *parts: str) -> str:
        """`parts` tell two ids of one prefix apart."""
        return ids.derived(prefix, "api", self.seed, *parts)
