"""The security system in both forms: in this process, and behind its socket."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backend import db, rpc
from backend.clock import FixedClock
from backend.risk.demo import RiskWithDemo
from backend.risk.service import DemoService, build
from backend.settings import Settings
from tests.risk.people import BANK_KEY, BANK_KEY_ID, Outbox, World

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


@pytest.fixture
def bank_keys(settings: Settings) -> None:
    """The bank has published its key."""
    public = BANK_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    Path(settings.bank_keys).write_bytes(msgspec.json.encode({BANK_KEY_ID: public.hex()}))


@pytest.fixture
async def sec(settings: Settings, bank_keys: None) -> AsyncIterator[Settings]:
    """The security system's database alone, in demo mode."""
    await db.SEC.open(settings.sec_url)
    yield msgspec.structs.replace(settings, demo=True)
    await db.SEC.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture(params=["local", "remote"])
async def world(
    request: Any, sec: Settings, clock: FixedClock, outbox: Outbox
) -> AsyncIterator[World]:
    service = build(sec, clock, outbox, audited=False)
    assert isinstance(service, DemoService)
    if request.param == "local":
        yield World(service, clock, outbox)
        return
    close = await rpc.serve(RiskWithDemo, service, sec.risk_rpc, sec)
    remote, client = rpc.connect(RiskWithDemo, sec.risk_rpc, sec)
    yield World(remote, clock, outbox)
    await client.close()
    await close()
