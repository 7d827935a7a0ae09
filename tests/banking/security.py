"""stand-in until the real one is there"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from backend.settings import Settings
from backend.risk import AuthorizeTopUp, Risk
from backend.verdict import SignedVerdict
from tests.ledger.signing import Authority
from typing import cast


class R:
    def __init__(self, s: Settings) -> None:
        self.a = Authority(s)

    async def authorize_top_up(self, a: AuthorizeTopUp) -> SignedVerdict:
        return self.a.allow(a.intent.posting)


@asynccontextmanager
async def security(settings: Settings) -> AsyncIterator[Risk]:
    yield cast(Risk, R(settings))
