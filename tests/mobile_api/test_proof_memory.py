"""PostgreSQL crashes, and with it goes what remembered spent proofs: nobody can spend one again.
The phone that is asked for a new one makes it, and goes on at once."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from backend import db, ids, roles
from backend.migrate import migrate
from backend.postgres import SUPERUSER, Cluster
from backend.settings import Settings
from tests.conftest import PASSWORD, Servers, enterable, point_at, start_cluster, stop_cluster
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem

pytestmark = [pytest.mark.crash, pytest.mark.timeout(200)]

TRIES = 100


class Crashing(msgspec.Struct):
    """A durable cluster of this test alone."""

    folder: Path
    cluster: Cluster
    process: subprocess.Popen[bytes]

    async def whole(self) -> None:
        self.process.send_signal(signal.SIGQUIT)  # what `pg_ctl -m immediate` sends
        await asyncio.to_thread(self.process.wait)
        self.cluster, self.process = await asyncio.to_thread(start_cluster, "tx", self.folder, ())

    async def one_connection(self) -> None:
        """The server ends all others too, and recovers without having been away."""
        [row] = await db.TX.query("select pg_backend_pid() as pid")
        os.kill(row["pid"], signal.SIGKILL)


CRASHES = (Crashing.whole, Crashing.one_connection)


@pytest.fixture
async def crashing(servers: Servers) -> AsyncIterator[Crashing]:
    # Not pytest's folder: every run of pytest closes that one to the clusters' users.
    with tempfile.TemporaryDirectory(prefix="yipay-crash-", ignore_cleanup_errors=True) as name:
        folder = enterable(Path(name))
        made = Crashing(folder, *start_cluster("tx", folder, ()))
        yield made
        stop_cluster(made.process)


@pytest.fixture
async def settings(settings: Settings, servers: Servers, crashing: Crashing) -> Settings:
    """The transaction system's database is in that cluster."""
    own = point_at(crashing.cluster, servers.sec, roles.TX_DATABASE, roles.SEC_DATABASE)
    made = msgspec.structs.replace(
        settings,
        tx_url=own.tx_url,
        ledger_url=own.ledger_url,
        books_url=own.books_url,
        tx_owner_url=own.tx_owner_url,
    )
    await roles.create(
        crashing.cluster.url(SUPERUSER, PASSWORD, "postgres"),
        roles.TX_DATABASE,
        dict.fromkeys(roles.TX_ROLES, PASSWORD),
    )
    await asyncio.to_thread(migrate, made, ("tx",))
    return made


async def test_a_proof_of_before_a_crash_is_not_taken(
    crashing: Crashing, phones: Phones, api: httpx.AsyncClient
) -> None:
    phone = await phones("安娜")
    for crash in CRASHES:
        read = (await phone.get("/v1/me")).request
        written = (await phone.post("/v1/friend-links")).request
        for sent in (read, written):
            is_problem(await _stolen(api, sent), 401, "proof_replayed")
        old = phone.nonce
        await crash(crashing)
        for sent in (read, written):
            answer = await _stolen(api, sent)
            is_problem(answer, 401, "use_dpop_nonce")
            assert answer.headers["DPoP-Nonce"] != old
        assert phone.nonce == old
        await phone.done(phone.post("/v1/friend-links"))  # asked for a new one, it has it


async def _stolen(api: httpx.AsyncClient, sent: httpx.Request) -> httpx.Response:
    """The same proof by somebody else, for a write of their own, until the server is up."""
    headers = dict(sent.headers) | {"idempotency-key": ids.new("key")}
    for _ in range(TRIES):
        answer = await api.request(
            sent.method, str(sent.url), content=sent.content, headers=headers
        )
        if answer.status_code < 500:
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)
