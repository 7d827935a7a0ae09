"""Who read a payment code at a till: only they, or who may refund, take its payment back."""

from backend.migrate import from_sql

ID = "2026-11-23T01:30:00:000011"
VERSION = "1.38.0"
DESCRIPTION = "who read a payment code"

SQL = """
alter table risk.pay_code add column charged_by text collate "C";
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
