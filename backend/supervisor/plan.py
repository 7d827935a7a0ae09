"""Which processes there are, and what each of them may know."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from backend import settings as settings_module
from backend.clock import clock_for
from backend.ledger import Ledger
from backend.risk import Risk
from backend.settings import Settings
from backend.supervisor import probes
from backend.supervisor.home import KNOWS, URLS, Home
from backend.supervisor.parts import Part

DEMO_ONLY = ("sms", "bank")
NAMES = ("sms", "bank", "risk", "ledger", "worker", "bff")

# Who talks to people, then who works for them, then who holds the books; each group at once.
STOP_ORDER = (("bff",), ("worker",), ("ledger",), ("risk", "sms", "bank"))


def parts(settings: Settings, home: Home) -> dict[str, Part]:
    names = [name for name in NAMES if settings.demo or name not in DEMO_ONLY]
    return {
        name: Part(
            name=name,
            command=command(name),
            environment=environment(settings, name),
            log=home.log(name),
            ready=_ready(name, settings),
        )
        for name in names
    }


def command(name: str) -> tuple[str, ...]:
    verb = (name,) if name in ("worker", "demo") else ("serve", name)
    return (sys.executable, "-m", "backend.cli", *verb)


def environment(settings: Settings, name: str) -> dict[str, str]:
    """The part's settings and nothing of ours: no address of a database it has no business in."""
    urls = {url: "" for urls in URLS.values() for url in urls if url not in KNOWS[name]}
    keys = str(Path(settings.keys_dir) / name)
    own = msgspec.structs.replace(settings, **urls, keys_dir=keys)
    return settings_module.to_environment(own) | {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def ports(settings: Settings) -> list[tuple[str, int, str]]:
    """Host, port and purpose of what will listen here."""
    listening = [
        (settings.host, settings.port, "wallet"),
        ("127.0.0.1", settings.internal_port, "health"),
    ]
    if settings.demo:
        for url, what in ((settings.sms_url, "sandbox SMS"), (settings.bank_url, "sandbox bank")):
            host, _, port = url.removeprefix("http://").rpartition(":")
            listening.append((host, int(port), what))
    return listening


def _ready(name: str, settings: Settings) -> Callable[[], Awaitable[bool]]:
    began = clock_for(settings).now()
    where = {what: (host, port) for host, port, what in ports(settings)}

    async def ready() -> bool:
        match name:
            case "risk":
                return await probes.answers_ping(Risk, settings.risk_rpc, settings)
            case "ledger":
                return await probes.answers_ping(Ledger, settings.ledger_rpc, settings)
            case "bff":
                return await probes.answers_http(*where["health"]) and await probes.listens(
                    *where["wallet"]
                )
            case "sms":
                return await probes.answers_http(*where["sandbox SMS"])
            case "bank":
                return await probes.answers_http(*where["sandbox bank"])
            case _:
                return await probes.worker_lives(settings.tx_url, began)

    return ready
