"""What else of an account may not change, and how its freezing flag was seen last."""

from backend.migrate import from_sql

ID = "2026-11-22T21:55:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the auditor remembers when accounts were opened, and frozen"

SQL = """
alter table risk.audit_account
    add column opened_us bigint,  -- null: not seen since this column is here
    add column tx_frozen boolean not null default false;
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
