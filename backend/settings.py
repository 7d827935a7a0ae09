"""Settings: one frozen Struct from YIPAY_* variables, built once at start and passed down."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

PREFIX = "YIPAY_"

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_PACKAGE = r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+"
_ANDROID_APP = rf"{_PACKAGE}:([0-9A-Fa-f]{{64}}|[0-9A-Fa-f]{{2}}(:[0-9A-Fa-f]{{2}}){{31}})"
_APPLE_APP = r"[A-Z0-9]{10}(\.[A-Za-z0-9-]+)+"

# The descriptions are what a person reads when a value is malformed.
Text = Annotated[str, msgspec.Meta(description="text")]
PostgresUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(postgres(ql)?://.*)?$",
        description="an address like postgresql://role:password@host:5432/database",
    ),
]
Address = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(unix:/.+|https://[^/]+:\d+)$",
        description="unix:/absolute/path.sock or https://host:port",
    ),
]
Url = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^/]+$", description="http://host:port or https://host, no path"
    ),
]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port number from 1 to 65535")]
MAX_AHEAD_S = 366 * 24 * 3600
Ahead = Annotated[
    int,
    msgspec.Meta(ge=0, le=MAX_AHEAD_S, description=f"a number of seconds from 0 to {MAX_AHEAD_S}"),
]
Years = Annotated[int, msgspec.Meta(ge=1, le=100, description="a number of years from 1 to 100")]
AndroidApps = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({_ANDROID_APP}(,{_ANDROID_APP})*)?\Z",
        description="package:SHA-256 of its signing certificate in hexadecimal, several by commas",
    ),
]
AppleApps = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({_APPLE_APP}(,{_APPLE_APP})*)?\Z",
        description="TEAMID.bundle.identifier, several by commas",
    ),
]
Switch = Annotated[bool, msgspec.Meta(description="true or false")]
LogLevel = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(debug|info|warning|error)$", description="debug, info, warning or error"
    ),
]
LogFormat = Annotated[str, msgspec.Meta(pattern=r"^(json|console)$", description="json or console")]


class SettingsError(Exception):
    """Names the variable and says what was expected."""


MIN_POSTGRES = 17


def check_postgres(major: int) -> None:
    """Raises SettingsError where the server is too old to be followed by the auditor."""
    if major < MIN_POSTGRES:
        raise SettingsError(f"expected PostgreSQL {MIN_POSTGRES} or newer, the server is {major}")


class AndroidApp(msgspec.Struct, frozen=True):
    """digest: SHA-256 of the certificate that signs it."""

    package: str
    digest: bytes

    @property
    def origin(self) -> str:
        """As Android gives it to a passkey."""
        return f"android:apk-key-hash:{urlsafe_b64encode(self.digest).rstrip(b'=').decode()}"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty URLs mean: the embedded cluster under `data_dir`, as `yipay up` starts it."""

    data_dir: Text = "var/data"
    tx_url: PostgresUrl = ""  # role yipay_app
    ledger_url: PostgresUrl = ""  # role yipay_ledger, same database as tx_url
    books_url: PostgresUrl = ""  # role yipay_auditor, same database as tx_url
    sec_url: PostgresUrl = ""  # role yipay_risk, another cluster
    tx_owner_url: PostgresUrl = ""  # role yipay_tx_owner, for migrations
    sec_owner_url: PostgresUrl = ""  # role yipay_sec_owner, for migrations
    ledger_rpc: Address = "unix:/run/yipay/ledger.sock"
    risk_rpc: Address = "unix:/run/yipay/risk.sock"
    rpc_ca: Text = ""  # PEM files for mutual TLS, needed when an address is https://
    rpc_cert: Text = ""
    rpc_key: Text = ""
    keys_dir: Text = "var/keys"  # of this process's own private keys, mode 0700
    verdict_keys: Text = "var/public/verdict.json"  # public keys by key id, made by risk
    bank_keys: Text = "var/public/bank.json"  # public keys of the bank, by key id
    host: Text = "127.0.0.1"
    port: Port = 8000
    internal_port: Port = 8001  # health and metrics, loopback only
    public_origin: Url = "http://localhost:8000"
    rp_id: Text = "localhost"
    android_apps: AndroidApps = ""  # whose passkeys we take, beside the browser's
    apple_apps: AppleApps = ""
    sms_url: Url = "http://127.0.0.1:8003"
    bank_url: Url = "http://127.0.0.1:8004"
    keep_years: Years = 10  # reconciliation files are kept so long
    demo: Switch = False  # loopback only; marked on every page
    demo_clock_ahead_s: Ahead = 0  # how far the demo lives in the future, to see what time does
    log_level: LogLevel = "info"
    log_format: LogFormat = "json"

    @property
    def secure_transport(self) -> bool:
        return self.public_origin.startswith("https://")

    @property
    def android(self) -> tuple[AndroidApp, ...]:
        entries = [entry.partition(":") for entry in self.android_apps.split(",") if entry]
        return tuple(
            AndroidApp(package, bytes.fromhex(digest.replace(":", "")))
            for package, _, digest in entries
        )

    @property
    def apple(self) -> tuple[str, ...]:
        return tuple(app for app in self.apple_apps.split(",") if app)

    @property
    def origins(self) -> tuple[str, ...]:
        """From which passkeys are taken: the web's, our Android apps' by the keys that sign them,
        and the RP ID's own, which iOS gives an app."""
        apps = tuple(dict.fromkeys(app.origin for app in self.android))
        ios = (f"https://{self.rp_id}",) if self.apple else ()
        return tuple(dict.fromkeys((self.public_origin, *apps, *ios)))

    def path(self, name: str) -> Path:
        return Path(self.data_dir).resolve() / name


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. Raises SettingsError with the variable's name."""
    return checked(read(environment))


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """As `load`, where options may still change some: for `checked` afterwards."""
    source = os.environ if environment is None else environment  # noqa: TID251 — the one reader
    raw = {k.removeprefix(PREFIX).lower(): v for k, v in source.items() if k.startswith(PREFIX)}
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    for name, value in raw.items():
        if name not in fields:
            raise SettingsError(f"{_variable(name)}: no such setting")
        _check(name, fields[name].type, value)
    return msgspec.convert(raw, Settings, strict=False)


def checked(settings: Settings) -> Settings:
    """The rules between settings. Raises SettingsError."""
    if settings.demo and settings.host not in LOOPBACK:
        raise SettingsError(f"{_variable('demo')}: only with {_variable('host')} on loopback")
    if settings.demo_clock_ahead_s and not settings.demo:
        # Money lives by the time: outside a demo nobody moves it.
        raise SettingsError(f"{_variable('demo_clock_ahead_s')}: only with {_variable('demo')}")
    if any(address.startswith("https:") for address in (settings.ledger_rpc, settings.risk_rpc)):
        for name in ("rpc_ca", "rpc_cert", "rpc_key"):
            if not getattr(settings, name):
                raise SettingsError(
                    f"{_variable(name)}: expected a PEM file for https:// addresses"
                )
    return settings


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `load` makes the same Settings, for child processes."""
    return {
        _variable(name): _text(value) for name, value in msgspec.structs.asdict(settings).items()
    }


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(name: str, kind: Any, value: str) -> None:
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        # The value stays out of the message: it may hold a password.
        raise SettingsError(f"{_variable(name)}: expected {_description(kind)}") from None


def _description(kind: Any) -> str:
    return str(kind.__metadata__[0].description)
