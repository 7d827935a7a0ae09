"""Demo mode on real parts: sandbox bank, risk and ledger across their sockets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from backend import rpc, services
from backend.ledger import Ledger
from backend.ledger.service import running
from backend.risk.demo import RiskWithDemo
from backend.risk.service import build
from backend.sandbox import bank
from backend.services import Services
from backend.settings import Settings
from tests.ports import free_port


@pytest.fixture
async def demo(databases: Settings) -> AsyncIterator[Settings]:
    settings = msgspec.structs.replace(
        databases, demo=True, port=free_port(), bank_url=f"http://127.0.0.1:{free_port()}"
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(await bank.serve(settings))
        stack.push_async_callback(
            await rpc.serve(
                RiskWithDemo, build(settings, audited=False), settings.risk_rpc, settings
            )
        )
        ledger = await stack.enter_async_context(running(settings))
        stack.push_async_callback(await rpc.serve(Ledger, ledger, settings.ledger_rpc, settings))
        yield settings


@pytest.fixture
async def product(demo: Settings) -> AsyncIterator[Services]:
    built, close = await services.build(demo)
    yield built
    await close()
