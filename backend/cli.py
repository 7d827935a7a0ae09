"""The command line: `yipay up` for everything, the other commands for one part each."""

import asyncio
import inspect
import signal
import sys
from collections.abc import Awaitable, Callable, Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import asyncpg
import click
import msgspec
import uvloop

from backend import logs, roles
from backend import settings as settings_module
from backend.clock import clock_for
from backend.errors import DomainError, NotFound
from backend.migrate import MigrationFailed, migrate
from backend.postgres import PostgresError
from backend.settings import Settings, SettingsError
from backend.supervisor import home
from backend.supervisor.errors import UpError

SMS_OFFSET, BANK_OFFSET = 3, 4  # of the sandboxes' ports from the wallet's, as in the defaults
DATABASE_PATIENCE_S = 60
NEIGHBOUR_TRIES = 200  # 10 s and more
PROBES = "backend.supervisor.probes"
NEEDS_LEDGER = ("bff", "worker", "demo")

# Where each part's `run(settings)` is.
PARTS = {
    "risk": "backend.risk.process",
    "ledger": "backend.ledger.process",
    "bff": "backend.server",
    "bank": "backend.sandbox.bank",
    "sms": "backend.sandbox.sms",
    "worker": "backend.worker",
}


def main() -> None:
    """One clear line and a non-zero exit for what a person can put right."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except SettingsError as error:
        _fail(str(error), code=2)
    except (UpError, PostgresError, MigrationFailed) as error:
        _fail(str(error))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """易支付 YiPay: a wallet of two independent systems. Settings are YIPAY_* variables."""


@cli.command()
@click.option("--demo", is_flag=True, help="Sandbox bank and SMS, demo consumer and shop.")
@click.option("--port", type=click.IntRange(1, 65530), help="Of the wallet; others follow it.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Where everything is kept.")
def up(demo: bool, port: int | None, data_dir: str | None) -> None:
    """Start both systems here and watch over them until Ctrl-C."""
    settings = _with_options(settings_module.read(), demo, port, data_dir)
    _loaded("backend.supervisor.run").up(settings, click.echo)


@cli.command()
@click.argument("part", type=click.Choice([name for name in PARTS if name != "worker"]))
def serve(part: str) -> None:
    """Run one part alone, until SIGTERM."""
    _run_part(part)


@cli.command()
def worker() -> None:
    """Run the jobs, until SIGTERM."""
    _run_part("worker")


@cli.command("migrate")
def migrate_command() -> None:
    """Bring both databases to this version, under an advisory lock."""
    settings = _settings()
    _need(settings, "tx_owner_url", "sec_owner_url")
    migrate(settings)


@cli.command("roles")
def roles_command() -> None:
    """Create databases and roles on your own servers.

    Reads the superuser's URL of the tx server, then of the sec server, a line each, from standard
    input. Names and passwords of the roles are those in YIPAY_*_URL.
    """
    settings = settings_module.load()
    for system, names in home.URLS.items():
        _need(settings, *names)
        admin_url = sys.stdin.readline().strip()
        if not admin_url:
            _fail(f"expected the superuser's URL of the {system} server on standard input", code=2)
        urls = {role: getattr(settings, name) for name, role in names.items()}
        _connectable(roles.create_from_urls(admin_url, urls))
        click.echo(f"{system}: database and roles are there")


@cli.command()
def audit() -> None:
    """Recompute the books from their entries and verify every verdict, link and balance."""
    settings = _settings()
    _need(settings, "books_url", "sec_url")
    logs.configure(settings, "audit")
    report = _connectable(_loaded("backend.audit").run(settings))
    for finding in report.findings():
        click.echo(finding)
    click.echo(report.summary())
    sys.exit(1 if report.findings() else 0)


@cli.group()
def verify() -> None:
    """Check what anybody may check."""


class _Explained(click.Command):
    """Its help ends with the formula that it computes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\n" + _loaded("backend.redpacket").FORMULA)


