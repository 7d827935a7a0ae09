"""The two database clusters: made, started, given roles and migrated; done work is skipped."""

import asyncio
import signal
import time
from hashlib import sha256
from pathlib import Path

from backend import roles
from backend.migrate import MigrationFailed, migrate
from backend.postgres import SUPERUSER, Cluster, PostgresError
from backend.settings import Settings
from backend.supervisor import home as homes
from backend.supervisor.errors import UpError
from backend.supervisor.home import Home
from backend.supervisor.parts import ROOT, Keeper, Part, Say

ORPHAN_PATIENCE_S = 20  # a server whose supervisor was killed is writing its last checkpoint


def keeper(home: Home, system: str, say: Say) -> Keeper:
    cluster = home.cluster(system)

    async def ready() -> bool:
        return await asyncio.to_thread(cluster.ready)

    part = Part(
        name=f"cluster {system}",
        command=tuple(cluster.command()),
        environment={"LC_ALL": "C.UTF-8"},
        log=home.log(f"postgres-{system}"),
        ready=ready,
        before=cluster.forget_dead_server,
        as_user=cluster.as_user(),
        # Fast shutdown, then immediate: what was committed is safe either way.
        stop_signals=(signal.SIGINT, signal.SIGQUIT),
        orphan_signal=signal.SIGINT,
        stop_within_s=15,
    )
    return Keeper(part, say)


async def make(home: Home, system: str, say: Say) -> None:
    """The data folder, if it is not there. Raises UpError."""
    cluster, began = home.cluster(system), time.monotonic()
    known = homes.passwords(home, system)
    try:
        made = await asyncio.to_thread(cluster.initialise, known[SUPERUSER])
    except PostgresError as error:
        raise UpError(str(error)) from None
    except OSError as error:
        raise UpError(f"{error.filename}: {error.strerror}") from None
    if made:
        say(f"cluster {system} … made {time.monotonic() - began:.1f} s")
    await _wait_for_orphan(cluster)


async def prepare(home: Home, system: str, settings: Settings, say: Say) -> None:
    """Roles, database and migrations, unless the stamp says that they are as they should be."""
    if prepared(home, system):
        return
    began = time.monotonic()
    if homes.embedded(settings, system) or home.exists(system):
        database, names = homes.SYSTEMS[system]
        known = homes.passwords(home, system)
        admin = home.cluster(system).url(SUPERUSER, known[SUPERUSER], "postgres")
        await roles.create(admin, database, {name: known[name] for name in names})
    try:
        await asyncio.to_thread(migrate, homes.completed(settings, home), (system,))
    except MigrationFailed as error:
        raise UpError(f"migrations of {error}") from None
    if home.exists(system):
        home.stamp(system).write_text(fingerprint())
    say(f"database {system} … migrated {time.monotonic() - began:.1f} s")


def prepared(home: Home, system: str) -> bool:
    stamp = home.stamp(system)
    return stamp.exists() and stamp.read_text() == fingerprint()


def fingerprint() -> str:
    """Of everything that shapes the databases. Reading it is 100 times cheaper than migrating."""
    digest = sha256()
    files = [*ROOT.glob("backend/*/migrations/*.py"), *ROOT.glob("backend/piccolo_*.py")]
    for path in sorted([*files, Path(roles.__file__)]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


async def _wait_for_orphan(cluster: Cluster) -> None:
    deadline = time.monotonic() + ORPHAN_PATIENCE_S
    while (pid := cluster.server_pid()) is not None:
        if time.monotonic() > deadline:
            raise UpError(
                f"{cluster.data}: another PostgreSQL serves it (pid {pid}); stop it first"
            )
        await asyncio.sleep(0.05)
