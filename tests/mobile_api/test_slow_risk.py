"""A security system past its deadline, behind a real line, over the JSON face: without a verdict
nothing moves, whatever was carried out over there; healed, the same call is done once."""

from collections.abc import AsyncIterator

import pytest

from backend import risk, rpc
from backend.db import LEDGER
from backend.rpc import client as rpc_client
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import keeper_of, yuan
from tests.phone import Phone
from tests.world import Line, World

DEADLINE_S = 0.2
FEN = 23_00
KEY = "a-payment-that-waits"


@pytest.fixture
async def far(world: World) -> AsyncIterator[Line]:
    """The real system at the other end of a socket; faults happen over there."""
    line = Line(world.risk.end)
    stop = await rpc.serve(risk.Risk, line, world.settings.risk_rpc, world.settings)
    remote, client = rpc.connect(risk.Risk, world.settings.risk_rpc, world.settings)
    world.risk.lead_to(remote)
    yield line
    world.risk.lead_to(line.end)
    await client.close()
    await stop()


@pytest.fixture
async def keeper(phones: Phones) -> Phone:
    return await keeper_of(phones)


async def postings() -> int:
    [row] = await LEDGER.query("select count(*) as n from ledger.posting")
    return int(row["n"])


async def test_past_its_deadline_nothing_is_paid(
    far: Line, keeper: Phone, phone: Phone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await keeper.api.create_till_order(yuan(FEN))
    body, before = {"order": order["id"]} | yuan(FEN), await postings()
    with monkeypatch.context() as patch:
        patch.setattr(rpc_client, "CALL_TIMEOUT_S", DEADLINE_S)
        far.slow_s = DEADLINE_S * 2
        for _ in range(2):
            answer = await phone.post("/v1/payments", body, KEY)
            told = is_problem(answer, 503, "risk_unavailable")
            assert (told["retryable"], told["money_moved"]) == (True, "no")
            assert "retry-after" in answer.headers
    far.heal()
    assert await postings() == before
    paid = await phone.consent(await phone.post("/v1/payments", body, KEY))
    assert paid.json()["status"] == "posted"
    assert await postings() == before + 1
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00 - FEN


async def test_past_its_deadline_nothing_is_charged_at_the_till(
    far: Line, keeper: Phone, phone: Phone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code may have been burned over there: the next charge takes a new one."""
    code = (await phone.api.create_payment_code())["code"]
    before = await postings()
    with monkeypatch.context() as patch:
        patch.setattr(rpc_client, "CALL_TIMEOUT_S", DEADLINE_S)
        far.slow_s = DEADLINE_S * 2
        charge = {"pay_code": code} | yuan(FEN)
        told = is_problem(
            await keeper.post("/v1/till/charges", charge, KEY), 503, "risk_unavailable"
        )
        assert told["money_moved"] == "no"
    far.heal()
    world.later(seconds=60)
    await world.services.payments.sweep()
    assert await postings() == before
    charge = {"pay_code": (await phone.api.create_payment_code())["code"]} | yuan(FEN)
    assert (await keeper.api.charge_payment_code(charge))["state"] == "paid"
    assert await postings() == before + 1
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00 - FEN
