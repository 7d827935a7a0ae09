"""Piccolo configuration of the transaction system, for migrations only (PICCOLO_CONF)."""

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

from backend import settings

DB = PostgresEngine(config={"dsn": settings.load().tx_owner_url})

APP_REGISTRY = AppRegistry(
    apps=[
        f"backend.{module}.piccolo_app"
        for module in (
            "ledger",
            "identity",
            "bills",
            "sales",
            "events",
            "payments",
            "banking",
            "merchant",
            "friends",
            "redpacket",
            "settlement",
            "jobs",
            "transfers",
            "notices",
            "idempotency",
        )
    ]
)