@verify.command("packet", cls=_Explained)
@click.argument("packet", metavar="FILE|PACKET_ID")
def verify_packet(packet: str) -> None:
    """Recompute the shares of a red packet that has ended, from its seed; exit 1 if any differs.

    A FILE is the proof that is downloaded from the packet's page, and is checked offline: nothing
    of this service is asked. Anybody also gets it at /api/v1/red-packets/PACKET_ID/proof. A
    PACKET_ID is looked up in this installation's own database.
    """
    proofs = _loaded("backend.redpacket.proof")
    own = _loaded("backend.ids").is_id(packet, "red")
    found = proofs.verified(_own_proof(packet) if own else _downloaded_proof(Path(packet)))
    for line in proofs.report(found):
        click.echo(line)
    sys.exit(0 if found.fair else 1)


def _downloaded_proof(path: Path) -> Any:
    proofs = _loaded("backend.redpacket.proof")
    try:
        with path.open("rb") as file:
            return proofs.from_file(file.read(proofs.MAX_PROOF_BYTES))
    except OSError as error:
        _fail(f"{path}: {error.strerror}", code=2)
    except proofs.Unreadable as error:
        _fail(f"{path}: no proof of a packet: {error}")


def _own_proof(packet_id: str) -> Any:
    settings = _settings()
    _need(settings, "tx_url")
    proofs, tx = _loaded("backend.redpacket.proof"), _loaded("backend.db").TX

    async def run() -> Any:
        await tx.open(settings.tx_url, size=1)
        try:
            return await proofs.proof_of(packet_id)
        finally:
            await tx.close()

    try:
        return _connectable(run())
    except DomainError as refusal:
        _fail(f"{packet_id}: {refusal.code}")


@verify.command("receipt")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--keys",
    "key_file",
    type=click.Path(exists=True, dir_okay=False),
    help="The published verdict keys; if not given, those of this installation.",
)
def verify_receipt(file: IO[bytes], key_file: str | None) -> None:
    """Check a signed receipt, offline: that all it says was signed; exit 1 if not."""
    receipts, keys = _loaded("backend.receipt"), _loaded("backend.keys")
    path = Path(key_file or _settings().verdict_keys)
    try:
        known = keys.published(path)
    except keys.KeyFileError as error:
        _fail(str(error))
    try:
        found = receipts.verify(file.read(receipts.MAX_RECEIPT_BYTES + 1), known)
    except receipts.Broken as broken:
        _fail(f"NOT GENUINE: {broken}")
    for line in receipts.report(found):
        click.echo(line)


@cli.group()
def alarm() -> None:
    """Look at the auditor's open alarms, and end them."""


@alarm.command("list")
def list_alarms() -> None:
    """The open ones: number, time, kind, detail and frozen accounts."""
    closing = _loaded("backend.risk.closing")
    for each in _with_security(closing.open_alarms):
        accounts = " ".join(each.accounts)
        click.echo(
            f"{each.alarm_id} {each.raised_at:%F %T} {each.kind}: {each.detail} [{accounts}]"
        )


@alarm.command("close")
@click.argument("alarm_id", type=int)
@click.option("--thaw", is_flag=True, help="Also give back the accounts that it froze.")
def close_alarm(alarm_id: int, thaw: bool) -> None:
    """End an alarm that was looked into. Kept in the log of security events."""
    closing, now = _loaded("backend.risk.closing"), clock_for(_settings()).now()
    try:
        thawed = _with_security(lambda: closing.close(alarm_id, now, thaw=thaw))
    except NotFound:
        _fail(f"no alarm {alarm_id}")
    click.echo(" ".join([f"alarm {alarm_id} is closed", *(f"{name} is thawed" for name in thawed)]))


def _with_security(work: Callable[[], Awaitable[Any]]) -> Any:
    """With the security system's database open, as its owner: a service may not thaw."""
    settings = _settings()
    _need(settings, "sec_owner_url")
    sec = _loaded("backend.db").SEC

    async def run() -> Any:
        await sec.open(settings.sec_owner_url, size=1)
        try:
            return await work()
        finally:
            await sec.close()

    return _connectable(run())


