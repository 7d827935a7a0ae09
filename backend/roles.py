"""Databases and roles of the two clusters: an owner for migrations, least-privileged services."""

import asyncpg

TX_DATABASE, SEC_DATABASE = "yipay_tx", "yipay_sec"

TX_ROLES = ("yipay_tx_owner", "yipay_app", "yipay_ledger", "yipay_auditor")
SEC_ROLES = ("yipay_sec_owner", "yipay_risk")


async def create(admin_url: str, database: str, passwords: dict[str, str]) -> None:
    """Roles with their passwords, and the database of its owner. Safe to repeat.

    `admin_url`: a superuser's, to any database. The owner is the role that ends in "_owner".
    """
    owner = next(role for role in passwords if role.endswith("_owner"))
    admin = await asyncpg.connect(admin_url)
    try:
        for role, password in passwords.items():
            await _role(admin, role, password)
        if not await admin.fetchval("select 1 from pg_database where datname = $1", database):
            await admin.execute(f"create database {database} owner {owner} template template0")
            await admin.execute(f"revoke all on database {database} from public")
        for role in passwords:
            await admin.execute(f"grant connect on database {database} to {role}")
        if "yipay_auditor" in passwords:
            await admin.execute("alter role yipay_auditor replication")
    finally:
        await admin.close()


async def _role(admin: asyncpg.Connection, role: str, password: str) -> None:
    assert password.isalnum(), "passwords of roles are made by us"
    if not await admin.fetchval("select 1 from pg_roles where rolname = $1", role):
        await admin.execute(f"create role {role} login")
    await admin.execute(f"alter role {role} password '{password}'")
