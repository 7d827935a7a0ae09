"""Piccolo configuration of the security system, for migrations only (PICCOLO_CONF)."""

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

from backend import settings

DB = PostgresEngine(config={"dsn": settings.load().sec_owner_url})

APP_REGISTRY = AppRegistry(apps=["backend.risk.piccolo_app"])