@cli.command()
@click.option(
    "--big",
    type=click.IntRange(1, 20_000_000),
    is_flag=False,
    flag_value=1_000_000,
    metavar="[ORDERS]",
    help="A further shop with a year of history, of 1,000,000 orders if you don't say how many.",
)
def demo(big: int | None) -> None:
    """Make the demo consumer and shop, with a week of history. Once is enough."""
    settings = _settings()
    logs.configure(settings, "demo")
    if not settings.demo:
        raise SettingsError("YIPAY_DEMO: expected true, demo people exist in demo mode only")
    made = _loaded("backend.demo")
    _connectable(made.seed(settings) if big is None else made.seed_big(settings, big, click.echo))


def _loaded(module: str) -> ModuleType:
    """Every part starts through this file: what only one command needs is not imported above."""
    return import_module(module)


def _with_options(
    settings: Settings, demo: bool, port: int | None, data_dir: str | None
) -> Settings:
    """Options win over variables. Ports that nobody chose follow the wallet's."""
    changes: dict[str, Any] = {"demo": demo or settings.demo}
    if data_dir is not None:
        changes["data_dir"] = data_dir
    if port is not None:
        plain = Settings()
        following = {
            "public_origin": f"http://localhost:{port}",
            "internal_port": port + 1,
            "sms_url": f"http://127.0.0.1:{port + SMS_OFFSET}",
            "bank_url": f"http://127.0.0.1:{port + BANK_OFFSET}",
        }
        changes["port"] = port
        changes |= {k: v for k, v in following.items() if getattr(settings, k) == getattr(plain, k)}
    return settings_module.checked(msgspec.structs.replace(settings, **changes))


def _settings(names: Collection[str] | None = None) -> Settings:
    """From the environment; where that says nothing, from the data folder of `yipay up`."""
    settings = settings_module.load()
    return home.completed(settings, home.find(settings), names)


def _need(settings: Settings, *names: str) -> None:
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"YIPAY_{name.upper()}: missing, and no `yipay up` data is here")


def _run_part(part: str) -> None:
    settings = _settings(home.KNOWS[part])
    logs.configure(settings, part)
    run = _loaded(PARTS[part]).run

    async def start() -> None:
        await _databases(settings, part)
        await _neighbours(settings, part)
        running = run(settings)
        if inspect.isawaitable(running):
            await running

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with asyncio.Runner() as runner:
        try:
            runner.run(_until_stopped(start))
        except OSError as error:
            _fail(f"{part}: {error}")


async def _until_stopped(start: Callable[[], Awaitable[None]]) -> None:
    """SIGTERM and SIGINT end a part in good order: its work is cancelled and cleans up."""
    work = asyncio.ensure_future(start())
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        work.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise


async def _databases(settings: Settings, part: str) -> None:
    """Wait until the part's databases take connections: they may start at the same time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DATABASE_PATIENCE_S
    for name in home.KNOWS[part]:
        _need(settings, name)
        while (reason := await _unreachable(getattr(settings, name))) is not None:
            if loop.time() > deadline:
                _fail(f"YIPAY_{name.upper()}: {reason}")
            await asyncio.sleep(0.05)


async def _neighbours(settings: Settings, part: str) -> None:
    """Parts start at the same time; who comes too late is missed, but does not stop the start."""
    if part not in NEEDS_LEDGER:
        return
    face, answers_ping = _loaded("backend.ledger").Ledger, _loaded(PROBES).answers_ping
    for _ in range(NEIGHBOUR_TRIES):
        if await answers_ping(face, settings.ledger_rpc, settings):
            return
        await asyncio.sleep(0.05)


async def _unreachable(url: str) -> str | None:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        return str(error) or "no answer"
    await connection.close()
    return None


def _connectable(work: Any) -> Any:
    """Run; a database that can't be reached is one line."""
    try:
        return uvloop.run(work)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InvalidPasswordError) as error:
        return _fail(f"database: {error}")


def _fail(line: str, code: int = 1) -> Any:
    click.echo(f"yipay: {line}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
