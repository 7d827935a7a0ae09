"""The order of things: databases, then parts, then wait, then all of it backwards."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

from backend.settings import Settings
from backend.supervisor import clusters, plan, probes
from backend.supervisor import home as homes
from backend.supervisor.errors import UpError
from backend.supervisor.home import Home
from backend.supervisor.parts import ROOT, Keeper, Say, last_line

SYSTEMS = ("tx", "sec")


def up(settings: Settings, say: Say) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises UpError."""
    home = homes.find(settings)
    homes.make(home)
    if home.remark:
        say(home.remark)
    with homes.locked(home):
        asyncio.run(_Run(settings, home, say).run())


class _Run:
    def __init__(self, settings: Settings, home: Home, say: Say) -> None:
        self._given, self._home, self._say = settings, home, say
        self._clusters: dict[str, Keeper] = {}
        self._parts: dict[str, Keeper] = {}
        self._began = time.monotonic()

    async def run(self) -> None:
        stopped = _stop_signals()
        serving = asyncio.create_task(self._serve())
        waiting = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()  # what went wrong, if anything
                await waiting
            self._say("stopping")
        finally:
            for task in (serving, waiting):
                task.cancel()
            await asyncio.gather(serving, waiting, return_exceptions=True)
            await self._stop()
        self._say("stopped")

    async def _serve(self) -> None:
        settings = homes.completed(self._given, self._home)
        for host, port, what in plan.ports(settings):
            await probes.check_port(host, port, what)
        own = [s for s in SYSTEMS if homes.embedded(self._given, s)]
        if all(clusters.prepared(self._home, system) for system in own) and len(own) == 2:
            # Nothing to migrate: the parts load while the databases start, and wait for them.
            await _all(self._start_clusters(own), self._start_parts())
        else:
            await self._start_clusters(own)
            await _all(
                *(
                    clusters.prepare(self._home, system, self._given, self._say)
                    for system in SYSTEMS
                )
            )
            await self._start_parts()
        await self._seed()
        self._say(f"ready after {time.monotonic() - self._began:.1f} s\n")
        self._show()

    async def _start_clusters(self, systems: list[str]) -> None:
        await _all(*(self._start_cluster(system) for system in systems))

    async def _start_cluster(self, system: str) -> None:
        await clusters.make(self._home, system, self._say)
        self._clusters[system] = clusters.keeper(self._home, system, self._say)
        await self._clusters[system].start()

    async def _start_parts(self) -> None:
        settings = homes.completed(self._given, self._home)
        for name, part in plan.parts(settings, self._home).items():
            self._parts[name] = Keeper(part, self._say)
        await _all(*(keeper.start() for keeper in self._parts.values()))

    async def _seed(self) -> None:
        """Demo data once per data folder."""
        seeded = self._home.folder / "demo-seeded"
        if not self._given.demo or seeded.exists():
            return
        began = time.monotonic()
        settings = homes.completed(self._given, self._home)
        log = self._home.log("demo")
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *plan.command("demo"),
                env=plan.environment(settings, "demo"),
                stdout=output,
                stderr=output,
                cwd=ROOT,
            )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if code:
            raise UpError(f"demo data failed: {last_line(log)}")
        seeded.touch()
        self._say(f"demo data … made {time.monotonic() - began:.1f} s")

    def _show(self) -> None:
        settings = homes.completed(self._given, self._home)
        self._say(f"  wallet      {settings.public_origin}")
        if settings.demo:
            self._say("              one tap enters the demo consumer or the demo shop")
            self._say(f"  text messages  {settings.sms_url}")
            self._say(f"  bank           {settings.bank_url}")
        self._say(f"  health      http://127.0.0.1:{settings.internal_port}/health/ready")
        self._say(f"  logs        {_short(self._home.folder / 'log')}")
        self._say("Ctrl-C stops everything.")

    async def _stop(self) -> None:
        for group in plan.STOP_ORDER:
            started = [self._parts[name] for name in group if name in self._parts]
            await asyncio.gather(*(keeper.stop() for keeper in started))
        await asyncio.gather(*(keeper.stop() for keeper in self._clusters.values()))


async def _all(*work: object) -> None:
    """Together; the first failure cancels the rest and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)  # type: ignore[arg-type]
    except BaseExceptionGroup as failed:
        raise _first(failed) from None


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _stop_signals() -> asyncio.Event:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
