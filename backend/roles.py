"""Databases and roles of the two clusters: an owner for migrations, least-privileged services."""

from urllib.parse import unquote, urlsplit

import asyncpg

from backend.settings import SettingsError, check_postgres

TX_DATABASE, SEC_DATABASE = "yipay_tx", "yipay_sec"

TX_ROLES = ("yipay_tx_owner", "yipay_app", "yipay_ledger", "yipay_auditor")
SEC_ROLES = ("yipay_sec_owner", "yipay_risk")


async def create(admin_url: str, database: str, passwords: dict[str, str]) -> None:
    """Roles with their passwords, and the database of its owner. Safe to repeat.

    `admin_url`: a superuser's, to any database. The owner is the role that ends in "_owner".
    Raises SettingsError where the server is too old.
    """
    assert database.isidentifier(), "names of databases are made by us"
    owner = next(role for role in passwords if role.endswith("_owner"))
    admin = await asyncpg.connect(admin_url)
    try:
        check_postgres(admin.get_server_version().major)
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


async def create_from_urls(admin_url: str, urls: dict[str, str]) -> None:
    """As `create`, for the database and passwords in the roles' own URLs. Raises SettingsError."""
    databases, passwords = set(), {}
    for role, url in urls.items():
        parts = urlsplit(url)
        if parts.username != role:
            raise SettingsError(f"expected the role {role} in its URL, found {parts.username}")
        password = unquote(parts.password or "")
        if not (password.isascii() and password.isalnum()):
            raise SettingsError(f"the password of {role} must be letters and digits")
        passwords[role] = password
        databases.add(parts.path.removeprefix("/"))
    if len(databases) != 1 or not min(databases).isidentifier():
        raise SettingsError(f"expected one database for {', '.join(urls)}")
    await create(admin_url, databases.pop(), passwords)


async def _role(admin: asyncpg.Connection, role: str, password: str) -> None:
    assert password.isalnum(), "passwords of roles are made by us"
    if not await admin.fetchval("select 1 from pg_roles where rolname = $1", role):
        await admin.execute(f"create role {role} login")
    await admin.execute(f"alter role {role} password '{password}'")
