"""The risk process: its own process, its published key, its two faces, and a clean stop."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from backend import keys, rpc
from backend import settings as settings_module
from backend.errors import BadRequest, Unavailable
from backend.risk import Risk
from backend.risk.demo import RiskWithDemo
from backend.settings import Settings

RUN = "import asyncio; from backend import settings; from backend.risk.process import run; "
RUN += "asyncio.run(run(settings.load()))"


async def start(settings: Settings, demo: bool) -> asyncio.subprocess.Process:
    environment = settings_module.to_environment(settings) | {"YIPAY_DEMO": str(demo).lower()}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)


async def ready(settings: Settings) -> None:
    """Wait until it answers."""
    for _ in range(300):
        remote, client = rpc.connect(Risk, settings.risk_rpc, settings)
        try:
            await remote.ping()
        except Unavailable:
            await asyncio.sleep(0.1)
        else:
            return
        finally:
            await client.close()
    raise AssertionError("the risk process did not answer")


@pytest.mark.parametrize("stop_by", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("demo", [False, True])
async def test_it_serves_and_stops(settings: Settings, demo: bool, stop_by: signal.Signals) -> None:
    process = await start(settings, demo)
    try:
        await ready(settings)
        remote, client = rpc.connect(RiskWithDemo, settings.risk_rpc, settings)
        person_id = "usr_01k0000000000000000000000x"
        asked = (person_id, "演示", "+8613800138000", "浏览器")
        if demo:
            assert (await remote.demo_enrol(*asked)).person_id == person_id
        else:
            with pytest.raises(BadRequest):
                await remote.demo_enrol(*asked)
        await client.close()
        assert len(keys.published(Path(settings.verdict_keys))) == 1
        assert (Path(settings.keys_dir) / "verdict.key").stat().st_mode & 0o777 == 0o600
    finally:
        process.send_signal(stop_by)
        assert await asyncio.wait_for(process.wait(), 30) == 0
