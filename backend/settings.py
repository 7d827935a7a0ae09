"""Settings: one frozen Struct from YIPAY_* variables, built once at start and passed down."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

PREFIX = "YIPAY_"

PostgresUrl = Annotated[str, msgspec.Meta(pattern=r"^(postgres(ql)?://.*)?$")]
Address = Annotated[str, msgspec.Meta(pattern=r"^(unix:/.+|https://[^/]+:\d+)$")]
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^/]+$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class SettingsError(Exception):
    """Names the variable and says what was expected."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty URLs mean: the embedded cluster under `data_dir`, as `yipay up` starts it."""

    data_dir: str = "var/data"
    tx_url: PostgresUrl = ""  # role yipay_app
    ledger_url: PostgresUrl = ""  # role yipay_ledger, same database as tx_url
    books_url: PostgresUrl = ""  # role yipay_auditor, same database as tx_url
    sec_url: PostgresUrl = ""  # role yipay_risk, another cluster
    tx_owner_url: PostgresUrl = ""  # role yipay_tx_owner, for migrations
    sec_owner_url: PostgresUrl = ""  # role yipay_sec_owner, for migrations
    ledger_rpc: Address = "unix:/run/yipay/ledger.sock"
    risk_rpc: Address = "unix:/run/yipay/risk.sock"
    rpc_ca: str = ""  # PEM files for mutual TLS, needed when an address is https://
    rpc_cert: str = ""
    rpc_key: str = ""
    keys_dir: str = "var/keys"  # of this process's own private keys, mode 0700
    verdict_keys: str = "var/public/verdict.json"  # public keys by key id, made by risk
    bank_keys: str = "var/public/bank.json"  # public keys of the bank, by key id
    host: str = "127.0.0.1"
    port: Port = 8000
    internal_port: Port = 8001  # health and metrics, loopback only
    public_origin: Url = "http://localhost:8000"
    rp_id: str = "localhost"
    sms_url: Url = "http://127.0.0.1:8003"
    bank_url: Url = "http://127.0.0.1:8004"
    demo: bool = False
    log_level: Annotated[str, msgspec.Meta(pattern=r"^(debug|info|warning|error)$")] = "info"

    @property
    def secure_transport(self) -> bool:
        return self.public_origin.startswith("https://")

    def path(self, name: str) -> Path:
        return Path(self.data_dir).resolve() / name


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. Raises SettingsError with the variable's name."""
    source = os.environ if environment is None else environment  # noqa: TID251 — the one reader
    raw = {k.removeprefix(PREFIX).lower(): v for k, v in source.items() if k.startswith(PREFIX)}
    unknown = sorted(raw.keys() - set(Settings.__struct_fields__))
    if unknown:
        raise SettingsError(f"{PREFIX}{unknown[0].upper()}: no such setting")
    for name, value in raw.items():
        _check(name, value)
    return msgspec.convert(raw, Settings, strict=False)


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `load` makes the same Settings, for child processes."""
    return {
        f"{PREFIX}{name.upper()}": _text(value)
        for name, value in msgspec.structs.asdict(settings).items()
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(name: str, value: str) -> None:
    field = next(f for f in msgspec.structs.fields(Settings) if f.name == name)
    try:
        msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{PREFIX}{name.upper()}: {error}") from None
